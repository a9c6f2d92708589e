"""promtool unit tests for the generated rules: each alert fires, stays silent, holds back and resets when it should.

One file a tier, because promtool has one evaluation interval a file: a three-day window is tested in hours-long steps,
an hour's in minutes. What must happen comes from `expectation.py`; times are the first and last at which it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sre.metrics.model import Series
from sre.slo.model import BurnTier, RatioSli, Slo, ThresholdSli, ratios_of
from sre.slo.rules.durations import duration
from sre.slo.rules.expansion import expanded
from sre.slo.rules.expectation import Expected, expected
from sre.slo.rules.model import AlertRule, RuleOptions, RuleSet
from sre.slo.rules.numbers import number
from sre.slo.rules.recordings import windows_of
from sre.slo.rules.scenario import GAUGES, Grid, Phase, Synthetic, grid_for, newest, notation, traffic, up_series
from sre.slo.rules.text import header, to_yaml
from sre.slo.tiers import detection_time_s

_BELOW = (0.9, 0.89, 0.88)  # of the factor: what must not fire; the first whose figures round the same everywhere


@dataclass(frozen=True, slots=True)
class _Case:
    """What the tests of one tier are about; windows as the rules have them."""

    rules: RuleSet
    tier: BurnTier
    grid: Grid
    options: RuleOptions

    @property
    def slo(self) -> Slo:
        return self.rules.slo

    def scrapes(self, seconds: float) -> int:
        """Scrapes that cover `seconds`, in whole evaluations."""
        return (int(seconds / self.grid.eval_s) + 1) * self.grid.ratio


@dataclass(frozen=True, slots=True)
class UnitTests:
    """Texts by file name, one a tier, and a note for each tier that is not shown firing."""

    files: dict[str, str]
    notes: tuple[str, ...]


def unit_tests(rules: RuleSet, options: RuleOptions, *, rules_file: str) -> UnitTests:
    """The tests of one SLO; none when no series was found that its selectors match."""
    files, notes = {}, []
    for place, tier in enumerate(rules.tiers):
        slice_s = options.clock.compress(rules.slo.slice_s or 0.0) if rules.slo.method != "Occurrences" else None
        grid = grid_for(windows_of(rules.tiers), tier.short_s, slice_s)
        case = _Case(rules, tier, grid, options)
        burning = _burning(case)
        if burning is None:
            notes.append(f"{rules.slo.name}: no promtool test shows tier {tier.name} firing: no scenario was found")
        groups = _groups(case, burning, fastest=place == 0)
        data = {
            "rule_files": [rules_file],
            "evaluation_interval": duration(grid.eval_s),
            "group_eval_order": [group.name for group in rules.groups],
            "tests": groups,
        }
        files[f"{rules.slo.name}.{tier.name}.yaml"] = header([rules.slo.path], options) + to_yaml(data)
    return UnitTests(files, tuple(notes))


def _groups(case: _Case, burning: dict[str, Any] | None, *, fastest: bool) -> list[dict[str, Any]]:
    found = [burning, _just_below(case), _low_traffic(case)]
    if fastest:
        found += [_born_with_the_first_error(case), _nothing_there(case)]
    return [group for group in found if group is not None]


def _ratio_at(case: _Case, times_factor: float) -> float:
    """The share of bad events that burns at `times_factor` times the tier's factor; slices are bad or not."""
    slo = case.slo
    if slo.method == "Timeslices":
        allowed = 1 - (slo.slice_target if slo.slice_target is not None else slo.target)
        return 1.0 if times_factor > 1 else allowed * times_factor
    return min(case.tier.factor * slo.budget * times_factor, 1.0)


