"""OpenSLO's duration shorthand: a positive whole number and one of m, h, d, w, M, Q, Y (1m is a minute)."""

from __future__ import annotations

import re

from sre.slo.documents import Faults, Node
from sre.slo.openslo.model import UNIT_S, Duration

_SHORTHAND = re.compile(r"([0-9]{1,7})([mhdwMQY])")
_LONGEST_S = 10 * 366 * 86400.0
FIXED, CALENDAR = "mhdw", "dwMQY"
_WORDS = {"m": "m", "h": "h", "d": "d", "w": "w", "M": "M (month)", "Q": "Q (quarter)", "Y": "Y (year)"}


def parse_duration(text: str) -> Duration | None:
    """None when it is no duration; zero is one."""
    found = _SHORTHAND.fullmatch(text)
    if found is None or (found.group(1).startswith("0") and found.group(1) != "0"):
        return None
    return next(Duration(int(found.group(1)), unit) for unit in UNIT_S if unit == found.group(2))


def read_duration(
    node: Node | None, faults: Faults, *, units: str = FIXED, zero: bool = False, example: str = "28d"
) -> Duration | None:
    """A duration in one of `units`, at most ten years; None after a fault or when the node is absent."""
    if node is None:
        return None
    words = ", ".join(_WORDS[unit] for unit in units)
    duration = parse_duration(node.scalar) if isinstance(node.scalar, str) else None
    if duration is None or (duration.count == 0 and not zero):
        faults.add(node, f"is {node.kind}: write a whole number of {words}, e.g. {example}")
        return None
    if duration.unit not in units:
        faults.add(node, f"is {node.kind}: {_other_unit(duration, units, words)}")
        return None
    if duration.seconds > _LONGEST_S:
        faults.add(node, f"is {node.kind}: longer than ten years: write e.g. {example}")
        return None
    return duration


def _other_unit(duration: Duration, units: str, words: str) -> str:
    if duration.unit in "MQY":
        days = round(duration.seconds / 86400)
        return f"{_WORDS[duration.unit]} has no fixed length here: write {days}d"
    return f"use one of {words}"
