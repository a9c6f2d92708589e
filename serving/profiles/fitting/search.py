"""Least squares of few variables without derivatives: damped Gauss-Newton steps (Levenberg 1944, Marquardt 1963) over
wide differences, then Nelder and Mead's simplex (The Computer Journal, 1965).

Written out because a simulated percentile has no derivative and the package has no scipy. Deterministic: the same
function and start give the same answer.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Point = NDArray[np.float64]
_DAMPINGS = (0.01, 0.1, 1.0, 10.0)


def minimise(
    function: Callable[[Point], float], start: Point, steps: Point, *, evaluations: int
) -> tuple[Point, float]:
    """The best of about `evaluations` points, and its value; `steps` is how far apart the first ones lie."""
    simplex = _Simplex(function, [start, *(start + step for step in np.diag(steps))])
    while simplex.evaluations < evaluations:
        simplex.move()
    return simplex.best


def descend(
    residuals: Callable[[Point], Point], start: Point, steps: Point, *, rounds: int
) -> tuple[Point, float, int]:
    """The best point after so many rounds, its sum of squares, and the evaluations.

    Differences are taken over `steps`, wide enough for the noise of a queue that turns on single events to average
    out; each round tries the damping that did best and its neighbours, and halves the differences when none helps.
    """
    best, found = start, residuals(start)
    value, evaluations = float(found @ found), 1
    for _ in range(rounds):
        slopes = np.stack(
            [(residuals(best + step) - found) / width for step, width in zip(np.diag(steps), steps, strict=True)]
        )
        tried = [_damped(slopes, found, damping) for damping in _DAMPINGS]
        outcomes = [(residuals(best + move), best + move) for move in tried]
        evaluations += len(steps) + len(outcomes)
        new, point = min(outcomes, key=lambda outcome: float(outcome[0] @ outcome[0]))
        if float(new @ new) < value:
            best, found, value = point, new, float(new @ new)
        else:
            steps = steps / 2
    return best, value, evaluations


def _damped(slopes: Point, found: Point, damping: float) -> Point:
    """The Gauss-Newton step, shortened; no variable moves by more than a factor of e."""
    normal = slopes @ slopes.T
    move = -np.linalg.solve(normal + damping * np.diag(np.diag(normal)) + 1e-9 * np.eye(len(normal)), slopes @ found)
    return np.asarray(np.clip(move, -1.0, 1.0))


class _Simplex:
    def __init__(self, function: Callable[[Point], float], points: list[Point]) -> None:
        self._function = function
        self.evaluations = 0
        self._vertices = [(self._value(point), point) for point in points]
        self._sort()

    @property
    def best(self) -> tuple[Point, float]:
        value, point = self._vertices[0]
        return point, value

    def move(self) -> None:
        """Reflect the worst vertex through the others; go on when that is best, come back when it is not good."""
        centre = np.mean([point for _, point in self._vertices[:-1]], axis=0)
        worst_value, worst = self._vertices[-1]
        away = centre - worst
        reflected = self._vertex(centre + away)
        if reflected[0] < self._vertices[0][0]:
            self._replace(min(reflected, self._vertex(centre + 2 * away), key=lambda v: v[0]))
        elif reflected[0] < self._vertices[-2][0]:
            self._replace(reflected)
        else:
            side = 0.5 if reflected[0] < worst_value else -0.5
            nearer = self._vertex(centre + side * away)
            if nearer[0] < min(reflected[0], worst_value):
                self._replace(nearer)
            else:
                self._shrink()

    def _shrink(self) -> None:
        _, best = self._vertices[0]
        self._vertices[1:] = [self._vertex(best + 0.5 * (point - best)) for _, point in self._vertices[1:]]
        self._sort()

    def _replace(self, vertex: tuple[float, Point]) -> None:
        self._vertices[-1] = vertex
        self._sort()

    def _sort(self) -> None:
        self._vertices.sort(key=lambda vertex: vertex[0])

    def _vertex(self, point: Point) -> tuple[float, Point]:
        return self._value(point), point

    def _value(self, point: Point) -> float:
        self.evaluations += 1
        return self._function(point)