def _burning(case: _Case) -> dict[str, Any] | None:
    """Clean, then bad at twice the factor until well after the alert, then clean until it is over."""
    tier, slo = case.tier, case.slo
    ratio = max(_ratio_at(case, 2.0), _enough(case))
    if isinstance(slo.sli, ThresholdSli):
        ratio = np.ceil(ratio * GAUGES - 1e-9) / GAUGES
    burn = 1.0 if slo.method == "Timeslices" else ratio
    waits = detection_time_s(replace(tier, for_s=0.0), error_ratio=burn, budget=slo.budget)
    if waits is None:
        return None
    clean = case.scrapes(tier.long_s)
    guarded = tier.min_bad_events / ratio * case.grid.eval_s if _enough(case) else 0.0
    lasting = max(waits, guarded) + tier.for_s + tier.short_s
    phases = [Phase(clean), Phase(case.scrapes(lasting), ratio), Phase(case.scrapes(2.5 * tier.short_s))]
    series = traffic(slo, phases, case.grid, case.options)
    if series is None:
        return None
    tiers = expected(case.rules, series, case.grid, case.options)
    ours = next(one for one in tiers if one.tier == tier)
    first, last = ours.first(), ours.last()
    if first is None or last is None or last >= ours.times[-1]:
        return None
    step = case.grid.eval_s
    begins = clean * case.grid.sample_s
    name = (
        f"{tier.name}: {number(round(ratio * 100, 6))} % bad from {duration(begins)} on fires at {duration(first)} "
        f"(closed form: after {duration(round(waits + tier.for_s))}), is over at {duration(last + step)}"
    )
    times = [begins, first - step, first, last, last + step]
    return _group(
        case, name, series, [_told(case, tiers, at) for at in sorted(set(times)) if _is_stable(case, tiers, at)]
    )


def _enough(case: _Case) -> float:
    """The share of bad events from which the coarse grid of a test holds as many as the guard asks for.

    A ratio and a slice are one event an evaluation: here some fifty in the long window, in production thousands.
    """
    gauges = case.slo.method == "Occurrences" and isinstance(case.slo.sli, ThresholdSli)
    if gauges or _is_counted(case.slo):
        return 0.0
    return min(4 * case.tier.min_bad_events * case.grid.eval_s / case.tier.long_s, 1.0)


def _is_counted(slo: Slo) -> bool:
    ratios = ratios_of(slo.sli)
    return slo.method == "Occurrences" and bool(ratios) and all(ratio.counter for ratio in ratios)


def _just_below(case: _Case) -> dict[str, Any] | None:
    """Nine tenths of the factor, for longer than the long window."""
    found = (_constant(case, _ratio_at(case, share)) for share in _BELOW)
    return next((group for group in found if group is not None), None)


def _constant(case: _Case, ratio: float) -> dict[str, Any] | None:
    tier = case.tier
    phases = [Phase(case.scrapes(tier.short_s)), Phase(case.scrapes(1.3 * tier.long_s), ratio)]
    series = traffic(case.slo, phases, case.grid, case.options)
    if series is None:
        return None
    tiers = expected(case.rules, series, case.grid, case.options)
    ours = next(one for one in tiers if one.tier == tier)
    settled = ours.times[ours.times > case.tier.long_s]
    asked = (float(settled[0]), float(settled[-1]))
    if ours.firing.any() or not all(_is_stable(case, tiers, at) for at in asked):
        return None
    name = f"{tier.name}: {number(round(ratio * 100, 6))} % bad, just below the threshold, never fires"
    return _group(case, name, series, [_told(case, tiers, at) for at in asked])


def _low_traffic(case: _Case) -> dict[str, Any] | None:
    """So few events that one bad one is above the factor: the guard waits for as many as it asks for."""
    tier, slo = case.tier, case.slo
    if not _is_counted(slo) or tier.min_bad_events < 2:
        return None
    scrapes = case.scrapes(tier.long_s)
    # a binary fraction: its sums are exact, so that no rounding looks like a counter's reset
    events = np.ceil(max(0.5 / (tier.factor * slo.budget), tier.min_bad_events + 1) / scrapes * 1024) / 1024
    quiet = [Phase(scrapes, 0.0, events)]
    # a phase of one scrape with whole bad events, while everything else trickles
    bad = tier.min_bad_events - 1
    phases = [*quiet, Phase(1, 1.0, bad), Phase(case.scrapes(tier.short_s / 2), 0.0, events), Phase(1, 1.0, bad + 1)]
    series = traffic(slo, [*phases, Phase(case.scrapes(tier.short_s / 2), 0.0, events)], case.grid, case.options)
    if series is None:
        return None
    tiers = expected(case.rules, series, case.grid, case.options)
    ours = next(one for one in tiers if one.tier == tier)
    first = ours.first()
    alone = scrapes * case.grid.sample_s
    held = ours.value[round(alone / case.grid.eval_s)]
    if first is None or first <= alone + case.grid.eval_s or not held >= tier.factor:
        return None
    name = f"{tier.name}: {bad} bad of few events burn {held:.0f} times too fast and are not told; with more it fires"
    return _group(case, name, series, [_told(case, tiers, at) for at in (alone, first - case.grid.eval_s, first)])


