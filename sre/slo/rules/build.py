"""One SLO to its rule groups: which tiers get a rule, in which order everything is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sre.errors import BadDocument
from sre.slo.model import BurnTier, Slo
from sre.slo.rules.alerts import absent_alert, burn_alerts
from sre.slo.rules.durations import duration
from sre.slo.rules.layers import layer_of
from sre.slo.rules.model import Group, RuleOptions, RuleSet
from sre.slo.rules.numbers import number, percent
from sre.slo.rules.recordings import metadata_recordings, period_group, window_recordings, windows_of
from sre.slo.tiers import can_fire, tiers_of


def rule_sets(slos: Sequence[Slo], options: RuleOptions) -> tuple[RuleSet, ...]:
    """The rules of every SLO, in the given order. Raises BadDocument with a line for each SLO that cannot have any."""
    faults = [fault for slo in slos for fault in _faults(slo, options)]
    if faults:
        raise BadDocument(faults)
    return tuple(rule_set(slo, options) for slo in slos)


def rule_set(slo: Slo, options: RuleOptions) -> RuleSet:
    """The groups of one SLO: slices or samples first, then windows, metadata and alerts, then the period."""
    tiers, notes = _tiers(slo, options)
    layer = layer_of(slo, options)
    windows = Group(
        f"slo-{slo.name}",
        options.interval_s,
        (
            *window_recordings(slo, layer, tiers),
            *metadata_recordings(slo, tiers, options),
            *burn_alerts(slo, tiers, options),
            absent_alert(slo, options),
        ),
    )
    period = period_group(slo, layer, tiers=tiers, options=options)
    groups = (*layer.groups, windows, *([period] if period is not None else ()))
    return RuleSet(slo, tiers, groups, notes)


def compressed(tier: BurnTier, options: RuleOptions) -> BurnTier:
    """The tier with its windows as the rules have them."""
    shrink = options.clock.compress
    return replace(tier, long_s=shrink(tier.long_s), short_s=shrink(tier.short_s), for_s=shrink(tier.for_s))


def _tiers(slo: Slo, options: RuleOptions) -> tuple[tuple[BurnTier, ...], tuple[str, ...]]:
    """The tiers that can fire, and a note for each thing that PromQL cannot say."""
    able, notes = [], []
    for tier in tiers_of(slo):
        if can_fire(tier, slo.budget):
            able.append(compressed(tier, options))
        else:
            needed = percent(tier.factor * slo.budget)
            notes.append(f"{slo.name}: tier {tier.name} can never fire (needs {needed} bad events): it got no rule")
    if slo.calendar is not None:
        notes.append(
            f"{slo.name}: its budget follows the calendar, which no PromQL range does: no series for what is left "
            "(see sre slo status); tiers are scaled from the nominal period"
        )
    notes += [
        f"{slo.name}: tier {tier.name}'s binomial test cannot be said in PromQL: only min_bad_events guards its rule"
        for tier in able
        if tier.max_p_value is not None
    ]
    return tuple(able), tuple(notes)


def _faults(slo: Slo, options: RuleOptions) -> list[str]:
    where = f"{slo.path}:{slo.line}: {slo.name}"
    tiers, _ = _tiers(slo, options)
    if not tiers:
        return [f"{where}: none of its tiers can ever fire: lower their factors, or raise the target"]
    shortest = windows_of(tiers)[0]
    least = 2 * max(options.scrape_interval_s, 0.0)
    if shortest < least:
        return [
            f"{where}: the window {duration(shortest)} holds less than two scrapes of "
            f"{duration(options.scrape_interval_s)}: give --scrape-interval as your Prometheus has it, or a "
            f"--drill-clock of at most {number(shortest * options.clock.factor / least)}"
        ]
    if shortest < options.interval_s:
        return [
            f"{where}: the window {duration(shortest)} is shorter than --group-interval {duration(options.interval_s)}"
        ]
    slice_s = options.clock.compress(slo.slice_s) if slo.slice_s is not None and slo.method != "Occurrences" else 0.0
    if slice_s and slice_s < 2 * options.scrape_interval_s:
        return [
            f"{where}: a slice of {duration(slice_s)} holds less than two scrapes of "
            f"{duration(options.scrape_interval_s)}: use longer slices, or set --scrape-interval and --drill-clock"
        ]
    if slice_s > shortest:
        return [f"{where}: slices of {duration(slice_s)} do not fit into the window {duration(shortest)}: shorten them"]
    return []
