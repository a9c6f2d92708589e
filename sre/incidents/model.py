"""An incident: a timeline of facts with their sources, milestones kept raw, durations computed from them.

The evidence types below are what `build_incident` reads. They live here, not in the packages that write the files, so
that an incident can be built from any driver's files and this package needs neither the chaos library nor the reports.
Times are Unix seconds, UTC; windows are half-open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EventKind = Literal["load", "fault", "impact", "alert", "platform", "chaos", "recovery"]

FAILED_OUTCOMES = frozenset({"error", "truncated", "rejected", "timeout"})
"""Client outcomes that count against the service; `cancelled` is the client's own doing."""


@dataclass(frozen=True, slots=True)
class LedgerLines:
    """Which lines of `chaos.jsonl` tell a fault's story, counted from 1; None where the ledger has no such record."""

    begin: int | None = None
    proven: int | None = None
    undone: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """A labelled fault: [begin, end) in which its effect lasted; `end` None when it outlived the observation.

    `begin` is written before the fault is applied, `proven_at` after its effect was seen from outside: the true start
    lies between. `replicas` and `components` are what it hit; `undone_at` is when its cause was taken away, by whom
    `undone_by` says: the run itself, or one who had to step in for it (`watchdog`, `guard` ...).
    """

    fault_id: str
    fault: str
    target: str
    begin: float
    end: float | None
    proven: bool
    proof: str
    proven_at: float | None = None
    replicas: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    undone_at: float | None = None
    undone_by: str | None = None
    lines: LedgerLines = LedgerLines()

    @property
    def hit(self) -> tuple[str, ...]:
        """The replicas it hit; an older ledger names one as the target."""
        return self.replicas or (() if self.components else (self.target,))


@dataclass(frozen=True, slots=True)
class PlatformEvent:
    """One thing the platform did or noticed; `note` is its detail in words (`returncode=-9`), `source` who tells,
    `evidence` where exactly: the line of a file, or a metric with its labels.
    """

    at: float
    event: str
    replica: str | None
    note: str = ""
    source: str = "events.jsonl"
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class ChaosStep:
    """One activity of a Chaos Toolkit journal. `phase` is where it ran: `before`, `method`, `after`, `rollback`;
    `evidence` is the JSON pointer to it (`journal.json#/run/0`).
    """

    phase: str
    name: str
    kind: str
    status: str
    start: float
    end: float
    tolerance_met: bool | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Journal:
    """What Chaos Toolkit says of its run; `before_met` and `after_met` are None where the hypothesis was not tested."""

    status: str
    deviated: bool
    before_met: bool | None
    after_met: bool | None
    steps: tuple[ChaosStep, ...]


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """One line of the load generator's `requests.jsonl`: the client's own view. Times not reached are None; `line` is
    its number in the file, from 1.
    """

    id: str
    scheduled_at: float
    sent_at: float
    first_token_at: float | None
    last_token_at: float | None
    finished_at: float
    prompt_tokens: int
    output_tokens: int
    max_gap_s: float | None
    outcome: str
    replicas: tuple[str, ...]
    line: int | None = None

    @property
    def evidence(self) -> str:
        """Where it can be looked at; "" when the line is not known."""
        return "" if self.line is None else f"requests.jsonl:{self.line}"

    @property
    def failed(self) -> bool:
        return self.outcome in FAILED_OUTCOMES

    @property
    def retried(self) -> bool:
        return len(self.replicas) > 1

    @property
    def ttft_s(self) -> float | None:
        """Sent to first token, None when no token came."""
        return None if self.first_token_at is None else self.first_token_at - self.sent_at


@dataclass(frozen=True, slots=True)
class Observation:
    """What was watched, [start, end), and how coarsely the supervisor and the client thresholds see it.

    `supervisor_poll_s` is how late the supervisor may notice an exit. `ttft_limit_s` and `gap_limit_s` say when an ok
    request counts as degraded; None: that signal degrades nothing.
    """

    start: float
    end: float
    primary_source: str
    supervisor_poll_s: float = 0.0
    ttft_limit_s: float | None = 1.0
    gap_limit_s: float | None = None


@dataclass(frozen=True, slots=True)
class TimelineEvent:
    """One fact. `source` names the file it was read from, or the sample source an alert was computed from; `evidence`
    says where in it: `chaos.jsonl:3`, `journal.json#/run/0`, or the metric with its labels. "" in older records.
    """

    at: float
    kind: EventKind
    text: str
    source: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Milestone:
    """A named instant, or n/a (`at` None) with the reason. `uncertainty_s` is how coarse the observation is;
    `evidence` is the record it was read from, as in `TimelineEvent`.
    """

    name: str
    at: float | None
    source: str
    reason: str | None = None
    uncertainty_s: float = 0.0
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Duration:
    """`start` to `end` are milestone names. `seconds` is None, with a reason, when either is missing.

    `flag` says what is odd about a known one: it is negative. Such a figure is kept as it was observed, never clipped.
    """

    name: str
    start: str
    end: str
    seconds: float | None
    reason: str | None = None
    flag: str = ""

    @property
    def from_to(self) -> str:
        """What it is called in full: `fault_injected to detected`."""
        return f"{self.start} to {self.end}"


@dataclass(frozen=True, slots=True)
class Impact:
    """What clients lost: requests in flight at any instant of [window_start, window_end), by the clients' records.

    `failed` counts every request the service failed (error, timeout, truncated, rejected); `truncated` and `rejected`
    are parts of it. `degraded` were ok but slower than the limits. The window is None when there was no fault.
    """

    requests: int
    failed: int
    truncated: int
    rejected: int
    retried: int
    tokens_delivered: int
    tokens_in_failed: int
    degraded: int = 0
    window_start: float | None = None
    window_end: float | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident record."""

    id: str
    title: str
    fault: str
    target: str
    severity: str
    timeline: tuple[TimelineEvent, ...]
    milestones: tuple[Milestone, ...]
    durations: tuple[Duration, ...]
    impact: Impact

    def milestone(self, name: str) -> Milestone:
        """The milestone called `name`; KeyError when the record has none."""
        for milestone in self.milestones:
            if milestone.name == name:
                return milestone
        raise KeyError(name)

    def duration(self, name: str) -> Duration:
        for duration in self.durations:
            if duration.name == name:
                return duration
        raise KeyError(name)
