"""What a performance report is asked for: from a command line, from an earlier report, and back into a command."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sre.errors import SreError
from sre.gameday.measure.parts import PARTS
from sre.platforms.local.work import error_bar
from sre.reports.performance.json_file import Recorded
from sre.reports.performance.model import RunOptions

REAL_TIME = 1.0


def sections_table() -> tuple[tuple[str, str], ...]:
    return tuple((key, part.title) for key, part in PARTS.items())


def asked_for(given: Mapping[str, Any], *, simulated: bool) -> RunOptions:
    """`given` may have `only` (keys by comma), `quick`, `seed`, `profile`, `time_scale`; None is not given. Where no
    platform has to carry it, real time is the default.

    Raises SreError (exit 2) for an unknown section or profile, and a scale the platform does not take.
    """
    options = {key: value for key, value in given.items() if value is not None and key != "only"}
    options = _default_scale(simulated=simulated) | options
    found = RunOptions(sections=_sections(given.get("only")), measured=not simulated, **options)
    if not (math.isfinite(found.time_scale) and 0.01 <= found.time_scale <= 20):
        raise SreError(f"--time-scale is {found.time_scale:g}: use 0.01 to 20 (1 is real time)")
    error_bar(found.profile)
    return found


def _default_scale(*, simulated: bool) -> dict[str, Any]:
    return {"time_scale": REAL_TIME} if simulated else {}


def _sections(only: str | None) -> tuple[str, ...]:
    if only is None:
        return tuple(PARTS)
    keys = [key.strip() for key in only.split(",")]
    if unknown := [key for key in keys if key not in PARTS]:
        raise SreError(f"--only: no section is called {', '.join(map(repr, unknown))}: use {', '.join(PARTS)}")
    return tuple(key for key in PARTS if key in keys)


def again(before: Recorded, *, simulated: bool, where: Path) -> Recorded:
    """An earlier report as it is to be made again; with `simulated` only its simulated part. Raises SreError when
    nothing would be left to compare, or it has sections that are no longer known.
    """
    if unknown := [key for key in before.options.sections if key not in PARTS]:
        raise SreError(f"{where}: sections {', '.join(unknown)} are not known: make it anew")
    if not simulated:
        return before
    figures = {name: figure for name, figure in before.figures.items() if figure.origin == "simulated"}
    if not figures:
        raise SreError(f"{where}: nothing in it is simulated: leave out --simulated")
    return Recorded(replace(before.options, measured=False), None, figures)


def command_of(options: RunOptions) -> str:
    """The command that asks for it."""
    plain = RunOptions(sections=tuple(PARTS), **_default_scale(simulated=not options.measured))
    words = ["sre report performance"]
    if options.sections != plain.sections:
        words.append(f"--only {','.join(options.sections)}")
    words += ["--quick"] * options.quick + ["--simulated"] * (not options.measured)
    for name in ("seed", "profile", "time_scale"):
        if (value := getattr(options, name)) != getattr(plain, name):
            words.append(f"--{name.replace('_', '-')} {value}")
    return " ".join(words)
