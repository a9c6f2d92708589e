"""The facts a runbook is rendered from: what the last drill of its failure mode measured, and what commands need.

Everything that can change the text is in here, so that a hash of the facts tells whether a runbook is stale.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ObjectiveFact:
    """An objective and what the drill did to it. `error_ratio` is None, with the reason, when there was no data."""

    title: str
    target: float
    error_ratio: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AlertFact:
    """An alert of this failure mode; times are after the fault began, windows in production seconds."""

    objective: str
    tier: str
    severity: str
    factor: float
    long_s: float
    short_s: float
    fired_after_s: float | None
    reset_after_s: float | None


@dataclass(frozen=True, slots=True)
class ImpactFact:
    """Requests in flight while the fault lasted; `window_s` is None when no fault was recorded."""

    requests: int
    failed: int
    truncated: int
    rejected: int
    retried: int
    degraded: int
    window_s: float | None


@dataclass(frozen=True, slots=True)
class MeasureFact:
    """One measured time after the fault began (`time to detect` ...), or None with the reason."""

    name: str
    seconds: float | None
    reason: str | None = None
    uncertainty_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DrillFact:
    """The drill that last proved this runbook. `date` is ISO, UTC."""

    report_id: str
    title: str
    date: str
    verdict: str
    source: str
    clock_factor: float


@dataclass(frozen=True, slots=True)
class RunbookFacts:
    """One failure mode. `example_replica` is the one the commands are shown with: the replica the drill hit."""

    failure_mode: str
    service: str
    gateway_url: str
    state_dir: str
    replicas: tuple[str, ...]
    example_replica: str
    startup_s: float | None
    objectives: tuple[ObjectiveFact, ...]
    alerts: tuple[AlertFact, ...]
    impact: ImpactFact
    measures: tuple[MeasureFact, ...]
    drill: DrillFact

    def measure(self, name: str) -> MeasureFact:
        """The measure called `name`; one without a value when the drill did not take it."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        return MeasureFact(name, None, "not measured by the last drill")
