"""What belongs into Alertmanager's configuration: a slower tier is silent while a faster one of the same SLO fires.

One outage raises every tier, one after another; without inhibition that is four notifications of one fact. A ticket
never silences a page. The file is a whole, valid configuration, so that `amtool check-config` can judge it; its
receivers are names without an address, to be replaced by those of the team.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sre.slo.model import BurnTier
from sre.slo.rules.model import RuleOptions, RuleSet
from sre.slo.rules.text import header, to_yaml

_ALERTS = 'alertname=~".+ErrorBudgetBurn"'


def alertmanager_text(sets: Sequence[RuleSet], options: RuleOptions) -> str:
    """The fragment: routing by severity, and inhibition by tier."""
    notes = ("A fragment: merge route.routes and inhibit_rules into your configuration, and put your receivers in.",)
    data = {"route": _route(), "inhibit_rules": inhibitions(sets), "receivers": [{"name": "ticket"}, {"name": "page"}]}
    return header([rules.slo.path for rules in sets], options, notes=notes) + to_yaml(data)


def inhibitions(sets: Sequence[RuleSet]) -> list[dict[str, Any]]:
    """For each tier the slower ones that it silences; SLOs with the same tiers share their rules."""
    by_tiers: defaultdict[tuple[BurnTier, ...], list[str]] = defaultdict(list)
    for rules in sets:
        by_tiers[_speeds(rules.tiers)].append(rules.slo.name)
    merged: defaultdict[tuple[str, tuple[str, ...]], list[str]] = defaultdict(list)
    for tiers, slos in by_tiers.items():
        for source, silenced in _silenced(tiers):
            merged[source, silenced] += slos
    everyone = sum(len(slos) for slos in by_tiers.values())
    return [_rule(source, silenced, slos, everyone) for (source, silenced), slos in merged.items()]


def _speeds(tiers: Sequence[BurnTier]) -> tuple[BurnTier, ...]:
    return tuple(sorted(tiers, key=lambda tier: (tier.long_s, -tier.factor)))


def _silenced(tiers: Sequence[BurnTier]) -> list[tuple[str, tuple[str, ...]]]:
    found = []
    for index, source in enumerate(tiers):
        slower = [t.name for t in tiers[index + 1 :] if source.severity == "page" or t.severity == "ticket"]
        if slower:
            found.append((source.name, tuple(slower)))
    return found


def _rule(source: str, silenced: tuple[str, ...], slos: list[str], everyone: int) -> dict[str, Any]:
    only = [] if len(slos) == everyone else [f'slo=~"{"|".join(sorted(slos))}"']
    return {
        "source_matchers": [_ALERTS, f'tier="{source}"', *only],
        "target_matchers": [_ALERTS, f'tier=~"{"|".join(silenced)}"'],
        "equal": ["slo", "service"],
    }


def _route() -> dict[str, Any]:
    """`group_wait` gives a faster tier the time to arrive before a slower one is sent."""
    return {
        "receiver": "ticket",
        "group_by": ["slo", "service", "severity"],
        "routes": [
            {
                "matchers": ['severity="page"', 'slo!=""'],
                "receiver": "page",
                "group_wait": "30s",
                "group_interval": "5m",
                "repeat_interval": "4h",
            },
            {
                "matchers": ['severity="ticket"', 'slo!=""'],
                "receiver": "ticket",
                "group_wait": "5m",
                "group_interval": "30m",
                "repeat_interval": "1d",
            },
        ],
    }
