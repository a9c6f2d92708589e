"""The recorded series of one SLO: events, error ratio and burn in every window, the period's budget, what the SLO is.

Names are `slo:<what>:<how>`; the window is a label, so that one query shows them all. Ratios are sum(bad) / sum(total)
in the window. The period's ratio is summed from increments over touching short windows, weighted by traffic as it
should be: a range query over the counters themselves would read a month of samples of every series at each evaluation.
"""

from __future__ import annotations

from sre.slo.model import BurnTier, Slo
from sre.slo.rules.durations import duration
from sre.slo.rules.joint import CRITERION_BAD, CRITERION_TOTAL, PERIOD_CRITERION_BAD, PERIOD_CRITERION_TOTAL, criteria
from sre.slo.rules.layers import Layer, identity
from sre.slo.rules.model import Group, Recording, RuleOptions
from sre.slo.rules.numbers import number

TOTAL, BAD = "slo:total_events:increase", "slo:bad_events:increase"
RATIO, BURN = "slo:error_ratio:ratio", "slo:burn_rate:ratio"
RATE, CURRENT = "slo:total_events:rate", "slo:current_burn_rate:ratio"
OBJECTIVE, BUDGET, PERIOD, FACTOR = (
    "slo:objective:ratio",
    "slo:error_budget:ratio",
    "slo:period:seconds",
    "slo:tier:factor",
)
PERIOD_BAD, PERIOD_TOTAL = "slo:period_bad_events:increase", "slo:period_total_events:increase"
PERIOD_RATIO, PERIOD_BURN = "slo:period_error_ratio:ratio", "slo:period_burn_rate:ratio"
REMAINING, INFO = "slo:error_budget_remaining:ratio", "slo_info"


def recorded(slo: Slo, name: str, window_s: float | None = None) -> str:
    """The selector of a recorded series."""
    labels = identity(slo) if window_s is None else (*identity(slo), ("window", duration(window_s)))
    return Recording(name, "", labels).selector


def windows_of(tiers: tuple[BurnTier, ...]) -> tuple[float, ...]:
    """Every window that a tier needs, shortest first."""
    return tuple(sorted({window for tier in tiers for window in (tier.long_s, tier.short_s)}))


def window_recordings(slo: Slo, layer: Layer, tiers: tuple[BurnTier, ...]) -> tuple[Recording, ...]:
    """Events, error ratio and burn over each window; then the rate of events and the burn of the shortest one."""
    windows = windows_of(tiers)
    found = [rule for window_s in windows for rule in _window(slo, layer, window_s)]
    shortest = windows[0]
    found += [
        Recording(RATE, f"{recorded(slo, TOTAL, shortest)} / {number(shortest)}", identity(slo)),
        Recording(CURRENT, f"sum({recorded(slo, BURN, shortest)})", identity(slo)),
    ]
    return tuple(_without_window(rule) for rule in found)


def _window(slo: Slo, layer: Layer, window_s: float) -> tuple[Recording, ...]:
    labels = (*identity(slo), ("window", duration(window_s)))
    total = Recording(TOTAL, layer.total(window_s), labels)
    parts: tuple[Recording, ...] = ()
    if layer.others:
        joint = criteria(layer, total, window_s, (CRITERION_TOTAL, CRITERION_BAD))
        parts = joint.recordings
        bad = Recording(BAD, joint.most_bad(lambda rule: f"sum({rule.selector})"), labels)
    else:
        bad = Recording(BAD, layer.bad(window_s, total.selector), labels)
    ratio = Recording(RATIO, f"{bad.selector}\n/\n({total.selector} > 0)", labels)
    return total, *parts, bad, ratio, Recording(BURN, f"{ratio.selector} / {number(slo.budget)}", labels)


def _without_window(rule: Recording) -> Recording:
    """A rule that has no window of its own must not inherit one from what it reads."""
    if rule.name != RATE:
        return rule
    return Recording(rule.name, f"sum({rule.expr})", rule.labels)


def period_group(slo: Slo, layer: Layer, *, tiers: tuple[BurnTier, ...], options: RuleOptions) -> Group | None:
    """The budget of a rolling period. None for a calendar window: PromQL has no range that begins on a date."""
    if slo.calendar is not None:
        return None
    step_s = windows_of(tiers)[0]
    steps: tuple[Recording, ...]
    labels = identity(slo)
    period = duration(options.clock.compress(slo.period_s))
    if layer.raw:
        steps, bad_sum, total_sum = _summed_steps(layer, step_s, labels, period)
    else:
        steps = ()
        period_s = options.clock.compress(slo.period_s)
        bad_sum, total_sum = layer.bad(period_s, ""), layer.total(period_s)
    ratio = Recording(PERIOD_RATIO, f"{bad_sum}\n/\n({total_sum} > 0)", labels)
    burn = Recording(PERIOD_BURN, f"{ratio.selector} / {number(slo.budget)}", labels)
    left = Recording(REMAINING, f"1 - {burn.selector}", labels)
    return Group(f"slo-{slo.name}-period", step_s, (*steps, ratio, burn, left))


def _summed_steps(
    layer: Layer, step_s: float, labels: tuple[tuple[str, str], ...], period: str
) -> tuple[tuple[Recording, ...], str, str]:
    """(what to record each step, bad events of the period, its total)."""

    def summed(rule: Recording) -> str:
        return f"sum(sum_over_time({rule.selector}[{period}]))"

    total = Recording(PERIOD_TOTAL, layer.total(step_s), labels)
    if layer.others:
        joint = criteria(layer, total, step_s, (PERIOD_CRITERION_TOTAL, PERIOD_CRITERION_BAD))
        return (total, *joint.recordings), joint.most_bad(summed), summed(total)
    bad = Recording(PERIOD_BAD, layer.bad(step_s, total.selector), labels)
    return (total, bad), summed(bad), summed(total)


def metadata_recordings(slo: Slo, tiers: tuple[BurnTier, ...], options: RuleOptions) -> tuple[Recording, ...]:
    """What the SLO promises, as series: a dashboard draws thresholds from them instead of repeating numbers."""
    labels = identity(slo)
    period_s = options.clock.compress(slo.period_s)
    facts = [
        Recording(OBJECTIVE, f"vector({number(slo.target)})", labels),
        Recording(BUDGET, f"vector({number(slo.budget)})", labels),
        Recording(PERIOD, f"vector({number(period_s)})", labels),
    ]
    facts += [Recording(FACTOR, f"vector({number(tier.factor)})", (*labels, ("tier", tier.name))) for tier in tiers]
    described = (
        *labels,
        ("title", slo.title),
        ("target", f"{number(slo.target * 100)}%"),
        ("period", duration(slo.period_s)),
        ("method", slo.method),
        ("drill_clock", number(options.clock.factor)),
    )
    return (*facts, Recording(INFO, "vector(1)", described))
