"""Charts of the report: a line an origin, measured drawn through, simulated dashed, the knee of each marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from sre.reports.formats import number
from sre.reports.frame import BLUE, ORANGE, label_ends
from sre.reports.performance.model import OriginKind, Plot, Section, Series, kind_of
from sre.reports.svg import (
    BOTTOM_IN,
    INK,
    LEFT_IN,
    MUTED,
    RIGHT_IN,
    TOP_IN,
    WIDTH_IN,
    Chart,
    drawing,
    new_figure,
    to_chart,
)

_HEIGHT_IN = 3.0


def section_charts(section: Section) -> tuple[Chart, ...]:
    with drawing():
        return tuple(_drawn(plot, section.key) for plot in section.plots if plot.series)


def _drawn(plot: Plot, key: str) -> Chart:
    figure = new_figure(_HEIGHT_IN)
    bottom = BOTTOM_IN + 0.1
    box = (
        LEFT_IN / WIDTH_IN,
        bottom / _HEIGHT_IN,
        1 - (LEFT_IN + RIGHT_IN) / WIDTH_IN,
        1 - (TOP_IN + bottom) / _HEIGHT_IN,
    )
    axes = figure.add_axes(box)
    known = [value for one in plot.series for _, value in _points(one)]
    axes.set_ylim(0, max([*known, 1e-9]) * 1.15)
    axes.set_xlim(0, max(x for one in plot.series for x, _ in one.points) * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    axes.set_xlabel(plot.x_label, color=MUTED)
    axes.set_ylabel(plot.y_label, color=MUTED)
    for one in plot.series:
        _line(axes, one)
    label_ends(axes, [(one.label, _points(one)[-1][1], _COLOURS[kind_of(one.origin)]) for one in plot.series])
    return to_chart(figure, key=f"{key}-{plot.key}", title=plot.title, caption=plot.caption, alt=_in_words(plot))


_COLOURS: Mapping[OriginKind, str] = MappingProxyType({"measured": BLUE, "simulated": ORANGE, "compared": INK})


def _line(axes: Axes, one: Series) -> None:
    kind = kind_of(one.origin)
    points = _points(one)
    style = (0, (4, 2)) if kind == "simulated" else "solid"
    axes.plot(
        [x for x, _ in points],
        [y for _, y in points],
        color=_COLOURS[kind],
        linestyle=style,
        marker="o",
        markersize=3.5,
    )
    if one.mark is not None:
        x, figure = one.points[one.mark]
        y = figure.value or 0.0
        above = kind == "simulated"  # above and left of a curve that bends is always room, below and right too
        axes.plot([x], [y], marker="D", markersize=8, color=_COLOURS[kind], markeredgecolor=INK, linestyle="none")
        axes.annotate(
            f"{one.label}: {one.mark_label}",
            (x, y),
            (-8, 9) if above else (8, -16),
            textcoords="offset points",
            ha="right" if above else "left",
            color=INK,
        )


def _points(one: Series) -> Sequence[tuple[float, float]]:
    return [(x, figure.value) for x, figure in one.points if figure.value is not None]


def _in_words(plot: Plot) -> str:
    lines = []
    for one in plot.series:
        ends = ", ".join(f"{number(y)} at {number(x)}" for x, y in _points(one))
        lines.append(f"{one.label}: {ends}" + (f" ({one.mark_label})" if one.mark_label else ""))
    return f"{plot.y_label} by {plot.x_label}. " + "; ".join(lines) + "."
