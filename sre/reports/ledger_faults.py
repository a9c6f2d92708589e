"""The faults of a drill's ledger as an incident knows them: one reader of it for all, `sre.chaos.leases.ledger`."""

from __future__ import annotations

from collections.abc import Iterable

from sre.chaos.leases.ledger import LedgerFault, LedgerRecord, fault_windows
from sre.incidents.model import FaultWindow, LedgerLines


def incident_faults(records: Iterable[LedgerRecord]) -> tuple[FaultWindow, ...]:
    """The faults of these records, by begin."""
    return tuple(_window(fault) for fault in fault_windows(records))


def _window(fault: LedgerFault) -> FaultWindow:
    return FaultWindow(
        fault_id=fault.fault_id,
        fault=fault.fault,
        target=fault.target or "unknown",
        begin=fault.begin,
        end=fault.end,
        proven=fault.proven is True,
        proof=fault.proof or "no proof in the ledger",
        proven_at=fault.proven_at,
        replicas=fault.replicas,
        components=fault.components,
        undone_at=fault.undone,
        undone_by=fault.undone_by,
        lines=_lines(fault),
    )


def _lines(fault: LedgerFault) -> LedgerLines:
    found = fault.lines
    return LedgerLines(
        begin=found.get("fault_begin"),
        proven=found.get("fault_proven", found.get("fault_not_proven")),
        undone=found.get("fault_undone"),
        end=found.get("fault_end"),
    )
