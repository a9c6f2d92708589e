"""`sre incident ack | mitigate | resolve | close | reopen`: the status, and the milestone of the same name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from sre.cli.incident.options import Actor, At, Id, Reason, Store, Workspace
from sre.cli.options import Json

if TYPE_CHECKING:
    from sre.incidents.case import Case
    from sre.incidents.events import Draft
    from sre.incidents.lifecycle import Saying

    Step = Callable[[Case, Saying], Sequence[Draft]]


def ack(
    incident: Id,
    at: At = "now",
    reason: Reason = "",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Say that you take it: time to acknowledge ends here."""
    from sre.incidents.lifecycle import move

    change(
        incident, lambda case, saying: move(case, "acknowledged", saying), at, reason, actor, store, workspace, as_json
    )


def mitigate(
    incident: Id,
    at: At = "now",
    reason: Reason = "",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Say that clients no longer suffer, though the cause may still be there."""
    from sre.incidents.lifecycle import move

    change(incident, lambda case, saying: move(case, "mitigated", saying), at, reason, actor, store, workspace, as_json)


def resolve(
    incident: Id,
    at: At = "now",
    reason: Reason = "",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Say that the service is as before and nothing more is expected of it."""
    from sre.incidents.lifecycle import move

    change(incident, lambda case, saying: move(case, "resolved", saying), at, reason, actor, store, workspace, as_json)


def close(
    incident: Id,
    at: At = "now",
    reason: Reason = "",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Say that the review is done and its actions are written down. Only what is resolved can be closed."""
    from sre.incidents.lifecycle import move

    change(incident, lambda case, saying: move(case, "closed", saying), at, reason, actor, store, workspace, as_json)


def reopen(
    incident: Id,
    reason: Reason = "",
    at: At = "now",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Open it again with a reason: it was not over. Its ends (mitigated, resolved, closed) are n/a from now on."""
    from sre.incidents.lifecycle import reopen as opened_again

    change(incident, opened_again, at, reason, actor, store, workspace, as_json)


def change(
    incident: str,
    step: Step,
    at: str,
    reason: str,
    actor: str | None,
    store: str | None,
    workspace: Path,
    as_json: bool,
) -> None:
    """Look at the incident, write what `step` makes of it, and say how it stands."""
    import time

    from sre.cli.incident.opened import add, store_to_write
    from sre.cli.incident.words import incident_id, login_name, moment
    from sre.incidents.lifecycle import Saying

    saying = Saying(moment(at, time.time()), actor or login_name(), reason=reason)
    with store_to_write(workspace, store) as opened:
        case = opened.case(incident_id(incident))
        drafts = step(case, saying)
        case = add(opened, case, drafts)
    tell(case, [draft.text for draft in drafts[:1]], as_json)


def tell(case: Case, lines: Sequence[str], as_json: bool) -> None:
    """What was written, and how the incident stands now."""
    from sre.cli.incident.terminal import plain
    from sre.console import print_json
    from sre.incidents.codec import encode

    if as_json:
        said: dict[str, Any] = {"ok": True, **encode(case.head)}
        print_json(said)
        return
    for line in lines:
        typer.echo(plain(f"{case.head.id}  {line}"))
    typer.echo(plain(f"{case.head.id}  now {case.head.status}, {case.head.severity}: {case.head.title}"))
