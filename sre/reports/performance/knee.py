"""Where a curve that rises and flattens bends: the rule of Kneedle.

V. Satopaa, J. Albrecht, D. Irwin, B. Raghavan: "Finding a 'Kneedle' in a Haystack: Detecting Knee Points in System
Behavior", ICDCS Workshops 2011. Both axes are scaled to [0, 1]; the knee is where the curve lies furthest above the
chord between its ends. Their smoothing and sensitivity are for noisy series of many points; a sweep has a dozen, so the
points are taken as they are and the largest distance counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

RULE = "furthest above the chord between the ends, both axes scaled to 0..1 (Kneedle, Satopaa et al. 2011)"
LEAST_DISTANCE = 0.05
"""Below it the curve is as good as straight: it has not bent within what was tried."""


@dataclass(frozen=True, slots=True)
class Knee:
    """`index` is the point's; `distance` its height above the chord, as a share of the whole rise."""

    index: int
    distance: float


def find_knee(points: Sequence[tuple[float, float]]) -> Knee | None:
    """The knee of a curve of at least three points, x ascending; None where it has none.

    A curve whose end is not its highest point is looked at up to the highest: beyond it load only does harm.
    """
    if any(later[0] <= earlier[0] for earlier, later in pairwise(points)):
        raise ValueError("the points of a curve need x ascending")
    top = max(range(len(points)), key=lambda index: (points[index][1], -index), default=0)
    rising = points[: top + 1] if top >= 2 else points
    if len(rising) < 3:
        return None
    (x0, y0), (x1, y1) = rising[0], rising[-1]
    if y1 <= y0:
        return None
    distances = [(y - y0) / (y1 - y0) - (x - x0) / (x1 - x0) for x, y in rising]
    best = max(range(len(rising)), key=lambda index: (distances[index], -index))
    return Knee(best, distances[best]) if distances[best] >= LEAST_DISTANCE else None
