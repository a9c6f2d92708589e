"""One SLO's tiers evaluated over history, by our own windows (`events`) or as a Prometheus would evaluate the rules.

Event curves are looked up once on the evaluation grid, carried back by the longest window. On that grid a window is the
difference of two entries, so a month of a minute's steps costs the same for every condition, however busy the counters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sre.errors import NoData, SreError
from sre.metrics.model import FloatArray, SampleSource, Selector, Series
from sre.slo.alerts import firing, runs
from sre.slo.backtest.model import Plan
from sre.slo.backtest.promql import promql_burns
from sre.slo.burn import Counts, Lookup, SliEvents, TierBurn, burn_curves
from sre.slo.events import slo_events
from sre.slo.model import BurnTier, RatioSli, Slo
from sre.slo.prometheus_windows import PROMETHEUS_2, PROMETHEUS_3, CounterWindows, RangeConvention
from sre.slo.tiers import tiers_of

_RULES: Mapping[str, RangeConvention] = {rule.name: rule for rule in (PROMETHEUS_2, PROMETHEUS_3)}
_MOST_EVALUATIONS = 20_000_000
_LOOKBACK_S = (
    600.0  # how far before the first window the base of a counter is looked for: a few scrapes of any interval
)
_EDGE_S = 0.002
BurnsOf = Callable[[Sequence[BurnTier]], tuple[TierBurn, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """What one SLO's tiers did. `holds[i]` is whether `tiers[i]` fired at each of `times`.

    `events` are the SLI's own event curves, of which the budget is counted whatever convention the alerts follow.
    """

    slo: Slo
    times: FloatArray
    events: SliEvents
    first_sample: float
    tiers: tuple[BurnTier, ...]
    skipped: tuple[tuple[BurnTier, str], ...]
    burns: tuple[TierBurn, ...]
    holds: tuple[NDArray[np.bool_], ...]


def evaluation_times(plan: Plan) -> FloatArray:
    """start + step, start + 2 step ... up to and including the end. Raises SreError for a range without any."""
    if not plan.step_s > 0:
        raise SreError(f"--step is {plan.step_s:g} s: give a positive number of seconds")
    count = int((plan.end - plan.start) / plan.step_s + 1e-9)
    if count < 1:
        raise SreError(
            f"nothing to replay: {plan.end - plan.start:g} s from start to end hold no step of {plan.step_s:g} s: "
            "mend --start, --end or --step"
        )
    if count > _MOST_EVALUATIONS:
        raise SreError(f"{count:,} evaluations are more than {_MOST_EVALUATIONS:,}: choose a longer --step")
    return _spaced(plan.start, plan.step_s, 1, count + 1)


def replay(source: SampleSource, slo: Slo, plan: Plan) -> Replay:
    """Evaluate the SLO's tiers over the plan. Raises NoData when the source has nothing to say, SreError for a plan
    that cannot work: a step longer than a short window, or a history shorter than every window."""
    times = evaluation_times(plan)
    tiers = tiers_of(slo) if plan.tiers is None else plan.tiers
    check_step(slo, tiers, plan)
    data = Data.read(source, slo, plan, back_s=max(plan.clock.compress(tier.long_s) for tier in tiers))
    usable, skipped = data.usable(tiers)
    if not usable:
        raise SreError(
            f"{slo.name}: every window is longer than the history of {lasting(data.history_s)}: replay a longer "
            "history, or compress the windows with --drill-clock"
        )
    burns = data.burns_of(times, usable)(usable)
    return Replay(
        slo=slo,
        times=times,
        events=data.events,
        first_sample=data.first_sample,
        tiers=usable,
        skipped=skipped,
        burns=burns,
        holds=tuple(alerting(burn) for burn in burns),
    )


def _spaced(start: float, step_s: float, first: int, end: int) -> FloatArray:
    """Evenly spaced times, in whole milliseconds as samples are: sums of floats would miss a sample on the dot."""
    return np.round(start + step_s * np.arange(first, end, dtype=np.float64), 3)


def check_step(slo: Slo, tiers: Sequence[BurnTier], plan: Plan) -> None:
    """Raises SreError when an evaluation could skip over a whole short window."""
    if not tiers:
        raise SreError(f"{slo.name}: has no alert tier: add an alert policy, or leave them all out for the workbook's")
    shortest = min(tiers, key=lambda tier: tier.short_s)
    window = plan.clock.compress(shortest.short_s)
    if plan.step_s > window:
        raise SreError(
            f"{slo.name}: the step of {plan.step_s:g} s is longer than the short window of {shortest.name}, "
            f"{window:g} s: give --step {window:g} or less"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """An SLO's samples over a plan, loaded once: tiers can then be evaluated as often as a search likes."""

    slo: Slo
    plan: Plan
    events: SliEvents
    first_sample: float
    groups: tuple[list[Series], list[Series]] | None

    @classmethod
    def read(cls, source: SampleSource, slo: Slo, plan: Plan, *, back_s: float) -> Data:
        """Everything from `back_s` before the plan's start on."""
        begin = plan.start - back_s
        events = slo_events(source, slo, start=begin, end=plan.end, lookback_s=_LOOKBACK_S)
        if events.total.times.size == 0 or events.total.within(np.array([plan.start]), np.array([plan.end]))[0] <= 0:
            raise NoData(f"{source.name} holds no event of {slo.name} between start and end: check --start and --end")
        groups = None
        if plan.convention != "events":
            groups = _counters(source, slo, begin, plan)
        return cls(slo, plan, events, float(events.total.times[0]), groups)

    @property
    def history_s(self) -> float:
        """From the first sample to the end of the plan."""
        return self.plan.end - self.first_sample

    def usable(self, tiers: Sequence[BurnTier]) -> tuple[tuple[BurnTier, ...], tuple[tuple[BurnTier, str], ...]]:
        """(tiers whose long window the history can fill, the others with the reason)."""
        kept, skipped = [], []
        for tier in tiers:
            window = self.plan.clock.compress(tier.long_s)
            # a scrape interval may be missing at the very start of a history that was made to fit
            if window <= self.history_s + self.plan.step_s:
                kept.append(tier)
            else:
                skipped.append(
                    (tier, f"its window of {lasting(window)} is longer than the history, {lasting(self.history_s)}")
                )
        return tuple(kept), tuple(skipped)

    def burns_of(self, times: FloatArray, tiers: Sequence[BurnTier]) -> BurnsOf:
        """A function from tiers to their burn at `times`; the windows of `tiers` are made cheap."""
        clock = self.plan.clock
        windows = sorted({clock.compress(w) for tier in tiers for w in (tier.long_s, tier.short_s)})
        if self.groups is not None:
            counters = CounterWindows(self.groups, times, _RULES[self.plan.convention], windows_s=windows)
            return partial(promql_burns, counters, self.slo, times, clock)
        events = on_grid(self.events, times, windows)
        return lambda asked: burn_curves(events, asked, times, budget=self.slo.budget, clock=clock)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class GridEvents(SliEvents):
    """Events looked up once at evenly spaced times: what they say at a run of those times is a slice."""

    inner: SliEvents
    grid: FloatArray
    looked: Lookup

    def at(self, times: FloatArray) -> Lookup:
        """What the curves say at a run of grid times; elsewhere it is looked up."""
        step = float(self.grid[1] - self.grid[0])
        first = round((float(times[0]) - float(self.grid[0])) / step) if times.size else 0
        run = slice(first, first + times.size)
        part = self.grid[run] if first >= 0 else self.grid[:0]
        if part.size != times.size or (times.size and max(abs(part[0] - times[0]), abs(part[-1] - times[-1])) > 1e-4):
            return self.inner.at(times)
        parts = tuple(one[run] for one in self.looked.parts)
        return Lookup(bad=self.looked.bad[run], total=self.looked.total[run], parts=parts)

    def counts(self, start: Lookup, end: Lookup) -> Counts:
        return self.inner.counts(start, end)


