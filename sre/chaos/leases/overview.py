"""The faults of a ledger for a person: what is hit, since when, how long yet, and who would undo it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from sre.chaos.faults.model import Lease
from sre.chaos.leases.ledger import Ledger, LedgerFault
from sre.chaos.leases.records import leases
from sre.chaos.leases.standing import Standing, standing_of
from sre.chaos.leases.watchdog import watches

State = Literal["open", "overdue", "undone", "over"]
HEAD = ("id", "fault", "target", "state", "since", "left", "run", "proof")


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. `left_s` is None when it is undone; `run_lives` None when no run is known for it."""

    fault_id: str
    fault: str
    target: str
    state: State
    since: float
    left_s: float | None
    run_id: str
    run_lives: bool
    proven: bool | None
    proof: str
    undone_by: str | None
    end: float | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The rows by begin, whether a watchdog lives, and what could not be read."""

    faults: tuple[Row, ...]
    watchdog_lives: bool
    damage: tuple[str, ...]

    def lines(self) -> list[str]:
        """A table, and who watches."""
        if not self.faults:
            return ["no fault is open"]
        rows = [HEAD, *(_cells(row) for row in self.faults)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
        table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        watchdog = "lives" if self.watchdog_lives else "does not run; the next `sre` call undoes what is overdue"
        return [*table, "", f"watchdog {watchdog}; `sre chaos heal` undoes all"]


def overview(state_dir: Path, *, everything: bool = False, now: float | None = None) -> Overview:
    """What is open by the ledger of this directory; with `everything` also what is over."""
    found = Ledger(state_dir).salvage()
    stands, at = standing_of(found), time.time() if now is None else now
    shown = leases(found.records) if everything else stands.open
    rows = tuple(_row(stands, lease, at) for lease in shown)
    return Overview(rows, watches(state_dir), stands.damage)


def _row(stands: Standing, lease: Lease, at: float) -> Row:
    fault = stands.fault(lease)
    return Row(
        fault_id=fault.fault_id,
        fault=fault.fault,
        target=fault.target,
        state=_state(stands, lease, fault, at),
        since=fault.begin,
        left_s=max(0.0, lease.deadline_at - at) if fault.is_open else None,
        run_id=lease.run_id,
        run_lives=stands.run_lives(lease),
        proven=fault.proven,
        proof=fault.proof,
        undone_by=fault.undone_by,
        end=fault.end,
    )


def _state(stands: Standing, lease: Lease, fault: LedgerFault, at: float) -> State:
    if fault.is_open:
        return "open" if stands.overdue(lease, now=lambda: at) is None else "overdue"
    return "undone" if fault.end is None else "over"


def _cells(row: Row) -> Sequence[str]:
    left = "-" if row.left_s is None else f"{row.left_s:.0f} s"
    state = row.state if row.undone_by is None else f"{row.state} by {row.undone_by}"
    proof = row.proof if row.proven else f"not proven: {row.proof}" if row.proven is False else "not proven yet"
    since = datetime.fromtimestamp(row.since, UTC).strftime("%H:%M:%S UTC")
    run = "lives" if row.run_lives else "gone"
    return row.fault_id, row.fault, row.target, state, since, left, run, proof
