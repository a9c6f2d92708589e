"""Faults of a simulation as a person writes them on a command line: KIND@SECONDS[+SECONDS][:TARGET][=VALUE].

`crash@60:busiest` kills the busiest replica after a minute; `slow@60+120:llm-1=4` makes the steps of llm-1 take four
times as long for two minutes.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from types import MappingProxyType
from typing import get_args

from sre.errors import SreError
from sre.platforms.simulation import FaultKind, FaultRequest

SHORT = MappingProxyType(
    {
        "kv": "kv_loss",
        "cold_start": "cold_start_slow",
        "zone": "zone_loss",
        "spot": "spot_notice",
        "autoscaler": "autoscaler_down",
        "metrics": "metrics_loss",
    }
)
KINDS: tuple[FaultKind, ...] = get_args(FaultKind)
_NUMBER = r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_FAULT = re.compile(
    rf"(?P<kind>[A-Za-z_-]+)@(?P<at>{_NUMBER})s?(?:\+(?P<for>{_NUMBER})s?)?(?::(?P<target>[A-Za-z0-9_.-]+))?"
    rf"(?:=(?P<value>{_NUMBER}))?"
)


def parse_fault(text: str) -> FaultRequest:
    """Raises SreError, one line, for another form or an unknown kind."""
    match = _FAULT.fullmatch(text.strip())
    if match is None:
        raise SreError(
            f"fault {text!r}: write KIND@SECONDS[+SECONDS][:TARGET][=VALUE], e.g. crash@60:busiest or "
            f"slow@60+120:llm-1=4"
        )
    duration, value = match["for"], match["value"]
    if duration is not None and not float(duration):
        raise SreError(f"fault {text!r}: lasts 0 s: give it a duration above 0, or none")
    return FaultRequest(
        kind=_kind(match["kind"], text),
        at_s=float(match["at"]),
        duration_s=None if duration is None else float(duration),
        target=match["target"] or "busiest",
        value=None if value is None else float(value),
    )


def _kind(word: str, text: str) -> FaultKind:
    plain = word.lower().replace("-", "_")
    name = SHORT.get(plain, plain)
    for kind in KINDS:
        if kind == name:
            return kind
    known = [*KINDS, *SHORT]
    near = get_close_matches(plain, known, n=1)
    said = f"did you mean {near[0]}?" if near else f"use one of {', '.join(KINDS)}"
    raise SreError(f"fault {text!r}: there is no fault {word!r} of a simulated fleet: {said}")
