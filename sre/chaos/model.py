"""What an experiment file says of its drill, and how a run of it is judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from sre.chaos.faults.model import Family
from sre.chaos.gate.model import GateSettings
from sre.chaos.guard.model import GuardSettings
from sre.chaos.leases.ledger import LedgerFault

Verdict = Literal["passed", "deviated", "void", "aborted", "interrupted", "error"]
"""`passed`: the steady state held before and after a proven fault. `deviated`: it did not hold after.
`void`: no fault was proven, so nothing was tested. `aborted`: stopped before or during the method by a failed gate.
`interrupted`: somebody stopped it. `error`: an activity, a rollback, a control or the toolkit itself failed."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with every reason found, the weightiest first; no reasons when it passed. `faults` are this run's.

    `notes` say what does not count and should be known all the same, e.g. an open fault of another run.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    faults: tuple[LedgerFault, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenLengths:
    """Log-normal token lengths, as the load generator's plan has them."""

    median: float
    sigma: float
    min: int
    max: int


@dataclass(frozen=True, slots=True)
class Workload:
    """What is offered while the experiment runs: `warmup_s` of load before chaos starts, `duration_s` in all.

    None means the load generator's default.
    """

    rate_rps: float
    duration_s: float
    warmup_s: float
    seed: int
    cv: float | None = None
    prompt_tokens: TokenLengths | None = None
    output_tokens: TokenLengths | None = None


@dataclass(frozen=True, slots=True)
class PlatformNeeds:
    """What the platform is started with, in the words of `sre up`'s specification; None: its default.

    `autoscale` and `tenants` are absolute paths. `prometheus` True: the drill makes no sense without it.
    """

    replicas: int | None = None
    max_replicas: int | None = None
    profile: str | None = None
    time_scale: float | None = None
    cold_start_scale: float | None = None
    unhealthy_restart_s: float | None = None
    gateway_workers: int | None = None
    prometheus: bool | None = None
    autoscale: Path | None = None
    autoscale_clock_factor: float | None = None
    tenants: Path | None = None

    def asked(self) -> Mapping[str, Any]:
        """The needs that the experiment states, by name; `prometheus` is left to whoever starts the platform."""
        stated = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "prometheus"}
        return {name: value for name, value in stated.items() if value is not None}


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """What the incident may cost: in all, and how dear a good token may become: cost per million good tokens over cost
    per million tokens, 1 when every token was of use. None: no expectation.
    """

    max_incident_usd: Decimal | None = None
    max_good_token_factor: float | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """What the drill scores: the alert of `alert_slo` within `alert_within_s` of the fault (None: no alert of any SLO
    may fire), recovery in time, and how many requests may fail (None: as many as there are).
    """

    alert_slo: str | None
    alert_within_s: float
    recovered_within_s: float
    failed_requests: int | None = None
    cost: ExpectedCost = ExpectedCost()


@dataclass(frozen=True, slots=True)
class Weakness:
    """Why this experiment deviates until something is built: a risk of the risk list, `RISK-001`, and what is weak."""

    risk: str
    text: str


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """At most `max_replicas` are hit at a time, at least `min_healthy` others keep serving (0: also the last one may be
    hit), and of the rest of the platform only `components` (`gateway`, `host`, `traffic` ...).
    """

    max_replicas: int
    min_healthy: int
    components: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Drill:
    """An experiment file, read and checked.

    `failure_mode` names what it shows, `runbook` the page in runbooks/ that belongs to it. `faults` are the faults of
    its method by name (`replica-crash`), in order. `slos` are those whose budget it spends or spares. `clock_factor`
    compresses alert windows, `deadline_s` bounds the whole run. `weakness`: it is known not to pass, and why.
    """

    path: Path
    title: str
    description: str
    hypothesis: str
    failure_mode: str
    workload: Workload
    clock_factor: float
    expected: Expected
    blast_radius: BlastRadius
    id: str = ""
    family: Family = "replica"
    deadline_s: float = 120.0
    platform: PlatformNeeds = field(default_factory=PlatformNeeds)
    runbook: str = ""
    slos: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    weakness: Weakness | None = None
    guard: GuardSettings = field(default_factory=GuardSettings)
    gate: GateSettings = field(default_factory=GateSettings)
    tags: tuple[str, ...] = ()
