"""The after-action report and improvement plan as a document. Approvals are told beside it, they are not part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sre.reports.formats import clock, date_time, plural, seconds
from sre.tabletop.approvals import ApprovalState
from sre.tabletop.documents.model import Block, Document, Grid, Heading, Items, Text
from sre.tabletop.model import RATINGS
from sre.tabletop.review import Finding, InjectResult, Review

NAME = "after-action"


def after_action(review: Review, approvals: Sequence[ApprovalState], sha256: str) -> Document:
    """`sha256` is that of the JSON file, which is what gets approved."""
    return Document(
        NAME,
        f"After-action report: {review.name}",
        f"{review.session}, {review.experiment}: {review.title}",
        "control",
        tuple(_blocks(review, approvals, sha256)),
    )


def _blocks(review: Review, approvals: Sequence[ApprovalState], sha256: str) -> Iterator[Block]:
    yield Heading("Summary")
    yield Text(_summary(review))
    yield Grid(("", ""), tuple(_facts(review)), (26, 74))
    yield from _approvals(approvals, sha256)
    yield Heading("Objectives")
    names = {rating: name for rating, name, _ in review.ratings}
    rows = tuple(
        (o.id, o.title, f"{o.rating}: {names[o.rating]}" if o.rating else "n/a", o.basis) for o in review.objectives
    )
    yield Grid(("", "Objective", "Rating", "On what"), rows, (6, 26, 34, 34))
    yield Text(review.rating_source, "note")
    yield Heading("Strengths")
    yield Grid(("", "What", "Seen"), _findings(review.strengths), (8, 34, 58), "None was rated P.")
    yield Heading("Areas for improvement")
    yield Grid(("", "What", "Seen", "Rating"), _findings(review.improvements, rated=True), (8, 32, 50, 10), "None.")
    yield Heading("Improvement plan")
    plan = tuple((i.id, i.title, i.owner, i.start or "n/a", i.due or "n/a", i.status) for i in review.plan)
    head = ("", "Action", "Owner", "Start", "Due", "Status")
    yield Grid(head, plan, (6, 37, 18, 14, 14, 11), "Nothing was asked for.")
    yield Text("As it was at closing. How it stands now: `sre incident actions`.", "note")
    yield Heading("Answers against expected actions", starts_page=True)
    for inject in review.injects:
        yield from _inject(inject)
    yield Heading("What the drill had measured")
    yield Grid(("What", "Value", "Source"), tuple((f.label, f.value, f.source) for f in review.figures), (34, 46, 20))
    yield Heading("Timeline of the session")
    told = tuple((_minute(row.at_s), f"{clock(row.at)[:8]}", row.by, row.text) for row in review.timeline)
    yield Grid(("Minute", "UTC", "Who", "What"), told, (10, 12, 18, 60))


def _summary(review: Review) -> str:
    counts = review.counts()
    rated = ", ".join(f"{counts[rating]} {rating}" for rating in RATINGS if counts[rating]) or "none"
    played = sum(one.outcome == "played" for one in review.injects)
    answers = sum(len(one.answers) for one in review.injects)
    return (
        f"{review.name} was played on {date_time(review.opened_at)[:10]} for {seconds(review.played_s)} of "
        f"{review.planned_min} min planned; what it was about: {review.cause}. "
        f"Of {plural(len(review.injects), 'inject')} {played} {'was' if played == 1 else 'were'} played, "
        f"with {plural(answers, 'answer')}; ratings: {rated}. "
        f"The improvement plan holds {plural(len(review.plan), 'action')}."
    )


def _facts(review: Review) -> Iterator[tuple[str, str]]:
    evidence = review.evidence
    drill = f"{evidence.report} ({evidence.verdict}), manifest sha256 {evidence.manifest}"
    yield "Session", f"{review.session}, opened {date_time(review.opened_at)}, closed {review.closed_on}"
    yield "Experiment", f"{review.experiment}, runbook `runbooks/{review.runbook}.md`"
    yield "Drill behind it", drill if evidence.report else f"n/a ({evidence.reason})"
    yield "Package", f"sha256 {review.package}"
    yield "Took part", ", ".join(review.participants) or "n/a (nobody was noted)"


def _approvals(approvals: Sequence[ApprovalState], sha256: str) -> Iterator[Block]:
    yield Heading("Approvals")
    rows = tuple((a.title, a.confirms, a.state, a.name, a.when, a.comment) for a in approvals)
    yield Grid(("Role", "Confirms", "State", "Name", "When", "Comment"), rows, (16, 28, 13, 14, 15, 14))
    missing = [a.title for a in approvals if a.state != "approved"]
    lack = f"Missing: {', '.join(missing)}." if missing else "All approvals are there."
    names = [a.name for a in approvals if a.state == "approved"]
    for name in dict.fromkeys(one for one in names if names.count(one) > 1):
        yield Text(f"{name} approved for more than one role.", "note")
    yield Text(f"{lack} Approved is `after-action.json` with sha256 `{sha256}`.", "note")


def _inject(inject: InjectResult) -> Iterator[Block]:
    yield Heading(f"{inject.id}. {inject.title}: {inject.rating or 'not rated'}", 3)
    when = f"at minute {_minute(inject.released_s)}" if inject.released_s is not None else inject.outcome
    yield Text(f"To {inject.receiver}, {when}, planned for minute {inject.planned_min}.", "note")
    yield Text("Expected:")
    yield Items(inject.expected)
    yield Text("Said:" if inject.answers else "Said: n/a (no answer was noted)")
    if inject.answers:
        yield Items(tuple(f"{said.by}, {_minute(said.at_s)}: {said.text}" for said in inject.answers))
    if inject.remark:
        yield Text(f"Evaluator: {inject.remark}")


def _findings(findings: Sequence[Finding], *, rated: bool = False) -> tuple[tuple[str, ...], ...]:
    return tuple((f.about, f.title, f.text, *((f.rating,) if rated else ())) for f in findings)


def _minute(at_s: float) -> str:
    minutes, rest = divmod(int(at_s), 60)
    return f"{minutes}:{rest:02d}"
