"""Several ratios of the same requests in PromQL: each recorded by itself, then the most that can be bad of all.

bad = min(total, sum of bad_i + max(0, total - total_i)), as `sre.slo.goodput` has it. The parts are recorded, so that
one sees which criterion fails, and so that a period's bound is taken of the period's sums: bounds of single minutes,
added up, would count every request twice that is between two criteria at a minute's end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sre.slo.rules.layers import Layer
from sre.slo.rules.model import Recording

CRITERION_TOTAL, CRITERION_BAD = "slo:criterion_total_events:increase", "slo:criterion_bad_events:increase"
PERIOD_CRITERION_TOTAL = "slo:period_criterion_total_events:increase"
PERIOD_CRITERION_BAD = "slo:period_criterion_bad_events:increase"


@dataclass(frozen=True, slots=True)
class Criteria:
    """The recorded events of each criterion in one window. The first of `totals` is the population, recorded before."""

    totals: tuple[Recording, ...]
    bads: tuple[Recording, ...]

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return (*self.totals[1:], *self.bads)

    def most_bad(self, read: Callable[[Recording], str]) -> str:
        """The bound as an expression without labels; `read` makes an expression without labels of a recorded series.

        It has no element when one of its parts has none: what one criterion says is unknown, so is goodput.
        """
        total = read(self.totals[0])
        terms = [*map(read, self.bads), *(f"clamp_min({total} - {read(seen)}, 0)" for seen in self.totals[1:])]
        return "clamp_max(\n" + "\n+ ".join(terms) + f",\nscalar({total})\n)"


def criteria(layer: Layer, total: Recording, window_s: float, names: tuple[str, str]) -> Criteria:
    """Every criterion over the window that `total` was recorded for; `names` are those of total and bad events."""
    totals, bads = [total], []
    for number, one in enumerate((layer, *layer.others), start=1):
        labels = (*total.labels, ("criterion", str(number)))
        if number > 1:
            totals.append(Recording(names[0], one.total(window_s), labels))
        bads.append(Recording(names[1], one.bad(window_s, totals[-1].selector), labels))
    return Criteria(tuple(totals), tuple(bads))
