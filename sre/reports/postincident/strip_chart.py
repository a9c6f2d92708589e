"""The story on one line: when the fault lay on it, when users were harmed, and every milestone with its name."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sre.reports.formats import seconds
from sre.reports.frame import BLUE, GREEN, ORANGE, VERMILION
from sre.reports.postincident.model import MilestoneRow, PostIncidentReport
from sre.reports.svg import INK, LEFT_IN, MUTED, RIGHT_IN, WIDTH_IN, Chart, drawing, new_figure, plain, to_chart

_COLOURS = {
    "fault injected": VERMILION,
    "fault removed": GREEN,
    "impact start": VERMILION,
    "detected": BLUE,
    "alerted": ORANGE,
    "mitigated": GREEN,
    "recovered": GREEN,
    "resolved": GREEN,
}
_BANDS = (
    ("fault", "fault injected", "fault removed", VERMILION),
    ("users harmed", "impact start", "mitigated", ORANGE),
    ("until served", "fault injected", "recovered", BLUE),
)
_LETTER = 0.0098
"""Width of a letter as a share of the axis: labels that would touch go to the next row."""
_ROW_IN, _BAND_IN = 0.19, 0.2


def strip_chart(report: PostIncidentReport) -> Chart | None:
    """None when fewer than two milestones are known: one instant is no story."""
    known = sorted(((row.at, row) for row in report.milestones if row.at is not None), key=lambda pair: pair[0])
    if len(known) < 2:
        return None
    low, high = known[0][0], known[-1][0]
    margin = max((high - low) * 0.06, 0.05)
    start, span = low - margin, high - low + 2 * margin
    rows = _rows([((at - start) / span, _label(row)) for at, row in known])
    bands = _bands(report)
    with drawing():
        heights = _ROW_IN * (max(rows) + 1) + 0.12, _BAND_IN * max(len(bands), 1) + 0.1
        figure = new_figure(sum(heights) + 0.4)
        box = (LEFT_IN / WIDTH_IN, 0.36 / (sum(heights) + 0.4), 1 - (LEFT_IN + RIGHT_IN) / WIDTH_IN)
        axes = figure.add_axes((*box, heights[1] / (sum(heights) + 0.4)))
        _frame(axes, start - report.zero, span, len(bands))
        _draw_bands(axes, report, bands)
        for (at, row), level in zip(known, rows, strict=True):
            _milestone(axes, at - report.zero, row, level)
        return to_chart(
            figure,
            key="story",
            title="Milestones",
            caption=f"counted from {report.zero_name}",
            alt="Milestones: " + ", ".join(f"{row.name} {row.since}" for _, row in known) + ".",
        )


def _label(row: MilestoneRow) -> str:
    return f"{row.name} {row.since}"


def _rows(labels: Sequence[tuple[float, str]]) -> list[int]:
    """A row for each label, from the last to the first: above every later one whose line it would cross."""
    rows: list[int] = []
    for index, (x, text) in reversed(list(enumerate(labels))):
        end = x + _LETTER * (len(text) + 2)
        crossed = [row for (later, _), row in zip(labels[index + 1 :], rows, strict=True) if later < end]
        rows.insert(0, max(crossed, default=-1) + 1)
    return rows


def _bands(report: PostIncidentReport) -> list[tuple[str, float, float, str]]:
    at = {row.name: row.at for row in report.milestones}
    found = []
    for name, first, last, colour in _BANDS:
        begin, end = at.get(first), at.get(last)
        if begin is not None and end is not None and end > begin:
            found.append((f"{name} {seconds(end - begin)}", begin, end, colour))
    return found


def _frame(axes: Axes, start: float, span: float, bands: int) -> None:
    axes.set_xlim(start, start + span)
    axes.set_ylim(max(bands, 1) - 0.4, -0.6)
    axes.grid(visible=False)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 3, 5, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _tick(x, span)))


def _tick(x: float, span: float) -> str:
    if span > 7200:
        return f"{x / 3600:+g} h"
    return f"{x / 60:+g} min" if span > 600 else f"{x:+g} s"


def _draw_bands(axes: Axes, report: PostIncidentReport, bands: Sequence[tuple[str, float, float, str]]) -> None:
    for row, (text, begin, end, colour) in enumerate(bands):
        axes.barh(row, end - begin, left=begin - report.zero, height=0.72, color=colour, alpha=0.3, linewidth=0)
        axes.annotate(
            plain(text),
            (1, row),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
            color=INK,
            annotation_clip=False,
        )


def _milestone(axes: Axes, x: float, row: MilestoneRow, level: int) -> None:
    colour = _COLOURS.get(row.name, MUTED)
    axes.axvline(x, color=colour, linewidth=1.2)
    top = 6 + 13.5 * level
    axes.annotate(
        "",
        (x, 1),
        (0, top + 8),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkA": 0, "shrinkB": 0},
        annotation_clip=False,
    )
    axes.annotate(
        plain(_label(row), 40),
        (x, 1),
        (4, top),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="left",
        fontsize=8,
        color=INK,
        annotation_clip=False,
    )
