"""The facts a runbook is rendered from: its experiments, their faults, the SLOs and what drills measured.

Everything measured is in here, so that a hash of the facts tells whether a runbook is stale.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sre.runbooks.knowledge.model import Mitigation

Proof = Literal["passed", "known", "deviated"]
"""`known`: it deviated as the weakness it names says."""


@dataclass(frozen=True, slots=True)
class TierFact:
    """When an SLO alerts; windows in production seconds."""

    name: str
    severity: str
    factor: float
    long_s: float
    short_s: float


@dataclass(frozen=True, slots=True)
class SloFact:
    """An SLO that experiments of this page are about. `alert` is the one on its budget, which has a page of its own."""

    name: str
    title: str
    target: float
    tiers: tuple[TierFact, ...]
    alert: str = ""


@dataclass(frozen=True, slots=True)
class FaultFact:
    """What an experiment injects, in the fault's own words. `heals`: there is nothing to undo, the platform does it."""

    name: str
    summary: str
    protects: str
    undo: str
    platforms: tuple[str, ...]
    heals: bool = False


@dataclass(frozen=True, slots=True)
class ExperimentFact:
    """An experiment that shows this failure mode. `radius` is what it may hit, `weakness` why it may not pass."""

    id: str
    file: str
    title: str
    description: str
    hypothesis: str
    radius: str
    faults: tuple[FaultFact, ...]
    risk: str = ""
    weakness: str = ""

    @property
    def command(self) -> str:
        """What plays it: a whole drill where this kit can start the platform."""
        is_local = all("local" in fault.platforms for fault in self.faults)
        return "sre gameday run " if is_local else "SRE_PLATFORM=kubernetes chaos run "


@dataclass(frozen=True, slots=True)
class ObjectiveFact:
    """An objective and what the drill did to it. `error_ratio` is None, with the reason, when there was no data."""

    title: str
    target: float
    error_ratio: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class AlertFact:
    """An alert that fired in a drill; times are seconds after the fault began."""

    objective: str
    tier: str
    severity: str
    fired_after_s: float
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
class MitigationFact:
    """A mitigation of a page that a drill carried out as the page says, and whether its verification held.

    `command` is what was run, so that a page whose commands have changed since is not called proven. Seconds:
    `begun_after_s` after the fault began, `took_s` for the command, `verified_after_s` from its begin to the
    verification; None: `why` not.
    """

    page: str
    mitigation: str
    command: str
    check: str
    begun_after_s: float
    took_s: float
    exit_code: int | None
    verified_after_s: float | None
    why: str = ""

    @property
    def is_verified(self) -> bool:
        return self.exit_code == 0 and self.verified_after_s is not None


