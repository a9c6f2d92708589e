"""Synthetic histories for the generated tests: phases of constant traffic with a constant share of bad events.

Samples lie on a grid that none of the windows is a multiple of, so that no sample ever stands on a window's edge:
Prometheus 2.x and 3.x, which cut ranges differently there, then see the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sre.metrics.model import FloatArray, Selector, Series, SeriesId
from sre.metrics.selector import series_filter
from sre.slo.model import JointSli, RatioSli, RawSli, Slo, ThresholdSli
from sre.slo.rules.examples import one_series, roles
from sre.slo.rules.model import RuleOptions
from sre.slo.rules.promql import spelt

EVENTS = 100_000  # a scrape: so many that a hundredth of a per cent is still whole events
GAUGES = 20


@dataclass(frozen=True, slots=True)
class Phase:
    """`samples` scrapes, each with `events` events of which the share `bad` fails. Share 0 of gauges: all in bounds."""

    samples: int
    bad: float = 0.0
    events: float = EVENTS


@dataclass(frozen=True, slots=True)
class Grid:
    """Scrapes every `sample_s`; rules evaluated every `eval_s`, a multiple of it."""

    sample_s: float
    eval_s: float

    @property
    def ratio(self) -> int:
        return round(self.eval_s / self.sample_s)


@dataclass(frozen=True, slots=True, eq=False)
class Synthetic:
    """A series with what it does for the SLI; `start` is the index of its first sample (it is born there).

    `criterion` is the place of the ratio that counts it, where the SLI has several.
    """

    series: Series
    in_total: bool
    in_side: bool
    start: int = 0
    criterion: int = 0


def grid_for(windows: Sequence[float], short_s: float, slice_s: float | None) -> Grid:
    """About five evaluations in the short window, and two scrapes in every slice."""
    if slice_s is None:
        step = _off(windows, short_s / 4.7)
        return Grid(step, step)
    sample_s = _off([slice_s], slice_s / 2.6)
    per_eval = max(round(short_s / 4.7 / sample_s), 1)
    while any(_divides(per_eval * sample_s, window) for window in windows):
        per_eval += 1
    return Grid(sample_s, per_eval * sample_s)


def traffic(slo: Slo, phases: Sequence[Phase], grid: Grid, options: RuleOptions) -> tuple[Synthetic, ...] | None:
    """The series of an SLI over the phases; None when no labels were found that its selectors match."""
    events = np.concatenate([np.full(phase.samples, float(phase.events)) for phase in phases])
    shares = np.concatenate([np.full(phase.samples, phase.bad) for phase in phases])
    times = grid.sample_s * np.arange(events.size, dtype=np.float64)
    match slo.sli:
        case RatioSli() as sli:
            return _ratio(sli, times, events, np.rint(events * shares))
        case RawSli() as sli:
            chosen = one_series(sli.ratio)
            values = shares if sli.failure else 1 - shares
            return None if chosen is None else (Synthetic(Series(chosen, times, values), True, True),)
        case ThresholdSli() as sli:
            return _gauges(sli, times, shares)
        case JointSli(slis=slis):
            return _joint(slis, times, events, np.rint(events * shares))


def up_series(series: Sequence[Synthetic], length: int, grid: Grid) -> Series:
    """The scrape results of the synthetic series' target."""
    wanted = dict(series[0].series.id.labels)
    labels = tuple((name, wanted[name]) for name in ("instance", "job") if name in wanted)
    times = grid.sample_s * np.arange(length, dtype=np.float64)
    return Series(SeriesId("up", labels), times, np.ones(length))


def _ratio(sli: RatioSli, times: FloatArray, events: FloatArray, bad: FloatArray) -> tuple[Synthetic, ...] | None:
    found = roles(sli.total, sli.bad or sli.good)
    if found is None:
        return None
    side = bad if sli.bad else events - bad
    rest = events if found.apart else events - side
    if sli.counter:
        side, rest = _counter(side), _counter(rest)
    return (
        Synthetic(Series(found.side, times, side), in_total=not found.apart, in_side=True),
        Synthetic(Series(found.rest, times, rest), in_total=True, in_side=False),
    )


