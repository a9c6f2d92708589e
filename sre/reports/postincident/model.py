"""A post-incident report as data: what it says, and for each statement where it can be looked up.

No figure can be made without a source and no n/a without a reason: the types refuse it, so a report cannot be built
that breaks the rule. Texts are finished here; renderers only decide how they look. Times are Unix seconds, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sre.reports.formats import NOT_AVAILABLE

Pick = Literal["", "failed", "moved"]
Tone = Literal["good", "bad", "unsure"]
MOST_CANDIDATES = 3
ApprovalState = Literal["missing", "unchecked", "approved", "rejected", "outdated", "other"]
"""`outdated`: of an earlier content. `other`: of another document. `unchecked`: not yet held against the content."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where something can be looked up. `where` is one of: a file of the report folder (`cost.json`), a line of it
    (`chaos.jsonl:3`), a value in it (`report.json#/incident/impact/failed`), an event of the store (`INC-0001#4`),
    a URL, or a query or a person in words.

    `how` says how the text follows from it. `at` names a record by its instant where its line is not known, `pick` the
    lines of `requests.jsonl` that are meant.
    """

    where: str
    how: str = ""
    at: float | None = None
    pick: Pick = ""


@dataclass(frozen=True, slots=True)
class Sourced:
    """A statement or a figure with what it is read from. ValueError without a source, or n/a without a reason."""

    text: str
    sources: tuple[Source, ...]
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.sources or not all(source.where for source in self.sources):
            raise ValueError(f"{self.text!r} has no source")
        if self.text == NOT_AVAILABLE and not self.reason:
            raise ValueError(f"n/a from {self.sources[0].where} has no reason")

    @property
    def is_known(self) -> bool:
        return self.text != NOT_AVAILABLE


@dataclass(frozen=True, slots=True)
class Figure:
    """`note` says what it is measured against."""

    label: str
    value: Sourced
    note: str = ""


@dataclass(frozen=True, slots=True)
class MilestoneRow:
    """`at` None where it is n/a. `since` is counted from the report's zero, `doubt` how coarse the instant is known."""

    name: str
    at: float | None
    when: Sourced
    since: str
    doubt: str


@dataclass(frozen=True, slots=True)
class TimelineRow:
    """`milestones` are the names of those reached at this instant."""

    at: float
    clock: str
    since: str
    kind: str
    what: Sourced
    milestones: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CauseRow:
    """A candidate. `score` is as `sre.incidents.causes` gives it; `is_true` says so where a drill knows the truth."""

    rank: int
    subject: str
    signature: str
    score: Sourced
    evidence: tuple[Sourced, ...]
    is_true: bool = False


@dataclass(frozen=True, slots=True)
class Causes:
    """What began it (`trigger`), what was found to add to it, and the ranking with what it is worth (`caveat`)."""

    trigger: Sourced
    contributing: tuple[Sourced, ...]
    candidates: tuple[CauseRow, ...]
    caveat: str
    limits: tuple[str, ...] = ()

    @property
    def shown(self) -> tuple[CauseRow, ...]:
        """The candidates a page has room for; a reader of the JSON has all."""
        return self.candidates[:MOST_CANDIDATES]

    @property
    def left_out(self) -> str:
        """How many are in the JSON only, and whether what the drill did is among them; "" for none."""
        rest = self.candidates[MOST_CANDIDATES:]
        truth = next((row for row in rest if row.is_true), None)
        if not rest:
            return ""
        if truth is None or any(row.is_true for row in self.shown):
            return f"And {len(rest)} more in post-incident.json"
        return f"And {len(rest)} more in post-incident.json, what the drill did at rank {truth.rank}"


@dataclass(frozen=True, slots=True)
class Lessons:
    """What worked, what did not, where we were lucky: from facts; `notes` are people's own words from the store."""

    worked: tuple[Sourced, ...]
    failed: tuple[Sourced, ...]
    lucky: tuple[Sourced, ...]
    notes: tuple[Sourced, ...] = ()


@dataclass(frozen=True, slots=True)
class ActionRow:
    """A follow-up. A proposed one was derived from a fact and nobody has taken it yet."""

    id: str
    title: Sourced
    owner: str
    due: str
    status: str
    is_proposed: bool = False


