"""Detection: who noticed first, how long after, and what the alert did or would have done."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from sre.incidents.events import AlertSeen
from sre.reports.drill_case import ACTOR
from sre.reports.formats import clock, number, seconds
from sre.reports.model import Check, DrillReport
from sre.reports.postincident.model import Sourced
from sre.reports.postincident.story import Mark, Story, event_source, report_source, words

_WHO = MappingProxyType(
    {
        "events.jsonl": "the platform's supervisor",
        "scraper": "the gateway's own metrics",
        "prometheus": "Prometheus",
        "requests.jsonl": "a client",
    }
)


def detection(story: Story) -> tuple[Sourced, ...]:
    """Statements in reading order; what cannot be said says why."""
    return (_noticed(story), *_against_users(story), *_alert(story), *_people(story))


def _noticed(story: Story) -> Sourced:
    mark = story.marks.get("detected")
    if mark is None or mark.at is None:
        why = (mark.reason if mark is not None else "") or "nobody marked it"
        return Sourced(f"Nothing is known to have noticed it: {why}.", story.sources("detected"))
    zero, name = story.zero
    doubt = f", known to ± {seconds(mark.uncertainty_s)}" if mark.uncertainty_s else ""
    after = "" if name == "detected" else f", {seconds(mark.at - zero)} after {name}{doubt}"
    return Sourced(f"{_who(story, mark)} noticed it first, at {clock(mark.at)} UTC{after}.", (mark.source,))


def _who(story: Story, mark: Mark) -> str:
    """Whose record the milestone is read from, in words."""
    event = story.event_of(mark)
    if event is not None and event.actor != ACTOR:
        return "An alert" if event.actor == "sre serve" else f"A person ({event.actor or 'unnamed'})"
    drilled = None if story.drill is None else _drill_source(story.drill)
    where = mark.source.where.split(":")[0]
    name = _WHO.get(drilled or "") or _WHO.get(where) or where
    return name[0].upper() + name[1:]


def _drill_source(drill: DrillReport) -> str | None:
    return next((mark.source for mark in drill.incident.milestones if mark.name == "detected"), None)


def _against_users(story: Story) -> Iterator[Sourced]:
    """Whether users knew before us."""
    lead = story.seconds("detected", "impact_start")
    if lead is None:
        mark = story.marks.get("impact_start")
        if mark is not None and mark.at is None and mark.reason:
            yield Sourced(f"No user is known to have noticed anything: {mark.reason}.", (mark.source,))
        return
    text = (
        f"Users were harmed {seconds(-lead)} before it was noticed."
        if lead < 0
        else f"It was noticed {seconds(lead)} before the first user was harmed."
    )
    yield Sourced(text, story.sources("detected", "impact_start"))


def _alert(story: Story) -> Iterator[Sourced]:
    mark = story.marks.get("alerted")
    if mark is not None and mark.at is not None:
        zero, name = story.zero
        after = "" if name == "alerted" else f", {seconds(mark.at - zero)} after {name}"
        yield Sourced(f"The first page fired at {clock(mark.at)} UTC{after}{_gap(story)}.", (mark.source,))
    elif mark is not None:
        yield Sourced(f"No page: {mark.reason}.", (mark.source,))
    if story.drill is not None:
        yield from _judged(story.drill)
    for event in story.case.events:
        if isinstance(event.payload, AlertSeen) and story.drill is None:
            yield Sourced(f"{event.text}.".replace("..", "."), (event_source(event),))


def _gap(story: Story) -> str:
    gap = story.seconds("detected", "alerted")
    return f", {seconds(gap)} after it was first noticed" if gap else ""


def _judged(drill: DrillReport) -> Iterator[Sourced]:
    """The drill's own check of the alert, and what the compressed windows mean for a real one."""
    check = alert_check_of(drill)
    if check is not None:
        index = drill.checks.index(check)
        word = "as expected" if check.ok else "not as expected"
        text = f"The alert behaved {word} ({check.name}): expected {check.expected}, observed {check.observed}."
        yield Sourced(text, (report_source(f"checks/{index}"),))
    if drill.clock_factor != 1:
        factor = number(drill.clock_factor)
        text = f"Alert windows were {factor} times shorter than in production: a page there comes later than here."
        yield Sourced(text, (report_source("clock_factor"),))


def alert_check_of(drill: DrillReport) -> Check | None:
    """The check that judges the alert; None in a drill that had none."""
    return next((check for check in drill.checks if check.key == "alert"), None)


def _people(story: Story) -> Iterator[Sourced]:
    for name in ("acknowledged", "identified"):
        mark = story.marks.get(name)
        at = None if mark is None else mark.at
        if mark is not None and at is not None:
            took = story.seconds("alerted", name)
            after = f", {seconds(took)} after the page" if took is not None else ""
            yield Sourced(f"It was {words(name)} at {clock(at)} UTC{after}.", (mark.source,))
