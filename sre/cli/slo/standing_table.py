"""Where SLOs stand, as lines for a terminal: a row with a bar for the eye, then what it means in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import typer

from sre.slo.status import Standing, State, TierNow
from sre.slo.words import percent, times

_BAR = 10
_COLOURS: dict[State, str] = {
    "ok": typer.colors.GREEN,
    "fast": typer.colors.YELLOW,
    "ticket": typer.colors.YELLOW,
    "page": typer.colors.RED,
    "exhausted": typer.colors.RED,
    "no data": typer.colors.MAGENTA,
}


def standing_lines(standings: Sequence[Standing], *, colour: bool) -> list[str]:
    """The table and, below it, a sentence for each SLO."""
    if not standings:
        return ["no SLO"]
    windows = _windows(standings)
    head = ["SLO", "state", "target", "good", "budget left", *(f"burn {window}" for window in windows)]
    rows = [head, *(_row(one, windows) for one in standings)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if colour:
        lines[1:] = [_tinted(line, one) for line, one in zip(lines[1:], standings, strict=True)]
    at = datetime.fromtimestamp(max(one.at for one in standings), UTC)
    said = [f"{one.slo.name}: {one.words}" for one in standings]
    return [*lines, "", *said, "", f"at {at:%Y-%m-%d %H:%M:%S} UTC; * this tier fires"]


def _row(one: Standing, windows: Sequence[str]) -> list[str]:
    ratio = one.budget.error_ratio
    good = "n/a" if ratio is None else f"{100 * (1 - ratio):.6g} %"
    by_window = {_window(now): now for now in one.tiers}
    burns = [_burn(by_window.get(window)) for window in windows]
    return [one.slo.name, one.state, f"{100 * one.slo.target:.6g} %", good, bar(one.budget.remaining_share), *burns]


def bar(share: float | None) -> str:
    """`██████░░░░ 61 %`; an overspent budget has an empty bar and a negative share."""
    if share is None:
        return f"{'·' * _BAR} n/a"
    full = round(max(0.0, min(1.0, share)) * _BAR)
    return f"{'█' * full}{'░' * (_BAR - full)} {percent(share)}"


def _burn(now: TierNow | None) -> str:
    return "" if now is None else times(now.long_burn) + ("*" if now.firing else "")


def _windows(standings: Sequence[Standing]) -> list[str]:
    """Every long window, the shortest first."""
    sizes = {_window(now): now.tier.long_s for one in standings for now in one.tiers}
    return sorted(sizes, key=lambda window: sizes[window])


def _window(now: TierNow) -> str:
    seconds = now.tier.long_s
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:g} s"


def _tinted(line: str, one: Standing) -> str:
    return typer.style(line, fg=_COLOURS[one.state], bold=one.state == "page")
