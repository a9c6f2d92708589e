"""What an experiment file says of its drill, and how a run of it is judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sre.chaos.ledger import LedgerFault

Verdict = Literal["passed", "deviated", "void", "aborted", "interrupted", "error"]
"""`passed`: the steady state held before and after a proven fault. `deviated`: it did not hold after.
`void`: no fault was proven, so nothing was tested. `aborted`: stopped before or during the method by a failed gate.
`interrupted`: somebody stopped it. `error`: an activity, a rollback, a control or the toolkit itself failed."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with every reason found, the weightiest first; no reasons when it passed."""

    verdict: Verdict
    reasons: tuple[str, ...]
    faults: tuple[LedgerFault, ...]


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
class Expected:
    """What the drill scores: the alert of `alert_slo` within `alert_within_s` of the fault, recovery in time, and how
    many requests may fail (None: as many as there are).
    """

    alert_slo: str
    alert_within_s: float
    recovered_within_s: float
    failed_requests: int | None = None


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
    """An experiment file, read and checked. `failure_mode` names the runbook, `clock_factor` compresses windows."""

    path: Path
    title: str
    description: str
    hypothesis: str
    failure_mode: str
    workload: Workload
    clock_factor: float
    expected: Expected
    blast_radius: BlastRadius
