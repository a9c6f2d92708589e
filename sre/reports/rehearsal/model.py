"""What a rehearsal tells. Its report is of a drill's own type, so that comparing is comparing two of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sre.reports.model import DrillReport
from sre.reports.rehearsal.quantities import Quantity, quantities

Fidelity = Literal["exact", "approximate", "no effect", "not rehearsed"]
"""`exact`: the platform's own code meets the same event. `approximate`: the event is modelled, the note says how.
`no effect`: by design it changes nothing that is served. `not rehearsed`: the note says why."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a fault is rehearsed; `note` is what is left out, or why it is not."""

    fault: str
    fidelity: Fidelity
    note: str


@dataclass(frozen=True, slots=True)
class Assumption:
    """A figure of the machine, in seconds; `n` observations behind it, 0 for a shipped one; `source` names them."""

    name: str
    value_s: float
    n: int
    source: str


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a drill would show. `report` says of itself that it was rehearsed. `moved_streams` went on on another
    replica, `recomputed_tokens` were computed again for it; None where no sample tells.
    """

    report: DrillReport
    seed: int
    assumptions: tuple[Assumption, ...]
    coverage: tuple[Coverage, ...]
    moved_streams: int | None
    recomputed_tokens: int | None

    def quantities(self) -> tuple[Quantity, ...]:
        return quantities(self.report, moved_streams=self.moved_streams, recomputed_tokens=self.recomputed_tokens)

    @property
    def is_met(self) -> bool:
        """Whether the drill would be as its experiment expects."""
        return self.report.verdict == "passed"


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over several seeds; None where no seed has it, `n` of them have."""

    quantity: Quantity
    least: float | None
    middle: float | None
    most: float | None
    n: int


def spreads(rehearsals: Sequence[Rehearsal]) -> tuple[Spread, ...]:
    """Each figure of the first over all of them, by key."""
    every = [{one.key: one for one in rehearsal.quantities()} for rehearsal in rehearsals]
    return tuple(
        _spread(one, [found[one.key].value for found in every if one.key in found]) for one in every[0].values()
    )


def _spread(one: Quantity, values: Sequence[float | None]) -> Spread:
    known = sorted(value for value in values if value is not None)
    if not known:
        return Spread(one, None, None, None, 0)
    half = len(known) // 2
    middle = known[half] if len(known) % 2 else (known[half - 1] + known[half]) / 2
    return Spread(one, known[0], middle, known[-1], len(known))
