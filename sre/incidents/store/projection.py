"""The lists that events leave, as rows of their tables and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Any, get_args

from sre.errors import SreError
from sre.incidents.case import CaseHead, Item
from sre.incidents.events import ItemStatus, Origin, Severity, Status
from sre.incidents.payloads import keepable
from sre.incidents.store.tables import HEADS

PREFIXES: Mapping[bool, str] = MappingProxyType({False: "INC", True: "TTX"})
_DECODE = json.JSONDecoder().raw_decode  # a third of what `loads` takes, felt over ten thousand lines
HEAD_COLUMNS = [HEADS.c[field.name] for field in fields(CaseHead)]
"""What a line of a list is read from, in this order."""
_ORIGINS, _STATUSES, _SEVERITIES = map(frozenset, (get_args(Origin), get_args(Status), get_args(Severity)))
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


def head_of(row: Sequence[Any], shown: str) -> CaseHead:
    """The line of `HEAD_COLUMNS`. Raises SreError where it was edited into something that is no incident."""
    name, _, origin, status, severity = row[:5]
    try:
        (milestones, _), (figures, _) = _DECODE(row[10]), _DECODE(row[11])
        if not isinstance(milestones, dict) or not isinstance(figures, dict):
            raise ValueError("milestones and figures are objects")
        if origin not in _ORIGINS or status not in _STATUSES or severity not in _SEVERITIES:
            raise ValueError(f"origin {origin!r:.20}, status {status!r:.20}, severity {severity!r:.20}")
    except (TypeError, ValueError) as error:
        raise damaged(shown, name, error) from error
    values: tuple[Any, ...] = (*row[:10], MappingProxyType(milestones), MappingProxyType(figures), row[12])
    return CaseHead(*values)


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