def _joint(
    slis: Sequence[RatioSli], times: FloatArray, events: FloatArray, bad: FloatArray
) -> tuple[Synthetic, ...] | None:
    """The bad events dealt out to the criteria, none twice; half of what the later ones get they do not see at all.

    None also when a series of one criterion would be counted by another.
    """
    found: list[Synthetic] = []
    for place, sli in enumerate(slis):
        part = np.floor((bad + len(slis) - 1 - place) / len(slis))
        unseen = np.floor(part / 2) if place else np.zeros_like(part)
        made = _ratio(sli, times, events - unseen, part - unseen)
        if made is None:
            return None
        found += [replace(one, criterion=place) for one in made]
    foreign = (s for one in found for place, sli in enumerate(slis) if place != one.criterion for s in _every(sli, one))
    return None if any(foreign) else tuple(found)


def _every(sli: RatioSli, one: Synthetic) -> Iterator[bool]:
    """Whether each of the ratio's selectors matches the series."""
    return (series_filter(selector)(one.series.id) for selector in (*sli.total, *sli.good, *sli.bad))


def _counter(increments: FloatArray) -> FloatArray:
    """Counters stand at 0 when they are first seen."""
    counted: FloatArray = np.concatenate([[0.0], np.cumsum(increments[1:])])
    return counted


def _gauges(sli: ThresholdSli, times: FloatArray, shares: FloatArray) -> tuple[Synthetic, ...] | None:
    """As many gauges out of bounds as the share asks for, rounded down."""
    chosen = one_series(sli.metric)
    if chosen is None:
        return None
    away = max(1.0, abs(sli.value))
    sign = 1.0 if sli.op in ("gte", "gt") else -1.0
    good, failing = sli.value + sign * away, sli.value - sign * away
    found = []
    for place in range(GAUGES):
        values = np.where(place < np.floor(shares * GAUGES + 1e-9), failing, good)
        labels = tuple(sorted({**dict(chosen.labels), "sre_series": str(place)}.items()))
        found.append(Synthetic(Series(SeriesId(chosen.name, labels), times, values), True, True))
    return tuple(found)


def notation(one: Synthetic) -> str:
    """promtool's short form: `0+100x59` is a start and 59 equal steps; `_x3` are three scrapes without the series."""
    values = one.series.values
    parts = [f"_x{one.start}"] if one.start else []
    index = 0
    while index < values.size:
        step = values[index + 1] - values[index] if index + 1 < values.size else 0.0
        end = index + 1
        while end < values.size and abs(values[end] - values[end - 1] - step) <= 1e-9 * max(1.0, abs(step)):
            end += 1
        parts.append(f"{_exact(values[index])}{'-' if step < 0 else '+'}{_exact(abs(step))}x{end - 1 - index}")
        index = end
    return " ".join(parts)


def newest(series: SeriesId, options: RuleOptions) -> str:
    """The series as promtool's input names it, under the name that exporters use today."""
    name = spelt(Selector(series.name), options)[0][0]
    labels = ",".join(f'{label}="{_escape(value)}"' for label, value in series.labels)
    return f"{name}{{{labels}}}"


def _exact(value: float) -> str:
    """All digits: a counter that loses its last one here would seem to restart."""
    return f"{float(value):.17g}" if value != int(value) else str(int(value))


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _off(windows: Sequence[float], near_s: float) -> float:
    """The grid step closest below `near_s` that divides none of the windows: whole seconds, milliseconds below 10 s."""
    unit = 1.0 if near_s >= 10 else 0.001
    count = max(int(near_s / unit), 1)
    while any(_divides(count * unit, window) for window in windows) and count > 1:
        count -= 1
    return count * unit


def _divides(step_s: float, window_s: float) -> bool:
    return round(window_s * 1000) % round(step_s * 1000) == 0
