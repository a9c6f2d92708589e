"""The one object a drill produces; HTML, Markdown, JSON and the runbook are views of it.

Everything shown anywhere is in here, so `report.json` is enough to render the rest again. Times are Unix seconds, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sre.cost.model import CostReport
from sre.incidents.model import FaultWindow as FaultWindow  # one type for both: a report shows the incident's faults
from sre.incidents.model import Incident
from sre.runbooks.proving import Carried
from sre.slo.model import SloResult

Verdict = Literal["passed", "deviated", "void", "aborted", "interrupted", "error"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing the drill was judged by: what was expected, what was seen.

    One that is not `deciding` says how far the measurement can be trusted; it never changes the verdict. `key` is what
    it is about, whatever its name says this time: `steady-state`, `proven`, `alert`, `recovery`, `requests`, `cost`,
    `undone`, or empty for the measurement's own checks.
    """

    name: str
    ok: bool
    expected: str
    observed: str
    deciding: bool = True
    key: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """Which experiment was played, in its file's own words. `faults` are those of its method, by name, `slos` those it
    is about; `risk` is the known weakness it names, `RISK-001`, with what is weak.
    """

    id: str
    family: str
    failure_mode: str
    faults: tuple[str, ...] = ()
    slos: tuple[str, ...] = ()
    risk: str | None = None
    weakness: str | None = None


@dataclass(frozen=True, slots=True)
class PlatformFacts:
    """What ran. `engine`, `profile` and `time_scale` say how real the numbers are."""

    driver: str
    server: str
    engine: str
    profile: str
    time_scale: float
    replicas: tuple[str, ...]
    startup_s: float
    memory_mb: float | None
    host: str


@dataclass(frozen=True, slots=True)
class WorkloadFacts:
    """What was offered: `lines` are (label, value) pairs a reader needs to repeat it."""

    source: str
    rate_rps: float
    duration_s: float
    seed: int | None
    lines: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ReplicaSpan:
    """A replica's state over [start, end): `starting`, `ready`, `down`."""

    replica: str
    state: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class RequestPoint:
    """A client-side record, the columns the charts need. `at` is when it was sent; None means never reached."""

    at: float
    ttft_s: float | None
    e2e_s: float
    max_gap_s: float | None
    outcome: str
    replicas: tuple[str, ...]
    output_tokens: int


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Percentiles of one signal over one phase; n is the number of requests (or gaps) behind them."""

    signal: str
    phase: str
    n: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class DrillReport:
    """One drill, start to report. `results` holds every SLO once a source; `primary_source` names the one quoted.

    `is_known`: it deviated in nothing but what the weakness that its experiment names says. `mitigations` are those of
    runbooks that it carried out.
    """

    id: str
    title: str
    experiment: str
    hypothesis: str
    started_at: float
    ended_at: float
    verdict: Verdict
    verdict_reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    platform: PlatformFacts
    workload: WorkloadFacts
    clock_factor: float
    primary_source: str
    results: tuple[SloResult, ...]
    faults: tuple[FaultWindow, ...]
    spans: tuple[ReplicaSpan, ...]
    requests: tuple[RequestPoint, ...]
    latency: tuple[LatencySummary, ...]
    incident: Incident
    cost: CostReport
    tool_versions: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    subject: Subject | None = None
    is_known: bool = False
    mitigations: tuple[Carried, ...] = ()

    def primary_results(self) -> tuple[SloResult, ...]:
        """The results read from the primary source, in document order."""
        return tuple(r for r in self.results if r.source == self.primary_source)
