"""timeWindow: rolling, or aligned to a calendar in a time zone."""

from __future__ import annotations

import re
from datetime import datetime
from difflib import get_close_matches
from zoneinfo import ZoneInfo, available_timezones

from sre.slo.documents import Faults, Node
from sre.slo.openslo.durations import CALENDAR, FIXED, read_duration
from sre.slo.openslo.header import place_of
from sre.slo.openslo.model import Calendar, TimeWindow

_START = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}")


def read_window(node: Node | None, faults: Faults) -> TimeWindow | None:
    items = faults.list_of(node, "write a list with exactly one window")
    if node is None or node.items is None:
        return None
    if len(items) != 1:
        faults.add(node, f"is a list of {len(items)}: write a list with exactly one window")
        return None
    window = items[0]
    fields = faults.mapping(window, ("duration", "isRolling", "calendar"))
    calendar = fields.get("calendar")
    rolling = _is_rolling(window, faults)
    units, example = (FIXED, "28d") if rolling else (CALENDAR, "1M")
    given = faults.required(window, "duration", f"write e.g. `duration: {example}`")
    duration = read_duration(given, faults, units=units, example=example)
    aligned = _calendar(calendar, faults) if calendar is not None else None
    if duration is None or (calendar is not None and aligned is None):
        return None
    return TimeWindow(duration, aligned, place_of(window, faults))


def _is_rolling(window: Node, faults: Faults) -> bool:
    """Said by isRolling, or by there being a calendar; the two must agree."""
    fields = window.fields or {}
    node, calendar = fields.get("isRolling"), fields.get("calendar")
    if fields and node is None and calendar is None:
        faults.add(window, "missing: write `isRolling: true`, or a calendar", key="isRolling")
    rolling = faults.boolean(node, "write true, or false with a calendar", default=calendar is None)
    if node is not None and rolling and calendar is not None:
        faults.add(node, "is True beside a calendar: write `false`, or remove the calendar")
    if node is not None and not rolling and calendar is None:
        faults.add(node, "is False: write `true`, or give calendar.startTime and timeZone")
    return rolling


def _calendar(node: Node, faults: Faults) -> Calendar | None:
    faults.mapping(node, ("startTime", "timeZone"))
    start = _start(faults.required(node, "startTime", "write e.g. `startTime: 2026-01-01 00:00:00`"), faults)
    zone = _zone(faults.required(node, "timeZone", "name a time zone, e.g. Europe/Berlin or UTC"), faults)
    return Calendar(start, zone) if start is not None and zone else None


def _start(node: Node | None, faults: Faults) -> datetime | None:
    if node is None:
        return None
    mend = "write the local date and time, e.g. 2026-01-01 00:00:00, without a zone"
    text = node.scalar if isinstance(node.scalar, str) else ""
    try:
        start = datetime.fromisoformat(text) if _START.fullmatch(text) else None
    except ValueError:
        start = None
    if start is None:
        faults.add(node, f"is {node.kind}: {mend}")
    elif not 1970 <= start.year <= 2200:
        faults.add(node, f"is {node.kind}: write a year from 1970 to 2200")
        return None
    return start


def _zone(node: Node | None, faults: Faults) -> str:
    name = faults.text(node, "name a time zone, e.g. Europe/Berlin or UTC")
    if node is None or not name:
        return ""
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):
        known = available_timezones()
        near = get_close_matches(name, known, n=1)
        said = f"did you mean `{near[0]}`?" if near else "name one of the IANA database, e.g. Europe/Berlin or UTC"
        if not known:
            said = "this machine has no time zone data: install the package tzdata"
        faults.add(node, f"{node.kind} is no time zone: {said}")
        return ""
    return name
