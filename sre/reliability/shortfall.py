"""What a shortage of replicas costs in requests, by hour of day.

With `needed` replicas for the peak, the load at an hour of relative size s asks for d = needed x s replicas. While u of
them serve, the share of requests that are bad is

    bad(u) = min(1, factor x max(0, 1 - u / d))

factor 1: what exceeds the capacity is refused and the rest is served well (the gateway's admission control). A larger
factor makes a shortage spoil more than the excess: queues that grow until answers come late. Requests arrive in
proportion to s, so an hour's bad requests weigh s x bad.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sre.reliability.durations import Floats
from sre.reliability.history import Ints

DAY_H = 24
FLAT = (1.0,) * DAY_H
DAY = (
    *(0.45, 0.40, 0.36, 0.34, 0.34, 0.37, 0.45, 0.58, 0.73, 0.86, 0.95, 0.99),
    *(0.97, 0.98, 1.00, 0.99, 0.96, 0.91, 0.86, 0.81, 0.75, 0.68, 0.60, 0.52),
)
"""A day with an office-hours peak; assumed, counted by nobody."""


@dataclass(frozen=True, slots=True)
class Load:
    """24 sizes relative to the peak, the largest 1; midnight first. `told` says whose they are."""

    hourly: tuple[float, ...]
    told: str


class Shortfall:
    """Integrals of what a capacity costs, from any hour of the month to any other, by tables over the day."""

    def __init__(self, load: Load, *, needed: int, replicas: int, factor: float) -> None:
        size = np.array(load.hourly)
        capacity = np.arange(replicas + 1)[:, None]
        missing = np.maximum(0.0, 1.0 - capacity / (needed * size)[None, :])
        self._size = size
        self._bad = size[None, :] * np.minimum(1.0, factor * missing)
        self._short = (missing > 1e-12).astype(np.float64)
        self._bad_until, self._short_until = _until(self._bad), _until(self._short)
        self._weight_until = _until(size[None, :])

    def weight(self, hours: float) -> float:
        """All requests of a month, in hours of peak traffic."""
        return float(_integral(self._size[None, :], self._weight_until, np.array([0]), np.array([hours]))[0])

    def bad(self, up: Ints, start_h: Floats, end_h: Floats) -> Floats:
        """Bad requests while `up` replicas serve, in hours of peak traffic."""
        return _between(self._bad, self._bad_until, up, start_h, end_h)

    def short(self, up: Ints, start_h: Floats, end_h: Floats) -> Floats:
        """Hours in which there were fewer than the load asked for."""
        return _between(self._short, self._short_until, up, start_h, end_h)

    def traffic(self, start_h: Floats, end_h: Floats) -> Floats:
        """Requests of a stretch, in hours of peak traffic."""
        row = np.zeros(len(start_h), dtype=np.int64)
        return _between(self._size[None, :], self._weight_until, row, start_h, end_h)

    def size_at(self, hour: Floats) -> Floats:
        """The load's size then."""
        sizes: Floats = self._size[(hour % DAY_H).astype(np.int64)]
        return sizes


def _until(rows: Floats) -> Floats:
    return np.concatenate([np.zeros((len(rows), 1)), np.cumsum(rows, axis=1)], axis=1)


def _between(rows: Floats, until: Floats, row: Ints, start_h: Floats, end_h: Floats) -> Floats:
    return _integral(rows, until, row, end_h) - _integral(rows, until, row, start_h)


def _integral(rows: Floats, until: Floats, row: Ints, hour: Floats) -> Floats:
    days = np.floor(hour / DAY_H)
    rest = hour - days * DAY_H
    whole = np.minimum(rest.astype(np.int64), DAY_H - 1)
    found: Floats = days * until[row, -1] + until[row, whole] + (rest - whole) * rows[row, whole]
    return found
