"""`sre report approve`: a role signs a post-incident report."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sre.cli.cost.sums import FinanceFile
from sre.cli.gameday.options import Workspace, short
from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.reports.sign_off import SignedOff


def approve(
    which: Annotated[
        str, typer.Argument(metavar="INC-0001|REPORT_FOLDER", help="An incident, or the folder of its report.")
    ],
    role: Annotated[str, typer.Option("--role", help="sre-lead, security-grc or finance.")],
    name: Annotated[str, typer.Option("--name", help="Who approves.")],
    reject: Annotated[bool, typer.Option("--reject", help="Reject instead; needs --comment.")] = False,
    comment: Annotated[str, typer.Option("--comment", help="Kept with the approval.")] = "",
    store: Annotated[
        str | None,
        typer.Option("--store", help="The incident store. Default: $SRE_INCIDENTS_URL, else incidents.sqlite."),
    ] = None,
    finance: FinanceFile = None,
    workspace: Workspace = None,
    as_json: Json = False,
) -> None:
    """Approve a post-incident report for one role: name, time and the sha256 of its content go into the store.

    Refused when the report in the folder is not what would be built now. The approval counts until the content
    changes: close the incident and its actions first. The pages show it once they are built again. A --finance that
    the report was built with is named here too.
    """
    from sre.cli.incident.opened import store_there, store_to_write
    from sre.cli.incident.words import incident_id
    from sre.cli.report.build import costs_by
    from sre.incidents.approvals import Signature
    from sre.reports.sign_off import sign_off

    root, signature = workspace or Path(), Signature(role, name, reject, comment)
    with store_there(root, store):
        pass  # signing makes no store
    with store_to_write(root, store) as kept:
        wanted = which if Path(which).is_dir() else incident_id(which)
        signed = sign_off(wanted, signature, kept, root, costs_by(finance, root), at=time.time())
    _tell(signed, as_json=as_json)


def _tell(signed: SignedOff, *, as_json: bool) -> None:
    from sre.console import print_json
    from sre.incidents.visible import visible

    asked = [row for row in signed.approvals if row.is_asked]
    if as_json:
        told = {"incident": signed.incident, "folder": str(signed.folder), "content_sha256": signed.sha256}
        said = {"role": signed.word.role, "name": signed.word.name, "decision": signed.word.decision}
        states = {row.role: row.state for row in asked}
        print_json({"ok": True, **told, **said, "approvals": states, "next": signed.build_command})
        return
    typer.echo(visible(f"{signed.incident}: {signed.word.decision} by {signed.word.name} ({signed.word.role})"))
    typer.echo(f"  document: {short(signed.folder / signed.word.document)}, content sha256 {signed.sha256[:12]}")
    typer.echo(f"  approvals: {', '.join(f'{row.role} {row.state}' for row in asked)}")
    typer.echo(f"Next, so that the pages show it: {signed.build_command}")
