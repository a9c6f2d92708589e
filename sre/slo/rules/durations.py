"""Durations as PromQL writes them. Whole units only: `1h30m`, never `1.5h`, which Prometheus refuses."""

from __future__ import annotations

import re

from sre.errors import SreError

_UNITS_MS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_TERM = re.compile(r"([0-9]+)(ms|[dhms])")
_WHOLE = re.compile(r"(?:[0-9]+(?:ms|[dhms]))+")


def duration(seconds: float) -> str:
    """`3600` is `1h`, `90` is `1m30s`, `0.5` is `500ms`; to the millisecond, as fine as Prometheus keeps time."""
    left = round(seconds * 1000)
    parts = []
    for unit, size in _UNITS_MS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def seconds_of(text: str, option: str) -> float:
    """The seconds of a duration given on the command line. Raises SreError that names the option."""
    if not _WHOLE.fullmatch(text) or (total := sum(int(n) * dict(_UNITS_MS)[u] for n, u in _TERM.findall(text))) == 0:
        raise SreError(f"{option}: {text!r} is no duration above 0: write for example 30s, 1m or 1h30m")
    return total / 1000
