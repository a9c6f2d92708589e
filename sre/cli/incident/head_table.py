"""Incidents as lines of a table, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

from rich.table import Table

from sre.cli.incident.terminal import console, words
from sre.cli.incident.words import age
from sre.incidents.case import CaseHead
from sre.incidents.codec import encode
from sre.incidents.durations import zero_of
from sre.incidents.events import Status
from sre.reports.formats import NOT_AVAILABLE, money, seconds
from sre.webhook.stale import stale_since, status_words

_COLOURS = {"open": "bold red", "acknowledged": "red", "mitigated": "yellow", "resolved": "green", "closed": "dim"}
_GRADES = {"SEV1": "bold red", "SEV2": "red", "SEV3": "yellow", "SEV4": ""}
_COST = "cost_"
_NUMBERS = ("age", "detected", "failed", "cost")


def print_heads(heads: Sequence[CaseHead], *, total: int, now: float) -> None:
    """The table, and how many of all stand how."""
    screen = console()
    if not heads:
        screen.print("no incident")
        return
    mixed = len({head.origin for head in heads}) > 1
    table = Table(box=None)
    for name in ("id", "age", "sev", "status", *(["origin"] if mixed else []), "detected", "failed", "cost"):
        table.add_column(name, no_wrap=True, justify="right" if name in _NUMBERS else "left")
    table.add_column("title")
    for head in heads:
        table.add_row(
            words(head.id),
            age(now - head.opened_at),
            words(head.severity, _GRADES[head.severity]),
            words(status_words(head), _COLOURS[head.status]),
            *([head.origin] if mixed else []),
            seconds(time_to_detect(head)),
            words(head.figures.get("requests_failed") or NOT_AVAILABLE),
            words(cost_words(head)),
            words(head.title),
        )
    screen.print(table)
    counts = Counter(head.status for head in heads)
    said = ", ".join(f"{counts[status]} {status}" for status in get_args(Status) if counts[status])
    more = f"; {total - len(heads)} older ones with --limit 0" if total > len(heads) else ""
    screen.print(f"{len(heads)} shown: {said}{more}", style="dim")


def head_json(head: CaseHead) -> dict[str, Any]:
    said: dict[str, Any] = encode(head)
    return {**said, "time_to_detect_s": time_to_detect(head), "stale_since": stale_since(head)}


def time_to_detect(head: CaseHead) -> float | None:
    """From the earliest milestone an incident may be counted from; None where one of both is not known."""
    zero, detected = zero_of(head.milestones), head.milestones.get("detected")
    if zero is None or zero == "detected" or detected is None:
        return None
    return detected - head.milestones[zero]


def cost_words(head: CaseHead) -> str:
    """What the incident cost, from its `cost_<currency>` figure."""
    found = next(((name, text) for name, text in head.figures.items() if name.startswith(_COST) and text), None)
    if found is None:
        return NOT_AVAILABLE
    try:
        return money(Decimal(found[1]), found[0].removeprefix(_COST).upper())
    except InvalidOperation:
        return found[1]
