"""The heat map: the 5x5 matrix twice, without controls and once treatments are done, with the ids in their cells."""

from __future__ import annotations

from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sre.reports.risk_model import RegisterReport, Stage
from sre.reports.svg import INK, MUTED, WIDTH_IN, Chart, drawing, new_figure, plain, to_chart
from sre.risks.matrix import STEPS
from sre.risks.model import Level

_PANELS: tuple[tuple[Stage, str], ...] = (
    ("inherent", "Inherent: without any control"),
    ("residual", "Residual: once treatments are done"),
)
_NAMES_IN, _GAP_IN, _TOP_IN, _BOTTOM_IN, _LEFT_IN = 0.72, 0.16, 0.34, 0.5, 0.2
_LINE_IN, _LOWEST_IN = 0.14, 0.5
_ON_COLOUR = "#1a1a1a"
_CELLS = tuple(Level(likelihood, impact) for likelihood, impact in product(range(1, STEPS + 1), repeat=2))


def heat_map(report: RegisterReport) -> Chart:
    """Wide as every chart; rows grow with the fullest cell."""
    with drawing():
        return to_chart(
            _figure(report),
            key="risk-heat",
            title="Heat map",
            caption="likelihood upwards, impact to the right; mended risks are left out",
            alt=" ".join(_in_words(report, stage, title) for stage, title in _PANELS),
        )


def _in_words(report: RegisterReport, stage: Stage, title: str) -> str:
    cells = [
        f"{', '.join(ids)} at {report.matrix.words(cell)}"
        for cell in sorted(_CELLS, key=lambda one: (-report.matrix.rank(one), -one.score, -one.impact))
        if (ids := report.in_cell(stage, cell))
    ]
    return f"{title}: {'; '.join(cells) or 'none'}."


def _figure(report: RegisterReport) -> Figure:
    fullest = max(len(report.in_cell(stage, cell)) for stage, _ in _PANELS for cell in _CELLS)
    row_in = max(_LOWEST_IN, fullest * _LINE_IN + 0.12)
    height = _TOP_IN + STEPS * row_in + _BOTTOM_IN
    figure = new_figure(height)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH_IN), ylim=(height, 0))
    axes.set_axis_off()
    panel_in = (WIDTH_IN - _LEFT_IN - _NAMES_IN - _GAP_IN) / 2
    for number, (stage, title) in enumerate(_PANELS):
        left = _LEFT_IN + _NAMES_IN + number * (panel_in + _GAP_IN)
        axes.text(left, _TOP_IN - 0.12, title, color=INK, fontweight="bold")
        _draw_panel(axes, report, stage, left=left, width_in=panel_in, row_in=row_in)
    _name_likelihoods(axes, report, row_in)
    return figure


def _draw_panel(
    axes: Axes, report: RegisterReport, stage: Stage, *, left: float, width_in: float, row_in: float
) -> None:
    cell_in = width_in / STEPS
    bottom = _TOP_IN + STEPS * row_in
    for cell in _CELLS:
        x, y = left + (cell.impact - 1) * cell_in, bottom - cell.likelihood * row_in
        colour = report.matrix.band(cell).colour
        axes.add_patch(
            Rectangle((x + 0.015, y + 0.015), cell_in - 0.03, row_in - 0.03, facecolor=colour, edgecolor="none")
        )
        ids = report.in_cell(stage, cell)
        top = y + row_in / 2 - (len(ids) - 1) * _LINE_IN / 2
        for line, risk in enumerate(ids):
            axes.text(
                *(x + cell_in / 2, top + line * _LINE_IN, risk),
                ha="center",
                va="center",
                color=_ON_COLOUR,
                fontsize=7.5,
                fontweight="bold",
            )
    for number, impact in enumerate(report.matrix.impact, 1):
        x = left + (number - 0.5) * cell_in
        axes.text(x, bottom + 0.14, plain(impact.name, 12), ha="center", va="center", color=MUTED, fontsize=8)
    axes.text(left + width_in / 2, bottom + 0.35, "impact", ha="center", va="center", color=INK, fontsize=8)


def _name_likelihoods(axes: Axes, report: RegisterReport, row_in: float) -> None:
    bottom = _TOP_IN + STEPS * row_in
    for number, likelihood in enumerate(report.matrix.likelihood, 1):
        y = bottom - (number - 0.5) * row_in
        axes.text(
            *(_LEFT_IN + _NAMES_IN - 0.08, y, plain(likelihood.name, 12)),
            ha="right",
            va="center",
            color=MUTED,
            fontsize=8,
        )
    middle = _TOP_IN + STEPS * row_in / 2
    axes.text(0.1, middle, "likelihood", ha="center", va="center", rotation=90, color=INK, fontsize=8)
