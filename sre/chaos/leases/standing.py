"""What stands by the ledger now, whole or damaged: what is broken, by which run, and what is overdue to be undone.

For everyone who undoes: the watchdog, `sre chaos heal`, each `sre` call, the next run. Who injects reads the ledger
strictly instead and refuses beside a damaged line.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sre.chaos.faults.model import Lease
from sre.chaos.leases.ledger import Ledger, LedgerFault, Salvage, fault_windows
from sre.chaos.leases.records import Run, leases, misfits, open_runs
from sre.platforms.processes import find


@dataclass(frozen=True, slots=True)
class Standing:
    """`unended` are undone, and nobody has said yet that their effect is over. `damage` has a line for each record that
    cannot be understood; `unread`: the ledger could not be read at all.
    """

    open: tuple[Lease, ...] = ()
    unended: tuple[Lease, ...] = ()
    runs: tuple[Run, ...] = ()
    faults: tuple[LedgerFault, ...] = ()
    damage: tuple[str, ...] = ()
    unread: bool = False

    def fault(self, lease: Lease) -> LedgerFault:
        """What became of it."""
        return next(fault for fault in self.faults if fault.fault_id == lease.fault_id)

    def run_lives(self, lease: Lease) -> bool:
        """Whether the run that asked for it is still at work."""
        return any(run.run_id == lease.run_id for run in self.runs) and find(lease.run) is not None

    def overdue(self, lease: Lease, *, now: Callable[[], float] = time.time) -> str | None:
        """Why an open fault should have been undone by now; None while it may stay."""
        if now() >= lease.deadline_at:
            return "its lease is over"
        if not self.run_lives(lease):
            return "its run is over"
        return "it was given up" if self.fault(lease).proven is False else None


def standing(state_dir: Path) -> Standing:
    """What the ledger of this directory says; nothing stands without one."""
    return standing_of(Ledger(state_dir).salvage())


def standing_of(found: Salvage) -> Standing:
    """The same of records that were read already."""
    faults = {fault.fault_id: fault for fault in fault_windows(found.records)}
    known = leases(found.records)
    undone = [lease for lease in known if not faults[lease.fault_id].is_open]
    return Standing(
        open=tuple(lease for lease in known if faults[lease.fault_id].is_open),
        unended=tuple(lease for lease in undone if _awaits_its_end(faults[lease.fault_id])),
        runs=open_runs(found.records),
        faults=tuple(faults.values()),
        damage=(*found.damage, *misfits(found.records)),
        unread=found.unread,
    )


def _awaits_its_end(fault: LedgerFault) -> bool:
    return fault.end is None and fault.proven is not False
