"""Prediction against measurement: which figure was off by how much, and whether that is within tolerance.

A figure is within tolerance when it differs by at most `TOLERANCE` of what was measured, or by at most its own floor.
A figure that only one of the two has is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sre.reports.model import DrillReport
from sre.reports.rehearsal.model import Rehearsal
from sre.reports.rehearsal.quantities import Quantity

TOLERANCE = 0.2
_ROUNDING = 1e-9
RULE = (
    "Within tolerance: at most 20 % off what was measured, or at most the floor of the figure: two events in counts, "
    "and what two events make of a ratio, a burn or tokens; 0.5 s of recovery; 1 s, the distance of samples, of "
    "detection and alerts; 15 ms of a time to first token, 1 ms of a gap; $0.001. A figure that only one of the two "
    "has is not within."
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure, predicted and measured."""

    predicted: Quantity
    measured: Quantity

    @property
    def difference(self) -> float | None:
        """Relative to what was measured; None where that is 0, or one of the two has no value."""
        mine, real = self.predicted.value, self.measured.value
        if mine is None or real is None:
            return None
        if real == 0:
            return 0.0 if mine == 0 else None
        return (mine - real) / abs(real)

    @property
    def within(self) -> bool:
        """By `TOLERANCE`, or by the floor of the figure."""
        mine, real = self.predicted.value, self.measured.value
        if mine is None or real is None:
            return mine is None and real is None
        return abs(mine - real) <= max(TOLERANCE * abs(real), self.measured.floor) * (1 + _ROUNDING)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A drill that was played beside its rehearsal. `as_planned`: the steps began when the file says, not when the
    drill's did. `has_changed`: the experiment's method is another one than when the drill was played.
    """

    drill: DrillReport
    rehearsal: Rehearsal
    rows: tuple[Compared, ...]
    as_planned: bool
    has_changed: bool = False

    @property
    def aimed(self) -> tuple[Compared, ...]:
        """The figures that a comparison is judged by: recovery, and the burns of the SLOs the drill is about."""
        return tuple(row for row in self.rows if row.measured.aimed)

    @property
    def ok(self) -> bool:
        return all(row.within for row in self.aimed)


def paired(predicted: Sequence[Quantity], real: Sequence[Quantity]) -> tuple[Compared, ...]:
    """By key, in the order of the measured ones; what only one has is paired with n/a."""
    mine = {one.key: one for one in predicted}
    theirs = {one.key: one for one in real}
    keys = [*theirs, *(key for key in mine if key not in theirs)]
    return tuple(
        Compared(mine.get(key) or _nothing(theirs[key]), theirs.get(key) or _nothing(mine[key])) for key in keys
    )


def _nothing(other: Quantity) -> Quantity:
    return replace(other, value=None, reason="not in the report")
