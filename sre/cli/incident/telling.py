"""`sre incident note | mark | severity | link`: what a person adds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from sre.cli.incident.opening import Grade
from sre.cli.incident.options import Actor, At, Id, Reason, Store, Workspace
from sre.cli.options import Json


def note(
    incident: Id,
    text: Annotated[str, typer.Argument(help="What you saw, decided or did.")],
    kind: Annotated[Literal["note", "decision", "action"], typer.Option("--kind", help="What it is.")] = "note",
    evidence: Annotated[str, typer.Option("--evidence", help="Where it can be looked at: file:line, URL, query.")] = "",
    at: At = "now",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Put a line into the timeline."""
    from sre.cli.incident.changing import change
    from sre.incidents.events import Observed

    observed = Observed(kind, evidence)
    change(incident, lambda _, saying: [saying.draft(observed, text)], at, "", actor, store, workspace, as_json)


def mark(
    incident: Id,
    milestone: Annotated[str, typer.Argument(help="detected, alerted, identified, mitigated, recovered ...")],
    at: Annotated[
        str, typer.Option("--at", help="When: now, -5m, 2026-03-01T10:00:00Z, Unix seconds; n/a with a --reason.")
    ] = "now",
    uncertainty: Annotated[
        float, typer.Option("--uncertainty", min=0.0, help="Seconds by which it may be off, either way.")
    ] = 0.0,
    reason: Reason = "",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Say when a milestone was reached, or why that is n/a. The newest mark holds, the others stay in the record."""
    from sre.cli.incident.changing import change
    from sre.errors import SreError
    from sre.incidents.events import MilestoneMark
    from sre.incidents.milestones import NAMES

    if milestone not in NAMES:
        raise SreError(f"{milestone!r} is no milestone: use one of {', '.join(NAMES)}")
    unknown = at == "n/a"
    if unknown and not reason.strip():
        raise SreError(f'{milestone} n/a needs a reason: add --reason "..."')

    change(
        incident,
        lambda _, saying: [
            saying.draft(
                MilestoneMark(milestone, None if unknown else saying.at, uncertainty, reason),
                f"{milestone} n/a" if unknown else milestone,
            )
        ],
        "now" if unknown else at,
        reason,
        actor,
        store,
        workspace,
        as_json,
    )


def severity(
    incident: Id,
    grade: Annotated[Grade, typer.Argument(metavar="SEV", help="SEV1 ... SEV4.", case_sensitive=False)],
    reason: Reason = "",
    at: At = "now",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Overrule the severity. A reason is needed unless it is what the SLO impact says."""
    from sre.cli.incident.changing import change
    from sre.incidents.lifecycle import grade as graded

    change(incident, lambda case, saying: graded(case, grade, saying), at, reason, actor, store, workspace, as_json)


def link(
    incident: Id,
    rel: Annotated[str, typer.Argument(help="runbook, report, dashboard, query, ticket ...")],
    target: Annotated[str, typer.Argument(help="A URL, a path in the workspace, or a query.")],
    title: Annotated[str, typer.Option("--title", help="What it is called.")] = "",
    at: At = "now",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Link what belongs to it. The sha256 of a file, or of a report folder's manifest, is kept with the link."""
    from sre.cli.incident.changing import change
    from sre.incidents.events import Linked

    linked = Linked(rel, target, title, _sha256(workspace / target))
    change(
        incident, lambda _, saying: [saying.draft(linked, f"{rel} {target}")], at, "", actor, store, workspace, as_json
    )


def _sha256(path: Path) -> str:
    import hashlib

    try:
        file = path / "manifest.json" if path.is_dir() else path
        return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    except (OSError, ValueError):  # a URL or a query may be no path at all
        return ""
