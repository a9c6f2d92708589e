"""Undoing what is open, by whoever is left to do it: several faults, and one that stays does not keep the others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sre.chaos.faults.model import Lease
from sre.chaos.leases.lease import heal
from sre.chaos.leases.ledger import LEDGER_FILE
from sre.chaos.leases.standing import standing
from sre.errors import PlatformError
from sre.platforms.model import Platform


@dataclass(frozen=True, slots=True)
class Stayed:
    """A fault that could not be undone, or whose undoing could not be written down, and why."""

    lease: Lease
    why: str


@dataclass(frozen=True, slots=True)
class Healed:
    """`undone` by this call; `stayed` is to be tried again; `damage`: lines of the ledger that nobody understands."""

    undone: tuple[Lease, ...] = ()
    stayed: tuple[Stayed, ...] = ()
    damage: tuple[str, ...] = ()

    @property
    def nothing_remains(self) -> bool:
        return not self.stayed and not self.damage


def heal_each(platform: Platform, open_leases: Iterable[Lease], *, by: str, urgent: bool = False) -> Healed:
    """Undo them, the youngest first. `urgent` ends a process that keeps the lock and does not come back."""
    undone, stayed = [], []
    for lease in reversed(tuple(open_leases)):
        try:
            if heal(platform, lease, by=by, urgent=urgent):
                undone.append(lease)
        except Exception as error:  # noqa: BLE001  (whatever keeps one fault must not keep the others)
            stayed.append(Stayed(lease, str(error) or type(error).__name__))
    return Healed(tuple(undone), tuple(stayed))


def heal_all(platform: Platform, *, by: str, only: frozenset[str] | None = None) -> Healed:
    """Undo every open fault of this platform, or those with the ids of `only`; whose they are does not matter."""
    now = standing(platform.state_dir)
    meant = [lease for lease in now.open if only is None or lease.fault_id in only]
    done = heal_each(platform, meant, by=by, urgent=True)
    return Healed(done.undone, done.stayed, now.damage)


def heal_leftovers(platform: Platform, *, by: str) -> Healed:
    """Undo what should have been undone by now: its lease is over, its run is gone, or it was given up."""
    if not (platform.state_dir / LEDGER_FILE).exists():
        return Healed()
    now = standing(platform.state_dir)
    done = heal_each(platform, [lease for lease in now.open if now.overdue(lease)], by=by, urgent=True)
    return Healed(done.undone, done.stayed, now.damage)


def require_healed(done: Healed) -> None:
    """Raises PlatformError, with everything that stayed in one line, unless it all was undone."""
    if done.stayed:
        reasons = "; ".join(f"{one.lease.fault} of {one.lease.plan.target}: {one.why}" for one in done.stayed)
        raise PlatformError(f"{len(done.stayed)} fault(s) stay: {reasons}")


def may_have_leftovers(state_dir: Path) -> bool:
    """Whether it is worth to look: a fault was once begun here. Costs one read of one file."""
    try:
        return b'"fault_begin"' in (state_dir / LEDGER_FILE).read_bytes()
    except OSError:
        return False
