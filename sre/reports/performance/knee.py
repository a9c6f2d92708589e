"""Where a curve that rises and flattens bends: the rule of Kneedle.

V. Satopaa, J. Albrecht, D. Irwin, B. Raghavan: "Finding a 'Kneedle' in a Haystack: Detecting Knee Points in System
Behavior", ICDCS Workshops 2011. Both axes are scaled to [0, 1], and the knee is where the curve lies furthest above the
diagonal. Their smoothing and sensitivity are for noisy series of many points; a sweep has a dozen, so the points are
taken as they are and the largest distance counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

RULE = "furthest above the diagonal when both axes are scaled to 0..1 (Kneedle, Satopaa et al. 2011)"
LEAST_DISTANCE = 0.05
"""Below it the curve is as good as straight: it has not bent within what was tried."""


@dataclass(frozen=True, slots=True)
class Knee:
    """`index` is the point's; `distance` its height above the diagonal, as a share of the whole rise."""

    index: int
    distance: float


def find_knee(points: Sequence[tuple[float, float]]) -> Knee | None:
    """The knee of a curve of at least three points, x ascending; None where it has none.

    Heights are scaled from the first point to the highest, wherever that is: noise on a plateau, or throughput lost
    under overload, does not move the knee.
    """
    if any(later[0] <= earlier[0] for earlier, later in pairwise(points)):
        raise ValueError("the points of a curve need x ascending")
    if len(points) < 3:
        return None
    (x0, y0), x1, top = points[0], points[-1][0], max(y for _, y in points)
    if top <= y0:
        return None
    distances = [(y - y0) / (top - y0) - (x - x0) / (x1 - x0) for x, y in points]
    best = max(range(len(points)), key=lambda index: (distances[index], -index))
    return Knee(best, distances[best]) if distances[best] >= LEAST_DISTANCE else None