def _born_with_the_first_error(case: _Case) -> dict[str, Any] | None:
    """The labelled series appears with all its errors in one scrape and never grows: `increase` alone sees none."""
    tier, slo = case.tier, case.slo
    sli = slo.sli
    if slo.method != "Occurrences" or not isinstance(sli, RatioSli) or not sli.counter or not sli.bad:
        return None
    before, after = case.scrapes(tier.long_s) + case.grid.ratio, case.scrapes(tier.short_s / 2)
    whole = traffic(slo, [Phase(before), Phase(1, 1.0), Phase(after)], case.grid, case.options)
    if whole is None:
        return None
    series = tuple(_appearing(one, before) if one.in_side else one for one in whole)
    tiers = expected(case.rules, series, case.grid, case.options)
    ours = next(one for one in tiers if one.tier == tier)
    first = ours.first()
    if first is None:
        return None
    name = f"{tier.name}: a series born with its errors counts, at {duration(first)}"
    return _group(case, name, series, [_told(case, tiers, at) for at in (first - case.grid.eval_s, first)])


def _appearing(one: Synthetic, start: int) -> Synthetic:
    series = Series(one.series.id, one.series.times[start:], one.series.values[start:])
    return replace(one, series=series, start=start)


def _nothing_there(case: _Case) -> dict[str, Any] | None:
    """Another exporter is scraped, ours is not there: no burn, but a ticket that says so."""
    absent = next(alert for alert in case.rules.alerts if alert.tier is None)
    burn = next(alert for alert in case.rules.alerts if alert.tier is not None)
    steps = int(np.ceil(absent.for_s / case.grid.eval_s - 1e-9))
    at = steps * case.grid.eval_s
    tests = [
        {"eval_time": duration(at - case.grid.eval_s), "alertname": absent.name, "exp_alerts": []},
        {"eval_time": duration(at), "alertname": absent.name, "exp_alerts": [_alert(absent, 1.0)]},
    ]
    if case.slo.method == "Occurrences" or case.slo.no_data != "bad":  # there, being blind is what burns
        tests.append({"eval_time": duration(at), "alertname": burn.name, "exp_alerts": []})
    return {
        "name": f"no data: {absent.name} fires at {duration(at)}, no budget burns",
        "interval": duration(case.grid.sample_s),
        "input_series": [
            {"series": 'up{instance="other:9090",job="sre-other"}', "values": f"1+0x{steps * case.grid.ratio}"}
        ],
        "alert_rule_test": tests,
    }


def _group(case: _Case, name: str, series: Sequence[Synthetic], tests: Sequence[dict[str, Any]]) -> dict[str, Any]:
    length = max(one.series.values.size + one.start for one in series)
    up = Synthetic(up_series(series, length, case.grid), in_total=False, in_side=False)
    absent = next(alert for alert in case.rules.alerts if alert.tier is None)
    quiet = {"eval_time": tests[-1]["eval_time"], "alertname": absent.name, "exp_alerts": []}
    return {
        "name": name,
        "interval": duration(case.grid.sample_s),
        "input_series": [
            {"series": newest(one.series.id, case.options), "values": notation(one)} for one in (*series, up)
        ],
        "alert_rule_test": [*tests, quiet],
    }


def _told(case: _Case, tiers: Sequence[Expected], at: float) -> dict[str, Any]:
    """Every alert of the SLO that fires at `at`, with its labels and annotations in full."""
    index = round(at / case.grid.eval_s)
    rules = {alert.tier: alert for alert in case.rules.alerts}
    firing = [_alert(rules[one.tier], float(one.value[index])) for one in tiers if one.firing[index]]
    return {"eval_time": duration(at), "alertname": rules[case.tier].name, "exp_alerts": firing}


def _is_stable(case: _Case, tiers: Sequence[Expected], at: float) -> bool:
    """Whether the figures told at `at` stay the same when the last digits of a float differ: no 12.15 to one place."""
    index = round(at / case.grid.eval_s)
    rules = {alert.tier: alert for alert in case.rules.alerts}
    told = [(text, float(t.value[index])) for t in tiers if t.firing[index] for _, text in rules[t.tier].annotations]
    return all(expanded(text, value * (1 + 1e-9)) == expanded(text, value * (1 - 1e-9)) for text, value in told)


def _alert(rule: AlertRule, value: float) -> dict[str, Any]:
    labels = {name: expanded(text, value) for name, text in rule.labels}
    return {
        "exp_labels": labels,
        "exp_annotations": {name: expanded(text, value) for name, text in rule.annotations},
    }