@dataclass(frozen=True, slots=True)
class CostRow:
    """`basis` is measured or assumed; `is_billed` whether a cloud sends a bill for it."""

    name: str
    amount: Sourced
    basis: str
    is_billed: bool
    formula: str


@dataclass(frozen=True, slots=True)
class CostTable:
    """One sum with its lines and what went into them. `spread` and `basis` say how sure it is."""

    title: str
    currency: str
    total: Sourced
    spread: str
    basis: str
    rows: tuple[CostRow, ...]
    inputs: tuple[CostRow, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApprovalRow:
    """A sign-off by role; `decision` is `open` for a role that has not signed. `state` is what it is worth for this
    content: only `approved` counts. `sha256` is of the content that was signed.
    """

    role: str
    name: str
    decision: str
    when: str
    document: str
    source: Source | None = None
    title: str = ""
    state: ApprovalState = "unchecked"
    sha256: str = ""
    comment: str = ""

    @property
    def is_asked(self) -> bool:
        """Whether it is a word on this report, given or missing."""
        return self.state != "other"

    @property
    def shown(self) -> str:
        """The decision as a reader has to take it."""
        said = {
            "missing": "open",
            "unchecked": f"{self.decision}, not checked",
            "outdated": f"outdated: {self.decision} an earlier version",
            "other": f"{self.decision} another document",
        }.get(self.state, self.decision)
        return f"{said}: {self.comment}" if self.comment else said


@dataclass(frozen=True, slots=True)
class Related:
    """A page that belongs to it: `rel` is `runbook`, `risk`, `report`, `dashboard`, `ticket` ..."""

    rel: str
    title: str
    target: str


@dataclass(frozen=True, slots=True)
class Quote:
    """One raw line of a record; `number` is its line in the file, 0 where it has none."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """An entry of the appendix: what stands at a source, word for word. `href` leads to it, "" where nothing can be
    opened; `note` says what was left out, or why nothing is quoted.
    """

    number: int
    source: Source
    href: str
    quotes: tuple[Quote, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class PostIncidentReport:
    """The whole report. `zero` is what `since` counts from, named by `zero_name`; the summary is three sentences: what
    happened, what it did to users, how it ended. `anchor` is the store's chain at the newest event it is built from;
    `content_sha256` what the roles sign, see `sre.reports.postincident.signing`.
    """

    id: str
    title: str
    origin: str
    status: str
    severity: Sourced
    is_drill: bool
    tone: Tone
    subtitle: str
    began_at: float
    ended_at: float
    zero: float
    zero_name: str
    summary: tuple[Sourced, Sourced, Sourced]
    figures: tuple[Figure, ...]
    impact: tuple[Figure, ...]
    milestones: tuple[MilestoneRow, ...]
    durations: tuple[Figure, ...]
    timeline: tuple[TimelineRow, ...]
    detection: tuple[Sourced, ...]
    causes: Causes
    lessons: Lessons
    actions: tuple[ActionRow, ...]
    costs: tuple[CostTable, ...]
    questions: tuple[Sourced, ...]
    approvals: tuple[ApprovalRow, ...]
    related: tuple[Related, ...]
    limits: tuple[str, ...]
    anchor: str = ""
    evidence: tuple[Evidence, ...] = ()
    content_sha256: str = ""

    @property
    def shown_timeline(self) -> tuple[TimelineRow, ...]:
        """The rows of a page: without a drill's start of its platform, which is over before the first request."""
        if not self.is_drill:
            return self.timeline
        first = next((row.at for row in self.timeline if row.kind == "load"), self.began_at)
        return tuple(row for row in self.timeline if not _is_start_up(row, first))

    @property
    def unsigned(self) -> tuple[str, ...]:
        """Roles whose approval of this content is missing, as they are read."""
        return tuple(row.title or row.role for row in self.approvals if row.is_asked and row.state != "approved")


def _is_start_up(row: TimelineRow, first_request_at: float) -> bool:
    return row.kind == "platform" and row.at < first_request_at and not row.milestones
