"""Follow-ups: those people took, then those a failed check, a missed page or a late detection proposes."""

from __future__ import annotations

from collections.abc import Iterator

from sre.incidents.events import ItemSet
from sre.reports.model import DrillReport
from sre.reports.postincident.model import ActionRow, Causes, Source, Sourced
from sre.reports.postincident.story import Story, event_source, report_source

PROPOSED = "proposed, no owner yet"
_MENDS = {
    "alert": "Mend the alert or what it is expected to do: {check}",
    "recovery": "Shorten the recovery or state what it really takes: {check}",
    "requests": "Keep requests alive through this failure, or state what may fail: {check}",
    "cost": "Bring the cost of this failure down, or state what it may cost: {check}",
    "proven": "Repeat the drill with a fault that proves its effect: {check}",
    "undone": "Let the run end its fault by itself: {check}",
}


def actions(story: Story, causes: Causes) -> tuple[ActionRow, ...]:
    """Taken ones in the order of their ids; proposals are numbered P1, P2 ... and are left out once an action says the
    same.
    """
    taken = tuple(_taken(story))
    known = {row.title.text for row in taken}
    fresh = [(title, source) for title, source in _proposals(story, causes) if title not in known]
    proposed = (
        ActionRow(f"P{n}", Sourced(title, (source,)), "", "", PROPOSED, is_proposed=True)
        for n, (title, source) in enumerate(dict(fresh).items(), 1)
    )
    return (*taken, *proposed)


def _taken(story: Story) -> Iterator[ActionRow]:
    newest = {e.payload.item: e for e in story.case.events if isinstance(e.payload, ItemSet)}
    for item in story.case.items:
        source = event_source(newest[item.item]) if item.item in newest else event_source(story.opened)
        title = f"{item.title} ({item.note})" if item.note else item.title
        yield ActionRow(item.item, Sourced(title, (source,)), item.owner, item.due or "", item.status)


def _proposals(story: Story, causes: Causes) -> Iterator[tuple[str, Source]]:
    drill = story.drill
    if drill is not None:
        yield from _from_checks(drill)
        if story.at("detected") is None and drill.faults:
            yield "Let something notice this failure: nothing did", report_source("incident/milestones")
    elif not causes.trigger.is_known:
        yield "Find what began it and write it down: sre incident note", event_source(story.opened)


def _from_checks(drill: DrillReport) -> Iterator[tuple[str, Source]]:
    for index, check in enumerate(drill.checks):
        if check.ok or check.key == "steady-state":
            continue
        said = f"{check.name}, expected {check.expected}, observed {check.observed}"
        default = "Look into it: {check}" if check.deciding else "Make the measurement sound: {check}"
        yield _MENDS.get(check.key, default).format(check=said), report_source(f"checks/{index}")
