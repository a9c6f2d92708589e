"""What worked, what did not, where we were lucky: only what a record says. People's words follow as they wrote them."""

from __future__ import annotations

from collections.abc import Iterator

from sre.incidents.events import Observed, RunbookStep
from sre.incidents.model import FAILED_OUTCOMES
from sre.reports.facts import availability
from sre.reports.formats import count, number, percent, plural, seconds, target
from sre.reports.model import Check, DrillReport
from sre.reports.postincident.model import Lessons, Source, Sourced
from sre.reports.postincident.story import Story, event_source, report_source

_RUN_ITSELF = frozenset({"run", "control", None})
_SETTING = frozenset({"proven", "steady-state"})
_NOTES = frozenset({"note", "decision"})


def lessons(story: Story) -> Lessons:
    drill = story.drill
    return Lessons(
        worked=(*_checks(drill, ok=True), *_steps(story, ok=True), *_early(story), *_saved(drill)),
        failed=(*_checks(drill, ok=False), *_missed(drill), *_steps(story, ok=False), *_unnoticed(story)),
        lucky=tuple(_luck(story)),
        notes=tuple(_notes(story)),
    )


def _checks(drill: DrillReport | None, *, ok: bool) -> Iterator[Sourced]:
    for index, check in enumerate(() if drill is None else drill.checks):
        if check.ok is ok and check.deciding and check.key not in _SETTING and (check.key or not ok):
            yield Sourced(_told(check), (report_source(f"checks/{index}"),))


def _told(check: Check) -> str:
    return f"{check.name[0].upper()}{check.name[1:]}: expected {check.expected}, observed {check.observed}."


def _missed(drill: DrillReport | None) -> Iterator[Sourced]:
    for index, result in enumerate(() if drill is None else drill.results):
        if drill is not None and result.met is False and result.source == drill.primary_source:
            allowed = target(result.slo.budget)
            text = f"{result.slo.title} was {percent(result.error_ratio)} bad against {allowed} allowed."
            yield Sourced(text, (report_source(f"results/{index}/error_ratio"),))
    for index, fault in enumerate(() if drill is None else drill.faults):
        if fault.undone_by not in _RUN_ITSELF:
            text = f"{fault.fault} had to be ended by {fault.undone_by}; the run did not end it itself."
            yield Sourced(text, (report_source(f"faults/{index}/undone_by"),))


def _steps(story: Story, *, ok: bool) -> Iterator[Sourced]:
    for event in story.case.events:
        step = event.payload
        if isinstance(step, RunbookStep) and step.verdict == ("ok" if ok else "failed"):
            word = "worked" if ok else "did not work"
            yield Sourced(f"Runbook {step.page}, step '{step.step}' {word}.", (event_source(event),))


def _early(story: Story) -> Iterator[Sourced]:
    lead = story.seconds("detected", "impact_start")
    if lead is not None and lead > 0:
        text = f"It was noticed {seconds(lead)} before a user was harmed."
        yield Sourced(text, story.sources("detected", "impact_start"))


def _saved(drill: DrillReport | None) -> Iterator[Sourced]:
    """Requests that a retry or a failover kept alive."""
    kept = sum(len(p.replicas) > 1 and p.outcome == "ok" for p in (drill.requests if drill is not None else ()))
    if kept:
        which = "request that met a second replica was" if kept == 1 else "requests that met a second replica were"
        moved = Source("requests.jsonl", "ok, more than one replica", pick="moved")
        yield Sourced(f"{kept:,} {which} answered in full.", (moved,))


def _unnoticed(story: Story) -> Iterator[Sourced]:
    mark = story.marks.get("detected")
    if mark is not None and mark.at is None and mark.reason:
        yield Sourced(f"Nothing noticed it: {mark.reason}.", (mark.source,))
    drill = story.drill
    if drill is not None and story.at("alerted") is None:
        lost = drill.incident.impact.failed
        if lost:
            text = f"{plural(lost, 'request')} failed and no page fired."
            yield Sourced(text, (report_source("incident/impact/failed"), *story.sources("alerted")))


def _luck(story: Story) -> Iterator[Sourced]:
    drill = story.drill
    if drill is None:
        return
    yield from _margin(drill)
    yield from _load(drill)
    yield from _spare(drill)


def _margin(drill: DrillReport) -> Iterator[Sourced]:
    """How many more failures the availability objective would have borne."""
    found = availability(drill)
    if found is None or not found.met:
        return
    left = int(found.total * found.slo.budget - (found.total - found.good))
    index = drill.results.index(found)
    sources = (report_source(f"results/{index}/good"), report_source(f"results/{index}/total"))
    objective = target(found.slo.target)
    text = f"At this traffic {plural(left, 'more failed request')} would have kept availability within {objective}."
    if left == 0:
        text = f"At this traffic one failed request of {count(found.total)} would have missed the {objective} promised."
    yield Sourced(text, sources)


def _load(drill: DrillReport) -> Iterator[Sourced]:
    lost = drill.incident.impact
    if lost.window_start is None or lost.window_end is None:
        return
    failed = sum(point.outcome in FAILED_OUTCOMES for point in drill.requests)
    if failed == 0 and lost.requests:
        text = (
            f"{plural(lost.requests, 'request')} met the fault because {number(drill.workload.rate_rps)} a second were "
            f"offered and it lasted {seconds(lost.window_end - lost.window_start)}; more load was not tried."
        )
        yield Sourced(text, (report_source("incident/impact/requests"), report_source("workload/rate_rps")))


def _spare(drill: DrillReport) -> Iterator[Sourced]:
    hit = {name for fault in drill.faults for name in fault.replicas}
    left = len(drill.platform.replicas) - len(hit & set(drill.platform.replicas))
    if hit and 0 < left < len(drill.platform.replicas):
        text = (
            f"{left} of {plural(len(drill.platform.replicas), 'replica')} were not hit; a second one failing at the "
            "same time was not part of this drill."
        )
        yield Sourced(text, (report_source("faults/0/replicas"), report_source("platform/replicas")))


def _notes(story: Story) -> Iterator[Sourced]:
    for event in story.case.events:
        if isinstance(event.payload, Observed) and event.payload.kind in _NOTES:
            yield Sourced(f"{event.actor or 'somebody'}: {event.text}", (event_source(event),))
