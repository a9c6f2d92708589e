"""The lists that events leave, as rows of their tables and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_args

from sre.errors import SreError
from sre.incidents.case import CaseHead, Item
from sre.incidents.events import ItemStatus, Origin, Severity, Status
from sre.incidents.payloads import keepable

PREFIXES: Mapping[bool, str] = MappingProxyType({False: "INC", True: "TTX"})
_CHOICES = {
    "origin": frozenset(get_args(Origin)),
    "status": frozenset(get_args(Status)),
    "severity": frozenset(get_args(Severity)),
}
_ITEM_STATUSES = frozenset(get_args(ItemStatus))


def identity(origin: Origin, number: int) -> str:
    """`INC-0001`; `TTX-0001` for a tabletop."""
    return f"{PREFIXES[origin == 'tabletop']}-{number:04d}"


def number_of(incident: str) -> int:
    """What ids are sorted by: INC-10000 comes after INC-9999. 0 where it is no id of ours."""
    digits = incident.rpartition("-")[2]
    return int(digits) if digits.isdecimal() else 0


def head_row(head: CaseHead, opened_position: int) -> dict[str, Any]:
    return {
        "id": head.id,
        "opened_position": opened_position,
        "title": head.title,
        "origin": head.origin,
        "status": head.status,
        "severity": head.severity,
        "opened_at": head.opened_at,
        "updated_at": head.updated_at,
        "key": head.key,
        "service": head.service,
        "experiment": head.experiment,
        "milestones": _text(head.milestones),
        "figures": _text(head.figures),
        "events": head.events,
    }


def head_of(row: Mapping[Any, Any], shown: str) -> CaseHead:
    """Raises SreError where the list was edited into something that is no incident."""
    try:
        milestones, figures = json.loads(row["milestones"]), json.loads(row["figures"])
        if not isinstance(milestones, dict) or not isinstance(figures, dict):
            raise ValueError("milestones and figures are objects")
        for name, known in _CHOICES.items():
            if row[name] not in known:
                raise ValueError(f"{name} {row[name]!r:.40}")
    except (TypeError, ValueError) as error:
        raise damaged(shown, row["id"], error) from error
    said = {name: row[name] for name in row if name not in ("opened_position", "milestones", "figures")}
    return CaseHead(milestones=MappingProxyType(milestones), figures=MappingProxyType(figures), **said)


def item_row(item: Item) -> dict[str, Any]:
    return {name: getattr(item, name) for name in _ITEM_FIELDS}


def item_of_row(row: Mapping[Any, Any], shown: str) -> Item:
    if row["status"] not in _ITEM_STATUSES:
        raise damaged(
            shown, row["incident"], ValueError(f"action {row['item']!r:.40} has status {row['status']!r:.40}")
        )
    return Item(**row)


def by_due(item: Item) -> tuple[bool, str, str, int, str]:
    """The order of follow-up actions: by due day, those without one last."""
    return item.due is None, item.due or "", item.incident[:3], number_of(item.incident), item.item


def damaged(shown: str, incident: object, error: Exception) -> SreError:
    return SreError(
        f"{shown}: the list's line of {keepable(str(incident))[:40]} was changed ({error}): see `sre incident verify`"
    )


_ITEM_FIELDS = ("incident", "item", "title", "owner", "start", "due", "status", "note")


def _text(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), separators=(",", ":"), allow_nan=False)
