"""The frame every chart stands in: one time axis, the fault shaded and named, labels at the right edge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from sre.reports.model import FaultWindow
from sre.reports.series import Timed, drill_span
from sre.reports.svg import BLUE as BLUE
from sre.reports.svg import BOTTOM_IN, INK, LEFT_IN, MUTED, RIGHT_IN, TOP_IN, WIDTH_IN, plain

SKY, GREEN, ORANGE, VERMILION, PURPLE, GREY = (*("#56b4e9", "#009e73", "#e69f00", "#d55e00", "#cc79a7", "#9aa5b1"),)
_AT_RIGHT: dict[str, Any] = {
    "xycoords": "axes fraction",
    "textcoords": "offset points",
    "annotation_clip": False,
    "va": "center",
}
_LINE_PT = 10.5
_LONG_S = 1200.0


class Framed(Timed, Protocol):
    """A stretch of time with its faults."""

    @property
    def faults(self) -> tuple[FaultWindow, ...]: ...


def one_panel(figure: Figure, report: Framed) -> Axes:
    """The only axes of `figure`, with the time axis labelled."""
    axes = panel(figure, report, top_in=TOP_IN, height_in=figure.get_figheight() - TOP_IN - BOTTOM_IN)
    label_time(axes)
    return axes


def panel(figure: Figure, report: Framed, *, top_in: float, height_in: float) -> Axes:
    """Axes `top_in` inches below the figure's top. Every panel of every chart has the same left and right edge."""
    total = figure.get_figheight()
    box = (LEFT_IN / WIDTH_IN, 1 - (top_in + height_in) / total, 1 - (LEFT_IN + RIGHT_IN) / WIDTH_IN, height_in / total)
    axes = figure.add_axes(box)
    span = drill_span(report)
    axes.set_xlim(0, span)
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 3, 5, 6, 10]))
    if span > _LONG_S:
        axes.xaxis.set_major_locator(FixedLocator(_whole_minutes(span)))
    return axes


def _whole_minutes(span: float) -> list[float]:
    """At most twelve ticks on minutes, or hours, that people count in."""
    steps = (*(60.0 * m for m in (2, 5, 10, 15, 30, 60, 120, 180, 360, 720)), *(86400.0 * d for d in (1, 2, 5, 10, 30)))
    step = next((step for step in steps if span / step <= 12), span / 12)
    return [step * number for number in range(int(span / step) + 1)]


def label_time(axes: Axes, since: str = "drill start") -> None:
    """Seconds; minutes or hours where the axis is long."""
    span = axes.get_xlim()[1]
    unit, size = ("s", 1.0) if span <= _LONG_S else ("min", 60.0) if span <= 18 * _LONG_S else ("h", 3600.0)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x / size:g} {unit}"))
    axes.annotate(
        f"since {since}",
        (1, 0),
        (0, -24),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="right",
        color=MUTED,
        fontsize=8,
    )


def mark_faults(axes: Axes, report: Framed, *, label_pt: float | None = 5.0) -> None:
    """Shade each fault's window and draw its begin; name it `label_pt` above the axes, where there is room."""
    span = drill_span(report)
    for fault in report.faults:
        begin = relative(report, fault.begin)
        end = span if fault.end is None else relative(report, fault.end)
        axes.axvspan(begin, end, color=VERMILION, alpha=0.13, linewidth=0, zorder=0.5)
        axes.axvline(begin, color=VERMILION, linewidth=1.0, zorder=0.6)
        if label_pt is not None:
            late = begin > span * 0.75
            axes.annotate(
                plain(f"{fault.fault} {fault.target}", 40),
                (end if late else begin, 1),
                (0, label_pt),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                ha="right" if late else "left",
                color=INK,
                fontweight="bold",
            )


def mark_instants(axes: Axes, report: Framed, marks: Sequence[tuple[str, float]], *, named: bool = True) -> None:
    """Dotted lines at named instants, where a story's milestones lie on a chart. A name stands along its line where it
    does not touch the one before.
    """
    span = drill_span(report)
    free = 0.0
    for name, at in sorted(marks, key=lambda mark: mark[1]):
        x = relative(report, at)
        if not 0 <= x <= span:
            continue
        axes.axvline(x, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0.7)
        if named and x >= free:
            free = x + span * 0.016
            axes.annotate(
                plain(name, 20),
                (x, 1),
                (2, -3),
                xycoords=("data", "axes fraction"),
                textcoords="offset points",
                rotation=90,
                va="top",
                ha="left",
                fontsize=7,
                color=MUTED,
            )


def label_ends(axes: Axes, ends: Sequence[tuple[str, float, str]]) -> None:
    """Write each series' name at the right edge at its last value, pushed apart where they would overlap."""
    known = sorted((e for e in ends if math.isfinite(e[1])), key=lambda e: e[1])
    bottom, top = axes.get_window_extent().y0, axes.get_window_extent().y1
    scale = 72 / axes.figure.dpi
    wanted = [axes.transData.transform((0, value))[1] for _, value, _ in known]
    placed: list[float] = []
    for y in wanted:
        inside = min(max(y, bottom), top)
        placed.append(max(inside, placed[-1] + _LINE_PT / scale) if placed else inside)
    for (text, _, colour), y in zip(known, placed, strict=True):
        at_right(axes, text, colour, (1, 0), (y - bottom) * scale)


def key(axes: Axes, entries: Sequence[tuple[str, str]]) -> None:
    """(text, colour) pairs from the top of the right edge down."""
    for row, (text, colour) in enumerate(entries):
        at_right(axes, text, colour, (1, 1), -6 - 13 * row, swatch="■")


def at_right(axes: Axes, text: str, colour: str, corner: tuple[int, int], y_pt: float, *, swatch: str = "━") -> None:
    """A swatch in the series' colour and its name in ink: light colours mark well but read badly."""
    axes.annotate(swatch, corner, (6, y_pt), **_AT_RIGHT, color=colour, fontsize=10)
    axes.annotate(text, corner, (18, y_pt), **_AT_RIGHT, color=INK)


def relative(report: Framed, at: float) -> float:
    """Seconds since the drill began."""
    return at - report.started_at
