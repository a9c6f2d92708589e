"""What happens to an incident or an exercise, as append-only events: the one form in which anything about it is kept.

A payload says what happened, its class is the event's kind. Nothing is ever changed: a correction is another event.
Tabletop sessions are kept in the same way, under ids of their own, so that answers and approvals stand in the same
tamper-evident chain. Times are Unix seconds, UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

Origin = Literal["drill", "alertmanager", "manual", "tabletop"]
Status = Literal["open", "acknowledged", "mitigated", "resolved", "closed"]
Severity = Literal["SEV1", "SEV2", "SEV3", "SEV4"]
ItemStatus = Literal["open", "started", "done", "dropped"]


@dataclass(frozen=True, slots=True)
class Opened:
    """The first event of an id. `key` finds it again (report id, Alertmanager's group key); unique while it is open."""

    title: str
    origin: Origin
    severity: Severity
    key: str = ""
    service: str = ""
    experiment: str = ""


@dataclass(frozen=True, slots=True)
class StatusSet:
    """`status` holds from now on. `reason` is asked for where the order open ... closed is left, e.g. opened again."""

    status: Status
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SeveritySet:
    """`computed` is what the SLO impact says; one that differs needs a reason."""

    severity: Severity
    computed: Severity | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class MilestoneMark:
    """A milestone's instant, or n/a (`instant` None) with the reason; the newest mark of a name holds."""

    name: str
    instant: float | None
    uncertainty_s: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AlertSeen:
    """An alert as a notification told it. `fingerprint` is Alertmanager's; times None where it did not say."""

    name: str
    state: Literal["firing", "resolved"]
    fingerprint: str
    started_at: float | None
    ended_at: float | None
    slo: str = ""
    severity: str = ""
    runbook: str = ""
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """A row of the timeline that a drill or a person adds; `kind` is an `sre.incidents.model.EventKind` or `decision`,
    `action`, `note`. `evidence` is file:line, a URL, or a query.
    """

    kind: str
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Linked:
    """Something that belongs to it: `rel` is `runbook`, `report`, `dashboard`, `query`, `ticket`, `drill` ..."""

    rel: str
    target: str
    title: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class RunbookStep:
    """A step of a runbook that was walked. `verdict` is the reader's or the verification's word."""

    page: str
    step: str
    command: str
    exit_code: int | None
    output: str
    verdict: Literal["ok", "failed", "skipped", "declined"]
    is_mutating: bool = False


@dataclass(frozen=True, slots=True)
class ItemSet:
    """A follow-up action as it is from now on; `item` is unique within its incident (`A1`). Dates are ISO days."""

    item: str
    title: str
    owner: str
    start: str | None
    due: str | None
    status: ItemStatus
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a participant of an exercise said to an inject; `rating` is P, S, M or U once an evaluator gave it."""

    inject: str
    text: str
    rating: Literal["P", "S", "M", "U"] | None = None


@dataclass(frozen=True, slots=True)
class Approved:
    """A sign-off by role, of one document as it was: `sha256` is of its bytes, of a post-incident report of its content
    without the approvals in it (`sre.reports.postincident.signing`).
    """

    role: str
    name: str
    document: str
    sha256: str
    decision: Literal["approved", "rejected"] = "approved"
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of the incident: names with unit (`requests_failed`, `cost_usd`), decimals as text, "" for n/a; the
    newest of a name holds. `reasons` says of each n/a figure why.
    """

    figures: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


Payload = (
    Opened
    | StatusSet
    | SeveritySet
    | MilestoneMark
    | AlertSeen
    | Observed
    | Linked
    | RunbookStep
    | ItemSet
    | Answered
    | Approved
    | Measured
)
KINDS: Mapping[str, type] = MappingProxyType(
    {
        "opened": Opened,
        "status": StatusSet,
        "severity": SeveritySet,
        "milestone": MilestoneMark,
        "alert": AlertSeen,
        "observed": Observed,
        "linked": Linked,
        "runbook_step": RunbookStep,
        "item": ItemSet,
        "answered": Answered,
        "approved": Approved,
        "measured": Measured,
    }
)
"""The kind an event is stored under. Kinds are only ever added: old stores are read for ever."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it is written. `at` is when it happened, `source` the file or system that says so, `actor` who
    or what wrote it down, `text` one line for a reader.
    """

    at: float
    payload: Payload
    text: str
    source: str
    actor: str


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is kept. `position` counts all events of the store from 1, `seq` those of its incident; `hash` is
    sha256 over `previous` (the hash at `position` - 1) and everything else of it, see `sre.incidents.store.chain`.
    """

    incident: str
    position: int
    seq: int
    at: float
    recorded_at: float
    payload: Payload
    text: str
    source: str
    actor: str
    previous: str
    hash: str


def kind_of(payload: Payload) -> str:
    """The stored name of a payload's class."""
    return next(kind for kind, known in KINDS.items() if type(payload) is known)
