"""Where the budget will stand at a later time, with a band, if the future is like the observed past.

Errors come in bursts, so a band from independent events (Poisson) would be far too narrow. Whole blocks of history are
drawn with replacement instead (block bootstrap: Kuensch 1989, Efron & Tibshirani 1993 chapter 8), days where there are
two weeks of them, else hours; good and bad events of a block stay together. Limits: an outage longer than a block, a
trend and the day of the week are not in it, and what never happened in the history cannot be drawn. When no error was
seen at all the upper end is the exact Poisson bound on none seen (-ln(1 - q), the "rule of three").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sre.metrics.model import FloatArray
from sre.slo.burn import SliEvents
from sre.slo.corrections import Correction, corrected
from sre.slo.exhaustion import rolling_path
from sre.slo.model import Slo
from sre.slo.observation import observation
from sre.slo.periods import period_at

HOUR_S, DAY_S = 3600.0, 86400.0
LEVEL = 0.8
_PATHS = 4000
_LEAST_DAYS, _LEAST_HOURS = 14, 24


@dataclass(frozen=True, slots=True)
class Forecast:
    """The spent share expected at `until`, and the band that holds it with probability `level` (None for `reason`).

    `spent` is None without events to go by. `chance_exhausted` is the share of drawn futures that end with the budget
    gone. For rolling windows the share is of the window's events then, for calendar ones of the whole period.
    """

    at: float
    until: float
    spent: float | None
    band: tuple[float, float] | None
    level: float
    method: str
    reason: str | None
    chance_exhausted: float | None


def forecast(
    slo: Slo,
    events: SliEvents,
    *,
    at: float,
    until: float | None = None,
    corrections: Sequence[Correction] = (),
    level: float = LEVEL,
    seed: int = 0,
) -> Forecast:
    """The budget at `until` (default: the calendar period's end, else a quarter of the rolling one from now).

    `events` as for `budget_status`. Equal inputs and seed give equal answers.
    """
    start, end = period_at(slo, at)
    horizon = (end if slo.calendar else at + slo.period_s / 4) if until is None else until
    if not horizon > at or (slo.calendar is not None and horizon > end):
        raise ValueError(f"a forecast ends after {at} and within the period, not at {horizon}")
    counted, _ = corrected(slo.name, events, corrections, start=start, end=at)
    observed = observation(events.total, start=start, end=at)
    bad, total = counted.between(start, at)
    if total <= 0 or observed.seconds <= 0:
        return Forecast(at, horizon, None, None, level, "none", "no events in the period so far", None)
    ahead_s = horizon - at
    rates = np.array([bad, total]) / observed.seconds
    expected = _spent_at(slo, counted, at, horizon, rates[None, :] * ahead_s)[0]
    blocks, block_s = _blocks(counted, start=start, at=at)
    if blocks is None:
        reason = f"{observed.seconds / HOUR_S:.3g} h of data: a band needs {_LEAST_HOURS} observed hours"
        return Forecast(at, horizon, float(expected), None, level, "mean rate", reason, None)
    drawn = _drawn(blocks, ahead_s / block_s, np.random.default_rng(seed))
    spent = _spent_at(slo, counted, at, horizon, drawn)
    tail = (1 - level) / 2
    low, high = np.quantile(spent, [tail, 1 - tail])
    if bad == 0:
        unseen = -math.log(tail) * rates[1] * ahead_s / total
        high = _spent_at(slo, counted, at, horizon, np.array([[unseen, rates[1] * ahead_s]]))[0]
    method = f"block bootstrap of {len(blocks)} {'days' if block_s == DAY_S else 'hours'}"
    chance = float((spent >= 1 - 1e-9).mean())
    return Forecast(at, horizon, float(expected), (float(low), float(high)), level, method, None, chance)


def _blocks(events: SliEvents, *, start: float, at: float) -> tuple[FloatArray | None, float]:
    """((n, 2) bad and total events of the observed blocks before `at`, block length); None: too few."""
    for block_s, least in ((DAY_S, _LEAST_DAYS), (HOUR_S, _LEAST_HOURS)):
        edges = at - block_s * np.arange(math.floor((at - start) / block_s + 1e-9), -1, -1)
        seen = np.diff(events.total.places(edges)) > 0
        bad, total = events.within(edges[:-1], edges[1:])
        if seen.sum() >= least:
            return np.stack([bad[seen], total[seen]], axis=1), block_s
    return None, HOUR_S


def _drawn(blocks: FloatArray, count: float, random: np.random.Generator) -> FloatArray:
    """(paths, 2) bad and total events of `count` blocks drawn with replacement; the last one in part."""
    n, whole = len(blocks), math.floor(count)
    times_drawn = random.multinomial(whole, np.full(n, 1 / n), size=_PATHS)
    last = blocks[random.integers(0, n, size=_PATHS)]
    drawn: FloatArray = times_drawn @ blocks + (count - whole) * last
    return drawn


def _spent_at(slo: Slo, events: SliEvents, at: float, until: float, new: FloatArray) -> FloatArray:
    """Spent share at `until` for each future (bad, total) in `new`, (n, 2)."""
    if slo.calendar is None:
        ahead_s = np.full(len(new), until - at)
        return rolling_path(slo, events, at=at, ahead_s=ahead_s, bad=new[:, 0], total=new[:, 1])
    start, end = period_at(slo, at)
    bad, total = events.between(start, at)
    unseen = (at - start) / observation(events.total, start=start, end=at).seconds
    rest = new[:, 1] * (end - at) / (until - at)
    spent: FloatArray = (bad + new[:, 0]) / (slo.budget * (total * unseen + rest))
    return spent
