"""What a rules file consists of, before it is text.

The alert of a tier reads recorded series only. Each recording keeps its expression, so that the same alert can be
written out over raw samples (`inline.py`) and asked of a Prometheus that never ran the rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sre.metrics.catalogue import Catalogue
from sre.slo.model import REAL_TIME, BurnTier, DrillClock, Slo


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """How rules are written. `clock` compresses windows, periods and slices for game days.

    `group_interval_s` None: 30 s, compressed by the clock, at least 1 s. `runbook_base` is put before a document's
    `sre/runbook`; `dashboard_base` is Grafana's address. `catalogue` None: metrics have one name.
    `sources` maps a document's path to the sha256 of its text, for the header.
    """

    clock: DrillClock = REAL_TIME
    group_interval_s: float | None = None
    scrape_interval_s: float = 15.0
    runbook_base: str | None = None
    dashboard_base: str | None = None
    catalogue: Catalogue | None = None
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def interval_s(self) -> float:
        """How often the alert groups are evaluated."""
        if self.group_interval_s is not None:
            return self.group_interval_s
        return max(1.0, float(round(30.0 / self.clock.factor)))

    def names(self, metric: str) -> tuple[str, ...]:
        """The metric under each name that exporters of different versions use, newest first."""
        if self.catalogue is None:
            return (metric,)
        newest = self.catalogue.newest(metric)
        return (newest, *self.catalogue.aliases(newest))


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording rule. `labels` are set on the result and are what a selector of it names."""

    name: str
    expr: str
    labels: tuple[tuple[str, str], ...]

    @property
    def selector(self) -> str:
        """The recorded series, by all labels that tell it from its siblings (`service` follows from `slo`)."""
        chosen = ",".join(f'{name}="{value}"' for name, value in self.labels if name != "service")
        return f"{self.name}{{{chosen}}}"


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alerting rule; `tier` is None for the alert on absent data."""

    name: str
    expr: str
    for_s: float
    labels: tuple[tuple[str, str], ...]
    annotations: tuple[tuple[str, str], ...]
    tier: BurnTier | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Rules evaluated in order, one after another at the same time: a later one sees what an earlier one recorded."""

    name: str
    interval_s: float
    rules: tuple[Recording | AlertRule, ...]

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return tuple(rule for rule in self.rules if isinstance(rule, Recording))

    @property
    def alerts(self) -> tuple[AlertRule, ...]:
        return tuple(rule for rule in self.rules if isinstance(rule, AlertRule))


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Everything generated for one SLO. `tiers` are those that got a rule, with windows already compressed."""

    slo: Slo
    tiers: tuple[BurnTier, ...]
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()

    @property
    def recordings(self) -> tuple[Recording, ...]:
        return tuple(rule for group in self.groups for rule in group.recordings)

    @property
    def alerts(self) -> tuple[AlertRule, ...]:
        return tuple(rule for group in self.groups for rule in group.alerts)
