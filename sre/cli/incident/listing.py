"""`sre incident list`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.incident.options import Store, Workspace
from sre.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sre.incidents.case import CaseHead


def list_(
    status: Annotated[
        list[str] | None, typer.Option("--status", help="open, acknowledged, mitigated, resolved, closed; repeatable.")
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option("--origin", help="drill, alertmanager, manual, tabletop; repeatable. Default: all but tabletops."),
    ] = None,
    severity: Annotated[list[str] | None, typer.Option("--severity", help="SEV1 ... SEV4; repeatable.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Opened since: 7d (also h, m, w), a day, or a time with its zone.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Most to print; 0 is all.")] = 50,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """List incidents, the newest first: age, severity, status, time to detect, requests failed, cost."""
    import time

    from sre.cli.incident.head_table import head_json, print_heads
    from sre.cli.incident.opened import store_to_read
    from sre.cli.incident.words import chosen, since_moment
    from sre.console import print_json
    from sre.incidents.events import Origin, Severity, Status

    statuses = chosen(Status, status, "--status")
    origins = chosen(Origin, origin, "--origin")
    severities = chosen(Severity, severity, "--severity")
    now = time.time()
    begin = None if since is None else since_moment(since, now)
    with store_to_read(workspace, store) as opened:
        heads: Sequence[CaseHead] = ()
        if opened is not None:
            heads = opened.heads(origins=origins, statuses=statuses, since=begin)
    found = [head for head in heads if not severities or head.severity in severities]
    shown = found[:limit] if limit else found
    if as_json:
        print_json({"total": len(found), "incidents": [head_json(head) for head in shown]})
    else:
        print_heads(shown, total=len(found), now=now)
