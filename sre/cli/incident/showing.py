"""`sre incident show`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sre.cli.incident.options import Id, Store, Workspace
from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.incidents.case import Case


def show(
    incident: Id,
    events: Annotated[bool, typer.Option("--events", help="The raw events with their hashes instead.")] = False,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Show one incident: milestones with source or why n/a, timeline, alerts, figures, links, actions."""
    import time

    from sre.cli.incident.opened import store_there
    from sre.cli.incident.words import incident_id
    from sre.console import print_json

    with store_there(workspace, store) as opened:
        case = opened.case(incident_id(incident))
    if as_json:
        print_json(_json(case, events=events))
    elif events:
        from sre.cli.incident.case_page import print_events

        print_events(case)
    else:
        from sre.cli.incident.case_page import print_case

        print_case(case, time.time())


def _json(case: Case, *, events: bool) -> dict[str, Any]:
    from sre.cli.incident.head_table import head_json
    from sre.incidents.codec import encode
    from sre.incidents.durations import case_durations
    from sre.incidents.event_json import event_object

    said: dict[str, Any] = head_json(case.head)
    said["event_count"] = said.pop("events")
    said["marks"] = [{**encode(mark), "source": source} for mark, source in case.marks.values()]
    said["durations"] = encode(case_durations(case.marks))
    for name in ("alerts", "links", "steps", "items", "answers", "approvals", "reasons"):
        said[name] = encode(getattr(case, name))
    said["timeline"] = [
        {name: row[name] for name in ("at", "kind", "payload", "text", "source", "actor")}
        for row in map(event_object, sorted(case.events, key=lambda event: (event.at, event.seq)))
    ]
    if events:
        said["events"] = [event_object(event) for event in case.events]
    return said
