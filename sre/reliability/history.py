"""Simulated failures of one unit over many months at once, as columns. Seeded by the unit's name.

The same unit fails at the same times in every option that has it (common random numbers), so that a difference between
two options is not noise of the draw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from sre.errors import SreError
from sre.reliability.durations import Floats
from sre.reliability.units import Threat, Unit

Ints = NDArray[np.int64]
_MOST_OUTAGES = 30_000_000
_BLOCK = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """An outage an entry: in which month, from when until when (hours of the month, cut at its end), by which fault of
    the book. `fresh`: it began within the month; the others were under way as the month began.
    """

    month: Ints
    start_h: Floats
    end_h: Floats
    cause: Ints
    fresh: NDArray[np.bool_]


class Histories:
    """Histories of units over one block of months, each drawn once: options share them."""

    def __init__(self, *, seed: int, months: int, hours: float, block: int = 0) -> None:
        self.seed = seed
        self.block = block
        self.months = months
        self.hours = hours
        self._drawn: dict[tuple[str, tuple[Threat, ...]], History] = {}

    def of(self, unit: Unit) -> History:
        """Drawn from a stream that depends on the seed and the unit's name alone."""
        place = (unit.key, unit.threats)
        if place not in self._drawn:
            rng = np.random.default_rng([self.seed, self.block, crc32(unit.key.encode())])
            self._drawn[place] = draw(unit.threats, rng, months=self.months, hours=self.hours)
        return self._drawn[place]

    def fork(self) -> Histories:
        """One that knows the units drawn so far; what it draws itself is forgotten with it."""
        forked = Histories(seed=self.seed, months=self.months, hours=self.hours, block=self.block)
        forked._drawn = dict(self._drawn)
        return forked

    def moments(self, name: str, a_month: float) -> tuple[Ints, Floats]:
        """Months and hours of planned events: so many a month on average, at uniform times."""
        rng = np.random.default_rng([self.seed, self.block, crc32(name.encode())])
        whole = int(a_month * self.hours / 720.0)
        counts = whole + (rng.random(self.months) < a_month * self.hours / 720.0 - whole)
        months = np.repeat(np.arange(self.months, dtype=np.int64), counts)
        return months, rng.uniform(0.0, self.hours, len(months))


def blocks_of(*, seed: int, months: int, hours: float) -> tuple[Histories, ...]:
    """All months, in blocks that fit into memory whatever fails how often."""
    sizes = [min(_BLOCK, months - begun) for begun in range(0, months, _BLOCK)]
    return tuple(Histories(seed=seed, months=size, hours=hours, block=n) for n, size in enumerate(sizes))


def draw(threats: Sequence[Threat], rng: np.random.Generator, *, months: int, hours: float) -> History:
    """`months` independent months of `hours` each, begun in the steady state: down with the probability
    r / (1 + r), r the sum of rate x mean duration over the threats.

    Raises SreError where the rates give more outages than fit into memory.
    """
    rates = np.array([threat.an_hour for threat in threats])
    _require_few(float(rates.sum()), threats, months, hours)
    down = rates * np.array([threat.duration.mean_h for threat in threats])
    month = np.arange(months, dtype=np.int64)
    now = np.zeros(months)
    struck = rng.random(months) < down.sum() / (1.0 + down.sum())
    parts: list[History] = []
    if struck.any():
        cause = _pick(rng, down, int(struck.sum()))
        left = _lasting(threats, cause, rng, is_new=False)
        parts.append(_entry(threats, month[struck], np.zeros(len(cause)), left, cause, hours, is_new=False))
        now[struck] = left
    while len(month):
        now = now + rng.exponential(1.0 / float(rates.sum()), len(month))
        going = now < hours
        month, now = month[going], now[going]
        cause = _pick(rng, rates, len(month))
        lasts = _lasting(threats, cause, rng, is_new=True)
        parts.append(_entry(threats, month, now, lasts, cause, hours, is_new=True))
        now = now + lasts
    return _joined(parts)


def _require_few(rate: float, threats: Sequence[Threat], months: int, hours: float) -> None:
    shortest = min(threat.duration.mean_h for threat in threats)
    expected = months * hours / (1.0 / rate + shortest)
    if expected > _MOST_OUTAGES:
        raise SreError(
            f"a unit that fails every {1 / rate:.3g} h has {expected:,.0f} outages in {months:,} months, more than the "
            f"{_MOST_OUTAGES:,} that are simulated: give fewer --months, or lower the rates"
        )


def _pick(rng: np.random.Generator, weights: Floats, count: int) -> Ints:
    edges = np.cumsum(weights) / weights.sum()
    return np.minimum(np.searchsorted(edges, rng.random(count), side="right"), len(weights) - 1).astype(np.int64)


def _lasting(threats: Sequence[Threat], cause: Ints, rng: np.random.Generator, *, is_new: bool) -> Floats:
    lasts = np.zeros(len(cause))
    for place, threat in enumerate(threats):
        own = np.flatnonzero(cause == place)
        drawn = threat.duration.sample if is_new else threat.duration.residual
        lasts[own] = drawn(rng, len(own))
    return lasts


def _entry(
    threats: Sequence[Threat], month: Ints, start: Floats, lasts: Floats, cause: Ints, hours: float, *, is_new: bool
) -> History:
    causes = np.array([threat.cause for threat in threats], dtype=np.int64)[cause]
    return History(month, start, np.minimum(start + lasts, hours), causes, np.full(len(month), is_new))


def _joined(parts: Sequence[History]) -> History:
    return History(
        np.concatenate([part.month for part in parts]),
        np.concatenate([part.start_h for part in parts]),
        np.concatenate([part.end_h for part in parts]),
        np.concatenate([part.cause for part in parts]),
        np.concatenate([part.fresh for part in parts]),
    )