@dataclass(frozen=True, slots=True)
class DrillFact:
    """What one drill of an experiment measured. `at` is Unix time, `date` the same as ISO, UTC; `failed` of `requests`
    counts the whole drill. Costs are texts with their currency, "" where unknown. `proof` is what was seen of the
    fault, `undone_after_s` when the drill took it away, `alert` whether alerts did what they should.
    """

    experiment: str
    report_id: str
    at: float
    date: str
    outcome: Proof
    reasons: tuple[str, ...]
    proof: str
    source: str
    clock_factor: float
    service: str
    replicas: tuple[str, ...]
    target: str
    objectives: tuple[ObjectiveFact, ...]
    alerts: tuple[AlertFact, ...]
    impact: ImpactFact
    measures: tuple[MeasureFact, ...]
    requests: int
    failed: int
    cost: str
    incident_cost: str
    alert: str = "not judged"
    undone_after_s: float | None = None
    mitigations: tuple[MitigationFact, ...] = ()

    def measure(self, name: str) -> MeasureFact:
        """The measure called `name`; one without a value when the drill did not take it."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        return MeasureFact(name, None, "not measured by the last drill")

    @property
    def is_proof(self) -> bool:
        """Whether it says what to expect: a drill that surprised does not."""
        return self.outcome in ("passed", "known")


@dataclass(frozen=True, slots=True)
class Proven:
    """That a mitigation did what its page says: the experiment that showed it, when, and after how many seconds all was
    well. `page` is where, when it was another one.
    """

    experiment: str
    date: str
    seconds: float | None
    was_carried_out: bool = True
    page: str = ""


@dataclass(frozen=True, slots=True)
class RunbookFacts:
    """One page. `drills` holds at most one for each experiment."""

    page: str
    experiments: tuple[ExperimentFact, ...]
    slos: tuple[SloFact, ...]
    drills: tuple[DrillFact, ...] = ()
    gateway_url: str = "http://127.0.0.1:8400"
    state_dir: str = ".sre"

    def drill_of(self, experiment: str) -> DrillFact | None:
        return next((drill for drill in self.drills if drill.experiment == experiment), None)

    @property
    def faults(self) -> tuple[FaultFact, ...]:
        """Those of all experiments, each once."""
        return tuple(dict.fromkeys(fault for experiment in self.experiments for fault in experiment.faults))

    @property
    def is_proven(self) -> bool:
        """Whether every experiment of the page has a drill that went as was said."""
        proven = {drill.experiment for drill in self.drills if drill.is_proof}
        return bool(self.experiments) and all(experiment.id in proven for experiment in self.experiments)

    def drill_title(self, drill: DrillFact) -> str:
        """What the experiment of a drill is called."""
        return next((one.title for one in self.experiments if one.id == drill.experiment), drill.experiment)

    def alerts_of(self, slo: SloFact) -> tuple[AlertFact, ...]:
        """Those of an SLO that fired in the drills."""
        return tuple(alert for drill in self.drills for alert in drill.alerts if alert.objective == slo.name)

    def other_alerts(self) -> tuple[AlertFact, ...]:
        """Of each SLO the page is not about, the first page that fired, else its first ticket."""
        about = {slo.name for slo in self.slos}
        fired = [alert for drill in self.drills for alert in drill.alerts if alert.objective not in about]
        first: dict[str, AlertFact] = {}
        for alert in sorted(fired, key=lambda one: (one.objective, one.severity != "page", one.fired_after_s)):
            first.setdefault(alert.objective, alert)
        return tuple(first.values())

    def has_alerted(self) -> bool:
        """Whether anything fired in the drills."""
        return any(drill.alerts for drill in self.drills)

    def alert_words(self, slo: SloFact) -> str:
        """What became of an SLO's alerts, in words."""
        if not self.drills:
            return "n/a (no drill)"
        fired = [f"{alert.tier} after {alert.fired_after_s:.3g} s" for alert in self.alerts_of(slo)]
        return ", ".join(fired) or "silent"

    def healed(self, drill: DrillFact) -> bool:
        """Whether all was well again without anybody's doing."""
        faults = [fault for one in self.experiments if one.id == drill.experiment for fault in one.faults]
        return all(fault.heals for fault in faults) and drill.measure("time to recover").seconds is not None

    def proof_of(self, mitigation: Mitigation) -> Proven | None:
        """The newest drill that showed this mitigation of the page: it ran these very commands and their verification
        held; or, for `wait` and `heal`, it ended so.
        """
        for drill in sorted(self.drills, key=lambda one: -one.at):
            done = next((one for one in drill.mitigations if self._is_it(one, mitigation)), None)
            if done is not None and drill.is_proof:
                return Proven(drill.experiment, drill.date, done.verified_after_s)
            if drill.is_proof and not drill.mitigations and self._ended_so(drill, mitigation.name):
                took_s = drill.measure("time to recover").seconds
                return Proven(drill.experiment, drill.date, took_s, was_carried_out=False)
        return None

    def attempt_of(self, mitigation: Mitigation) -> tuple[DrillFact, str] | None:
        """The newest drill that carried it out and proves nothing, with the reason."""
        for drill in sorted(self.drills, key=lambda one: -one.at):
            for done in drill.mitigations:
                if (done.page, done.mitigation) == (self.page, mitigation.name):
                    return drill, self._doubt(drill, done, mitigation)
        return None

    def _is_it(self, done: MitigationFact, meant: Mitigation) -> bool:
        is_same = (done.page, done.mitigation, done.command) == (self.page, meant.name, meant.run)
        return is_same and done.check == meant.check and done.is_verified

    def _doubt(self, drill: DrillFact, done: MitigationFact, meant: Mitigation) -> str:
        if not done.is_verified:
            return done.why or "its verification did not hold"
        if (done.command, done.check) != (meant.run, meant.check):
            return "its commands were others then"
        return f"the drill {drill.outcome}"

    def _ended_so(self, drill: DrillFact, mitigation: str) -> bool:
        return mitigation in ("wait", "heal") and self.healed(drill) == (mitigation == "wait")
