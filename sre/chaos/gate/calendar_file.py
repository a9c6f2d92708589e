"""Reads `calendar.yaml`. Strict: a window that is misread is a drill on the wrong day."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sre.chaos.gate.calendar import DAYS, Calendar, Once, Weekly, Window
from sre.errors import BadDocument
from sre.slo.documents import Faults, Node, read_documents

_CLOCK = re.compile(r"(?P<hour>[01]?[0-9]|2[0-4]):(?P<minute>[0-5][0-9])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([ T][0-9]{2}:[0-9]{2}(:[0-9]{2})?)?")
_CLOCK_MEND = 'write a time of day in quotes, e.g. "09:00"'
_DATE_MEND = "write a local date or time without a zone, e.g. 2026-12-20 or 2026-12-20 18:00"
_EXAMPLE = 'write e.g. `- {days: [mon, tue], from: "09:00", to: "16:00", reason: office hours}`'


def read_calendar(path: Path) -> Calendar:
    """Raises BadDocument with every fault."""
    documents = read_documents(path)
    if len(documents) != 1:
        raise BadDocument([f"{path}:1: document: holds {len(documents)} documents: write exactly one calendar"])
    faults = Faults(path)
    fields = faults.mapping(documents[0], ("zone", "allow", "freeze"))
    zone = _zone(faults.required(documents[0], "zone", "name a time zone, e.g. Europe/Berlin or UTC"), faults)
    allow, freeze = (_windows(fields.get(key), faults) for key in ("allow", "freeze"))
    if "allow" in fields and not allow and not faults.found:
        faults.add(fields["allow"], f"is empty, so that no drill would ever be allowed: {_EXAMPLE}")
    if faults.found:
        raise BadDocument(faults.found)
    return Calendar(zone, allow, freeze, str(path))


def _zone(node: Node | None, faults: Faults) -> ZoneInfo:
    name = faults.text(node, "name a time zone, e.g. Europe/Berlin or UTC")
    if node is not None and name:
        try:
            return ZoneInfo(name)
        except (ValueError, KeyError, OSError):
            mend = "name one of the IANA database, e.g. Europe/Berlin or UTC (or install the package tzdata)"
            faults.add(node, f"is {node.kind}, no time zone: {mend}")
    return ZoneInfo("UTC")


def _windows(node: Node | None, faults: Faults) -> tuple[Window, ...]:
    return tuple(_window(item, faults) for item in faults.list_of(node, f"write a list: {_EXAMPLE}"))


def _window(node: Node, faults: Faults) -> Window:
    fields = faults.mapping(node, ("days", "from", "to", "reason"))
    starts, ends = (faults.required(node, key, _EXAMPLE) for key in ("from", "to"))
    reason = faults.text(fields.get("reason"), "say why in a few words")
    if "days" in fields:
        return Weekly(_days(fields["days"], faults), _minute(starts, faults), _minute(ends, faults), reason)
    start, end = _wall(starts, faults), _wall(ends, faults)
    if start is not None and end is not None and end <= start:
        faults.add(node, f"ends {end}, before it starts: put from and to in order")
    nowhen = datetime(1970, 1, 1)  # noqa: DTZ001  (wall time; a stand-in after a fault)
    return Once(start or nowhen, end or nowhen, reason)


def _days(node: Node, faults: Faults) -> frozenset[int]:
    mend = f"list days of {', '.join(DAYS)}"
    if node.items is not None and not node.items:
        faults.add(node, f"is empty: {mend}")
    named = [faults.one_of(item, DAYS, mend) for item in faults.list_of(node, mend)]
    return frozenset(DAYS.index(name) for name in named if name)


def _minute(node: Node | None, faults: Faults) -> int:
    if node is None:
        return 0
    found = _CLOCK.fullmatch(node.scalar) if isinstance(node.scalar, str) else None
    minute = 0 if found is None else int(found["hour"]) * 60 + int(found["minute"])
    if found is None or minute > 24 * 60:
        faults.add(node, f"is {node.kind}: {_CLOCK_MEND}")
    return minute


def _wall(node: Node | None, faults: Faults) -> datetime | None:
    if node is None:
        return None
    text = node.scalar if isinstance(node.scalar, str) else ""
    try:
        wall = datetime.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        wall = None
    if wall is None or not 1970 <= wall.year <= 2200:
        faults.add(node, f"is {node.kind}: {_DATE_MEND}; for every week give `days`")
        return None
    return wall
