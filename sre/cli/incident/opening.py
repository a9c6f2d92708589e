"""`sre incident open`: by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sre.cli.incident.options import Actor, At, Store, Workspace
from sre.cli.options import Json

Grade = Literal["SEV1", "SEV2", "SEV3", "SEV4"]


def open_(
    title: Annotated[str, typer.Argument(help="What is wrong, in a few words.")],
    severity: Annotated[Grade, typer.Option("--severity", help="SEV1 is the gravest.", case_sensitive=False)] = "SEV3",
    service: Annotated[str, typer.Option("--service", help="What is hit.")] = "",
    key: Annotated[
        str,
        typer.Option("--key", help="Finds it again, e.g. a ticket; while one with it is not closed, no other opens."),
    ] = "",
    at: At = "now",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Open an incident by hand. --at is when it was noticed; say with `sre incident mark` when it began."""
    import time

    from sre.cli.incident.changing import tell
    from sre.cli.incident.opened import store_to_write
    from sre.cli.incident.words import login_name, moment
    from sre.errors import SreError
    from sre.incidents.events import MilestoneMark, Opened
    from sre.incidents.lifecycle import Saying

    if not title.strip():
        raise SreError("an incident needs a title: say in a few words what is wrong")
    saying = Saying(moment(at, time.time()), actor or login_name())
    opening = saying.draft(Opened(title.strip(), "manual", severity, key, service), f"opened: {title.strip()}")
    with store_to_write(workspace, store) as opened:
        known = opened.by_key(key) if key else None
        if known is not None and known.status != "closed":
            raise SreError(f"{known.id} is {known.status} under the key {key!r}: add to it, or close it first")
        case = opened.open(opening, saying.draft(MilestoneMark("detected", saying.at), "detected by a person"))
    tell(case, ["opened"], as_json)
