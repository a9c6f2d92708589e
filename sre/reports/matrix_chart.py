"""The drilled part of the fault matrix as one picture: a row a drill, a column a question, colour for the answer."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from sre.reports.drill_facts import DrillFacts
from sre.reports.formats import NOT_AVAILABLE, seconds
from sre.reports.frame import GREEN, GREY, ORANGE, VERMILION
from sre.reports.matrix import QUESTIONS, Area, Line, Mark, Matrix
from sre.reports.matrix_view import alert_words, score_words
from sre.reports.svg import INK, MUTED, WIDTH_IN, Chart, drawing, new_figure, plain, to_chart

_ROW_IN, _TOP_IN, _BOTTOM_IN = 0.3, 0.42, 0.1
_NAMES_IN, _CELL_IN = 3.3, 1.06
_ON_COLOUR = "#000000"
_COLUMNS = (*(question.name for question in QUESTIONS), "score")


def heat_chart(found: Matrix) -> Chart | None:
    """None when nothing was drilled."""
    lines = [line for line in found.lines if line.played is not None]
    if not lines:
        return None
    with drawing():
        return to_chart(
            _heat_figure(lines),
            key="matrix-heat",
            title="What held, drill by drill",
            caption="green: held; orange: in part; red: not; grey: not measured or not asked",
            alt=" ".join(_in_words(line) for line in lines),
        )


def area_chart(found: Matrix) -> Chart:
    """A bar an area; the score in figures, with how many of its faults were drilled."""
    with drawing():
        return to_chart(
            _area_figure(found.areas),
            key="matrix-areas",
            title="Score by area",
            caption="share of what was asked that held; n/a: nothing was drilled to its end",
            alt=" ".join(f"{area.family}: {_area_words(area)}." for area in found.areas),
        )


def _in_words(line: Line) -> str:
    marks = ", ".join(f"{m.question} {score_words(m.value)}" for m in line.marks) or "not measured"
    return f"{_name(line)}: {marks}, score {score_words(line.score)}."


def _name(line: Line) -> str:
    return f"{line.fault}  {line.played.key}" if line.played is not None else line.fault


def _canvas(rows: int, *, top_in: float) -> tuple[Figure, float]:
    """A figure measured in inches from its upper left corner; returns it with its height."""
    height = top_in + rows * _ROW_IN + _BOTTOM_IN
    return new_figure(height), height


def _heat_figure(lines: Sequence[Line]) -> Figure:
    figure, height = _canvas(len(lines), top_in=_TOP_IN)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH_IN), ylim=(height, 0))
    axes.set_axis_off()
    for index, title in enumerate(_COLUMNS):
        axes.text(_cell_left(index) + _CELL_IN / 2, _TOP_IN - 0.12, title, ha="center", color=MUTED)
    family = ""
    for row, line in enumerate(lines):
        y = _TOP_IN + row * _ROW_IN
        if line.family != family:
            family = line.family
            axes.text(0.05, y + _ROW_IN / 2, plain(family, 14), va="center", color=MUTED)
        axes.text(_NAMES_IN - 0.1, y + _ROW_IN / 2, plain(_name(line), 38), va="center", ha="right", color=INK)
        for index, (text, colour) in enumerate(_cells(line)):
            box = (_cell_left(index) + 0.02, y + 0.02)
            axes.add_patch(Rectangle(box, _CELL_IN - 0.04, _ROW_IN - 0.04, facecolor=colour, edgecolor="none"))
            axes.text(
                _cell_left(index) + _CELL_IN / 2, y + _ROW_IN / 2, text, ha="center", va="center", color=_ON_COLOUR
            )
    return figure


def _cell_left(index: int) -> float:
    return _NAMES_IN + index * _CELL_IN


def _cells(line: Line) -> list[tuple[str, str]]:
    assert line.played is not None  # noqa: S101  (only drilled lines are drawn)
    facts = line.played.facts
    if not line.marks:
        return [(facts.outcome, GREY)] * len(QUESTIONS) + [(NOT_AVAILABLE, GREY)]
    cells = [(_mark_words(mark, facts), _colour(mark.value)) for mark in line.marks]
    return [*cells, (score_words(line.score), _colour(line.score))]


def _mark_words(mark: Mark, facts: DrillFacts) -> str:
    if mark.value is None:
        return "not asked"
    if mark.question == "protected":
        return f"{facts.failed:,} failed"
    if mark.question == "alerting":
        return alert_words(facts).removesuffix(", rightly")
    if mark.question == "recovered":
        return seconds(facts.recovered.seconds) if facts.recovered.seconds is not None else "not seen"
    return "yes" if mark.value >= 1 else "by others"


def _colour(value: float | None) -> str:
    if value is None:
        return GREY
    return GREEN if value >= 1 else ORANGE if value >= 0.5 else VERMILION


def _area_figure(areas: Sequence[Area]) -> Figure:
    figure, height = _canvas(len(areas), top_in=0.1)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, WIDTH_IN), ylim=(height, 0))
    axes.set_axis_off()
    left, width = 1.35, 4.6
    for row, area in enumerate(areas):
        y = 0.1 + row * _ROW_IN
        axes.text(left - 0.1, y + _ROW_IN / 2, plain(area.family, 16), va="center", ha="right", color=INK)
        axes.add_patch(Rectangle((left, y + 0.05), width, _ROW_IN - 0.1, facecolor="none", edgecolor=MUTED, lw=0.5))
        if area.score is not None:
            full = width * area.score
            axes.add_patch(Rectangle((left, y + 0.05), full, _ROW_IN - 0.1, facecolor=_colour(area.score), lw=0))
        axes.text(left + width + 0.12, y + _ROW_IN / 2, _area_words(area), va="center", color=INK)
    return figure


def _area_words(area: Area) -> str:
    return f"{score_words(area.score)}, {area.drilled} of {area.faults} faults drilled"
