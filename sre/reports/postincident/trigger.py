"""Trigger and contributing causes. A drill knows what it did; the ranking stands beside it, never mixed with it."""

from __future__ import annotations

from collections.abc import Iterator

from sre.incidents.causes.model import Candidate, CauseRanking
from sre.incidents.events import Observed
from sre.incidents.model import FaultWindow
from sre.reports.facts import first_fault
from sre.reports.formats import NOT_AVAILABLE, clock, seconds
from sre.reports.model import DrillReport
from sre.reports.postincident.model import CauseRow, Causes, Source, Sourced
from sre.reports.postincident.story import Story, event_source, report_source

CAVEAT = (
    "Candidates are ranked by how early and how far each stood out from the others; that one came first does not prove "
    "that it began it. How often the ranking is right is measured on drills, where the truth is known."
)
NO_RANKING = "No ranking of candidates was made."
_DRILL = " In this drill the truth is known: the ranking did not see it, so that it can be judged."


def causes(story: Story, ranking: CauseRanking | None) -> Causes:
    """The trigger from the ledger or from people; candidates from the ranking."""
    fault = None if story.drill is None else first_fault(story.drill)
    caveat = CAVEAT if ranking is not None and ranking.candidates else NO_RANKING
    return Causes(
        trigger=_trigger(story, fault),
        contributing=tuple(_contributing(story)),
        candidates=tuple(_row(one, fault) for one in (ranking.candidates if ranking is not None else ())),
        caveat=caveat + (_DRILL if fault is not None and caveat == CAVEAT else ""),
        limits=ranking.limits if ranking is not None else (),
    )


def _trigger(story: Story, fault: FaultWindow | None) -> Sourced:
    if fault is not None:
        source = story.sources("fault_injected")
        proof = f"proven: {fault.proof}" if fault.proven else f"not proven: {fault.proof}"
        what = f"{fault.fault} was injected into {fault.target} at {clock(fault.begin)} UTC"
        return Sourced(f"Known, because this was a drill: {what}; {proof}.", (*source, report_source("faults/0")))
    for event in reversed(story.case.events):
        if isinstance(event.payload, Observed) and event.payload.kind == "fault":
            return Sourced(event.text, (event_source(event),))
    mark = story.marks.get("identified")
    if mark is not None and mark.at is not None:
        return Sourced(f"Identified at {clock(mark.at)} UTC; the store holds no words for it.", (mark.source,))
    return Sourced(NOT_AVAILABLE, (event_source(story.opened),), "nobody has named what began it")


def _contributing(story: Story) -> Iterator[Sourced]:
    """What the drill's own records say added to it."""
    if story.drill is not None:
        yield from _of_drill(story.drill)


def _of_drill(drill: DrillReport) -> Iterator[Sourced]:
    for index, fault in enumerate(drill.faults[1:], 1):
        text = f"A further fault lay upon it: {fault.fault} on {fault.target} from {clock(fault.begin)} UTC."
        yield Sourced(text, (report_source(f"faults/{index}"),))
    subject = drill.subject
    if drill.is_known and subject is not None and subject.weakness is not None:
        weak = f"Known weakness {subject.risk}: {subject.weakness.rstrip('.')}."
        yield Sourced(weak, (report_source("subject/weakness"),))
    for index, span in enumerate(drill.spans):
        if span.state == "starting" and span.start > drill.started_at:
            text = f"{span.replica} needed {seconds(span.end - span.start)} from its start until it served."
            yield Sourced(text, (report_source(f"spans/{index}"),))
    retried = drill.incident.impact.retried
    if retried:
        text = f"{retried:,} requests were tried at another replica and added to its load."
        yield Sourced(text, (report_source("incident/impact/retried"),))


def _row(one: Candidate, fault: FaultWindow | None) -> CauseRow:
    evidence = tuple(
        Sourced(f"{clock(e.at)} UTC: {e.text}" if e.at is not None else e.text, (Source(e.source or "samples.jsonl"),))
        for e in one.evidence
    )
    sources = tuple(dict.fromkeys(source for e in evidence for source in e.sources)) or (Source("samples.jsonl"),)
    return CauseRow(
        rank=one.rank,
        subject=f"{one.kind} {one.subject}" if one.kind != one.subject else one.subject,
        signature=one.signature,
        score=Sourced(f"{one.score:.2f}", sources[:3]),
        evidence=evidence,
        is_true=fault is not None and is_truth(one, fault),
    )


def is_truth(one: Candidate, fault: FaultWindow) -> bool:
    """Whether a candidate names what was injected, or what it was injected into."""
    return one.signature == fault.fault or one.subject in (*fault.hit, *fault.components, fault.target)
