"""What the roles sign, and what a signature is worth for the report as it is now."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sre.incidents.approvals import APPROVERS, Approver, newest_words, title_of
from sre.incidents.events import Approved, Event
from sre.reports.postincident.json_file import post_incident_json
from sre.reports.postincident.model import ApprovalRow, ApprovalState, PostIncidentReport
from sre.reports.postincident.sources import key_of, sources_of
from sre.reports.postincident.story import event_source

DOCUMENT = "post-incident.json"
"""The name a signature holds; Markdown and HTML are made from this file."""


def content_of(report: PostIncidentReport) -> PostIncidentReport:
    """The report without its approvals: no rows, no `content_sha256`, and no evidence that only approvals refer to.

    Nothing else of a report depends on who signed it: `Approved` events are no rows of its timeline and move neither
    its span nor its anchor. So signing does not change what was signed.
    """
    bare = replace(report, approvals=(), content_sha256="")
    used = {key_of(source) for source in sources_of(bare)}
    return replace(bare, evidence=tuple(entry for entry in report.evidence if key_of(entry.source) in used))


def content_sha256(report: PostIncidentReport) -> str:
    """What a role signs: sha256 of the bytes `post-incident.json` has for `content_of` the report.

    It covers every statement, figure, source and quoted line, the paths of links, and (by the anchor) every event of
    the incident but approvals and links to reports. A later event, another figure or another price change it.
    """
    return hashlib.sha256(post_incident_json(content_of(report)).encode()).hexdigest()


def sealed(report: PostIncidentReport) -> PostIncidentReport:
    """`report`, with its evidence, under its sha256, and each approval held against it."""
    sha256 = content_sha256(report)
    return replace(report, content_sha256=sha256, approvals=judged(report.approvals, sha256))


def judged(rows: Iterable[ApprovalRow], sha256: str) -> tuple[ApprovalRow, ...]:
    """Each approval held against the sha256 of a content."""
    return tuple(replace(row, state=_state(row, sha256)) for row in rows)


def approval_rows(events: Sequence[Event], roles: Sequence[Approver] = APPROVERS) -> Iterator[ApprovalRow]:
    """The newest word of each role on this document, roles that have not signed, then words on other documents.

    What they are worth is not said before the report is `sealed`.
    """
    words = dict(newest_words(events))
    for role in roles:
        event = words.pop((DOCUMENT, role.id), None)
        yield _open(role) if event is None else _row(event, "unchecked")
    for event in words.values():
        yield _row(event, "other")


def signing_words(report: PostIncidentReport) -> str:
    """What is signed and by whom not yet, for the head of the section."""
    if not report.content_sha256:
        return "This report was not sealed: no approval counts."
    missing = ", ".join(report.unsigned)
    rest = f"Missing: {missing}." if missing else "All roles approved this content."
    return f"The roles sign all of this report but the approvals: sha256 {report.content_sha256[:12]}. {rest}"


def _state(row: ApprovalRow, sha256: str) -> ApprovalState:
    if row.state != "unchecked":
        return row.state
    if row.sha256 != sha256:
        return "outdated"
    return "approved" if row.decision == "approved" else "rejected"


def _open(role: Approver) -> ApprovalRow:
    return ApprovalRow(role.id, "", "open", "", "", title=role.title, state="missing")


def _row(event: Event, state: ApprovalState) -> ApprovalRow:
    word = event.payload
    if not isinstance(word, Approved):
        raise TypeError(f"{event.incident}#{event.seq} is no approval")
    return ApprovalRow(
        role=word.role,
        name=word.name,
        decision=word.decision,
        when=datetime.fromtimestamp(event.at, UTC).strftime("%Y-%m-%d %H:%M UTC"),
        document=f"{word.document} sha256 {word.sha256[:12]}" if word.sha256 else word.document,
        source=event_source(event),
        title=title_of(word.role),
        state=state,
        sha256=word.sha256,
        comment=word.comment,
    )