def on_grid(events: SliEvents, times: FloatArray, windows_s: Sequence[float]) -> SliEvents:
    """`events` made cheap for windows of these lengths that end at `times`, evenly spaced; answers are equal."""
    if times.size < 2:
        return events
    step = float(times[1] - times[0])
    back = max((round(w / step) for w in windows_s if abs(w / step - round(w / step)) < 1e-9), default=0)
    grid = _spaced(float(times[0]), round(step, 3), -back, times.size)
    return GridEvents(events.bad, events.total, events.bad_least, inner=events, grid=grid, looked=events.at(grid))


def _counters(source: SampleSource, slo: Slo, begin: float, plan: Plan) -> tuple[list[Series], list[Series]]:
    """(bad or good, total) counters. A window that takes its start in may need the sample on it, hence the margin."""
    sli = slo.sli
    if not isinstance(sli, RatioSli) or not sli.counter or slo.method != "Occurrences":
        raise SreError(
            f"{slo.name}: --convention {plan.convention} emulates rules over counters (one ratioMetric with counter: "
            "true, Occurrences, no sre/also-good): use --convention events"
        )

    def read(selectors: Sequence[Selector]) -> list[Series]:
        return [one for selector in selectors for one in source.series(selector, start=begin - _EDGE_S, end=plan.end)]

    return read(sli.bad or sli.good), read(sli.total)


def alerting(burn: TierBurn) -> NDArray[np.bool_]:
    """Whether the tier's alert fires at each time: its condition, once it has held for the tier's `for_s`."""
    condition = firing(burn)
    if burn.for_s <= 0:
        return condition
    fires = np.zeros_like(condition)
    for first, end in runs(condition, burn.curve.times, burn.for_s):
        fires[first:end] = True
    return fires


def lasting(seconds: float) -> str:
    """A length of time in a word or two: `3 d`, `1.25 min`."""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"
