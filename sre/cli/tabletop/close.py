"""`sre tabletop close` and `approve`."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.gameday.options import Workspace, short
from sre.cli.options import Json
from sre.cli.tabletop.options import FOLDER, Package, Store, complete, opened, played_of, session_id, who

if TYPE_CHECKING:
    from sre.tabletop.closing import Closed

Session = Annotated[
    str, typer.Argument(metavar="ID", help="TTX-0001, or 1.", parser=session_id, autocompletion=complete)
]


def close(
    session: Session,
    out: Annotated[
        Path | None, typer.Option("--out", help=f"Folder of the report; default: {FOLDER}/<session> in the workspace.")
    ] = None,
    package: Package = None,
    store: Store = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Write the after-action report and improvement plan of a session: HTML, Markdown and JSON.

    Actions of the plan go to the action list (`sre incident actions`). Closing again makes a new version; approvals of
    an earlier one do not count for it.
    """
    from sre.tabletop.closing import close_session

    with opened(store, workspace) as kept:
        case = kept.case(session)
        folder = out or (workspace or Path()) / FOLDER / session
        closed = close_session(kept, case, played_of(case, package), folder, actor=who(), clock=time.time)
    _tell(closed, as_json=as_json)


def approve(
    session: Session,
    role: Annotated[str, typer.Option("--role", help="sre-lead, security-grc or finance.")],
    name: Annotated[str, typer.Option("--name", help="Who approves.")],
    reject: Annotated[bool, typer.Option("--reject", help="Reject instead; needs --comment.")] = False,
    comment: Annotated[str, typer.Option("--comment", help="Kept with the approval.")] = "",
    store: Store = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Approve the after-action report of a session for one role, with the time and the document's sha256.

    Refused when the report changed since it was written. When every required role approved, the session is closed.
    """
    from sre.incidents.approvals import Signature
    from sre.tabletop.closing import approve

    with opened(store, workspace) as kept:
        signature = Signature(role, name, reject, comment)
        closed = approve(kept, kept.case(session), signature, at=time.time())
    _tell(closed, as_json=as_json)


def _tell(closed: Closed, *, as_json: bool) -> None:
    from sre.console import print_json

    told = closed.review
    if as_json:
        print_json(
            {
                "session": told.session,
                "folder": str(closed.folder),
                "sha256": closed.sha256,
                "objectives": {one.id: one.rating for one in told.objectives},
                "actions": [one.id for one in told.plan],
                "approvals": {one.role: one.state for one in closed.approvals},
            }
        )
        return
    rated = ", ".join(f"{one.id} {one.rating or 'n/a'}" for one in told.objectives)
    typer.echo(f"{told.session}: {short(closed.folder / 'after-action.html')}")
    typer.echo(f"  objectives: {rated}; {len(told.plan)} actions in the improvement plan")
    typer.echo(f"  approvals: {', '.join(f'{one.role} {one.state}' for one in closed.approvals)}")
    missing = next((one.role for one in closed.approvals if one.state != "approved"), None)
    if missing is not None:
        typer.echo(f"Next: sre tabletop approve {told.session} --role {missing} --name NAME")
