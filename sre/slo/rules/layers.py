"""An SLI as two PromQL expressions, bad and total events in a window, and the series that must be recorded for them.

This is `SliEvents` said in PromQL. Counters are counted from raw samples. Gauges cannot be compared with a threshold
inside a range, so their verdicts are recorded at each evaluation and summed; slices are recorded once per slice. Hence
gauges and slices know nothing from before the rules were loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from sre.slo.model import JointSli, Op, RatioSli, RawSli, Slo, ThresholdSli
from sre.slo.rules.durations import duration
from sre.slo.rules.model import Group, Recording, RuleOptions
from sre.slo.rules.numbers import number
from sre.slo.rules.promql import counted, now, sampled

_PROMQL: dict[Op, str] = {"lte": "<=", "gte": ">=", "lt": "<", "gt": ">"}
OPPOSITE: dict[Op, str] = {"lte": ">", "gte": "<", "lt": ">=", "gt": "<="}
ROUNDING = "(1 - 1e-9)"  # as sre.slo.alerts: a burn of exactly the factor must count as reached


@dataclass(frozen=True, slots=True)
class Layer:
    """`total(w)` has no element without data; `bad(w, t)` gets the name under which the total was recorded, and may
    leave the guard against absent totals to it. `groups` record what both read; `raw`: they read counters directly.
    `others` are further ratios that the same events must meet (`joint.py`): then `bad` is the first one's alone."""

    total: Callable[[float], str]
    bad: Callable[[float, str], str]
    groups: tuple[Group, ...] = ()
    raw: bool = False
    others: tuple[Layer, ...] = ()


def layer_of(slo: Slo, options: RuleOptions) -> Layer:
    """The events of any SLI by any budgeting method."""
    base = _base(slo, options)
    return base if slo.method == "Occurrences" else _slices(slo, base, options)


def identity(slo: Slo) -> tuple[tuple[str, str], ...]:
    """The labels that every recorded series of the SLO has."""
    return (("slo", slo.name), ("service", slo.service))


def _base(slo: Slo, options: RuleOptions) -> Layer:
    match slo.sli:
        case RatioSli(counter=True) as sli:
            return _counters(sli, options)
        case RatioSli() as sli:
            return _deltas(sli, options)
        case JointSli(slis=slis):
            first, *others = (_counters(one, options) for one in slis)
            return replace(first, others=tuple(others))
        case ThresholdSli() as sli:
            return _threshold(slo, sli, options)
        case RawSli() as sli:
            return _raw(slo, sli, options)


def _counters(sli: RatioSli, options: RuleOptions) -> Layer:
    def total(window_s: float) -> str:
        return counted(sli.total, window_s, options)

    def bad(window_s: float, recorded: str) -> str:
        side = counted(sli.bad or sli.good, window_s, options)
        if sli.bad:
            return f"({side} or vector(0))\nand on () {recorded}"
        return f"clamp_min(\nsum({recorded})\n-\n({side}{_no_good_yet(sli, options)}),\n0\n)"

    return Layer(total, bad, raw=True)


def _no_good_yet(sli: RatioSli, options: RuleOptions) -> str:
    """0 good events, if the metric exists under other labels; a name that nobody exposes is no data, not an outage.

    Neither is a bucket that nobody exposes: its histogram brings all of its buckets or none.
    """
    if any(matcher.label == "le" for selector in sli.good for matcher in selector.matchers):
        return ""
    known = [name for selector in sli.good for name in options.names(selector.name)]
    return f" or 0 * sum({' or '.join(known)})"


def _deltas(sli: RatioSli, options: RuleOptions) -> Layer:
    def total(window_s: float) -> str:
        return sampled(sli.total, "sum_over_time", window_s, options)

    def bad(window_s: float, recorded: str) -> str:
        side = sampled(sli.bad or sli.good, "sum_over_time", window_s, options)
        if sli.bad:
            return f"({side} or vector(0))\nand on () {recorded}"
        return f"clamp_min(sum({recorded}) - ({side} or vector(0)), 0)"

    return Layer(total, bad, raw=True)


def _threshold(slo: Slo, sli: ThresholdSli, options: RuleOptions) -> Layer:
    gauge = now(sli.metric, options)
    known = f"count({gauge} == {gauge})"  # NaN equals nothing, itself included
    failing = f"(count({gauge} {OPPOSITE[sli.op]} {number(sli.value)}) or vector(0)) and on () {known}"
    return _samples(slo, failing, known, options)


def _raw(slo: Slo, sli: RawSli, options: RuleOptions) -> Layer:
    ratio = f"clamp({now(sli.ratio, options)}, 0, 1)"
    share = ratio if sli.failure else f"1 - {ratio}"
    return _samples(slo, f"sum({share} >= 0)", f"count({ratio} >= 0)", options)


def _samples(slo: Slo, failing: str, known: str, options: RuleOptions) -> Layer:
    """Each series is one event at each evaluation of the group."""
    total = Recording("slo:samples:count", known, identity(slo))
    bad = Recording("slo:samples_bad:sum", failing, identity(slo))
    group = Group(f"slo-{slo.name}-samples", options.interval_s, (total, bad))
    return Layer(
        total=lambda window_s: f"sum(sum_over_time({total.selector}[{duration(window_s)}]))",
        bad=lambda window_s, _: f"sum(sum_over_time({bad.selector}[{duration(window_s)}]))",
        groups=(group,),
    )


def _slices(slo: Slo, base: Layer, options: RuleOptions) -> Layer:
    """Each slice is one event, recorded as it ends: 0 or 1, or its error ratio."""
    length_s = options.clock.compress(slo.slice_s or 0.0)
    labels = identity(slo)
    total = Recording("slo:slice_total:increase", base.total(length_s), labels)
    bad = Recording("slo:slice_bad:increase", base.bad(length_s, total.selector), labels)
    ratio = f"sum({bad.selector}) / (sum({total.selector}) > 0)"
    if slo.method == "Timeslices":
        allowed = number(1 - (slo.slice_target if slo.slice_target is not None else slo.target))
        ratio = f"({ratio}) > bool {allowed} + 1e-9"  # as sre.slo.slices: exactly the slice's target is good
    if slo.no_data != "ignore":
        # watched and idle is good in either case; blind is what the policy says
        ratio = f"({ratio})\nor\nsum(0 * {total.selector})\nor\nvector({1 if slo.no_data == 'bad' else 0})"
    error = Recording("slo:slice_error:ratio", ratio, labels)
    group = Group(f"slo-{slo.name}-slices", length_s, (total, bad, error))
    return Layer(
        total=lambda window_s: f"sum(count_over_time({error.selector}[{duration(window_s)}]))",
        bad=lambda window_s, _: f"sum(sum_over_time({error.selector}[{duration(window_s)}]))",
        groups=(*base.groups, group),
    )
