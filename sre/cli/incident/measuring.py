"""`sre incident measure`: figures of an incident that no drill measured, so that money can be counted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sre.cli.incident.options import Actor, At, Id, Reason, Store, Workspace
from sre.cli.options import Json

COUNTS = ("requests", "requests_failed", "requests_rejected", "requests_degraded")
COST = "cost_usd"
_UNKNOWN = "n/a"


def measure(
    incident: Id,
    figures: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME=VALUE...",
            help=f"{', '.join((*COUNTS, COST))}. requests_failed holds the rejected ones; n/a needs a --reason.",
        ),
    ],
    evidence: Annotated[str, typer.Option("--evidence", help="Where it was read: a query, a URL, file:line.")] = "",
    at: At = "now",
    reason: Reason = "",
    actor: Actor = None,
    store: Store = None,
    workspace: Workspace = Path(),
    as_json: Json = False,
) -> None:
    """Write down what was counted: requests sent, failed, refused, slow, and what it cost. The newest of a name holds.

    `sre cost incident`, the briefing and the post-incident report count with these.
    """
    from sre.cli.incident.changing import change
    from sre.incidents.events import Measured

    known = _figures(figures, reason)
    measured = Measured(known, {name: reason for name, value in known.items() if not value})
    said = ", ".join(f"{name} {value or _UNKNOWN}" for name, value in known.items())
    text = f"{said} ({evidence})" if evidence else said
    change(incident, lambda _, saying: [saying.draft(measured, text)], at, reason, actor, store, workspace, as_json)


def _figures(given: Sequence[str], reason: str) -> dict[str, str]:
    """Decimals as text, "" for n/a. Raises SreError on a name nobody reads and on what is no amount."""
    from sre.errors import SreError

    found: dict[str, str] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in (*COUNTS, COST):
            raise SreError(f"{text!r}: write NAME=VALUE, the name one of {', '.join((*COUNTS, COST))}")
        if value == _UNKNOWN and not reason.strip():
            raise SreError(f'{name} n/a needs a reason: add --reason "..."')
        found[name] = "" if value == _UNKNOWN else _amount(name, value)
    return found


def _amount(name: str, text: str) -> str:
    import re

    from sre.errors import SreError

    if not re.fullmatch(r"\d{1,18}(\.\d{1,12})?" if name == COST else r"\d{1,18}", text, re.ASCII):
        raise SreError(f"{name}: {text!r} is no {'amount' if name == COST else 'count'}: write digits, or n/a")
    return text
