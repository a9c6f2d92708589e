"""The charts of a policy comparison: replicas over time with the minutes that hurt, and what goodness costs.

Small multiples, since seven step curves in one panel cannot be told apart: each policy has its own strip over the same
grey ground, the replicas that the arrivals of that minute needed.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator
from matplotlib.transforms import Bbox

from sre.errors import EnvironmentLacks
from sre.platforms.scaling import PolicyComparison, PolicyRun
from sre.reports.formats import count, money, percent
from sre.reports.frame import BLUE, GREEN, GREY, ORANGE, VERMILION
from sre.reports.svg import INK, MUTED, WIDTH_IN, Chart, drawing, new_figure, plain, to_chart

GOOD_SHARE = 0.99
_CHARACTER_PT = 5.2
_PNG_DPI = 150
_LEFT_IN, _RIGHT_IN, _STRIP_IN, _GAP_IN, _TOP_IN, _BOTTOM_IN = 0.58, 0.2, 0.62, 0.36, 0.62, 0.42

Cost = Callable[[PolicyRun], Decimal]


def comparison_charts(comparison: PolicyComparison, cost: Cost, currency: str) -> tuple[Chart, ...]:
    """Both charts for a page."""
    with drawing():
        strips = to_chart(
            _strips(comparison, cost, currency),
            key="strips",
            title="Replicas over time",
            caption="grey: replicas the arrivals needed; blue: ready; orange: wanted; red: minutes below 99 % good",
            alt=_in_words(comparison, cost, currency),
        )
        tradeoff = to_chart(
            _tradeoff(comparison, cost, currency),
            key="tradeoff",
            title="What goodness costs",
            caption="lower and further left is better; log scale",
            alt=_in_words(comparison, cost, currency),
        )
    return strips, tradeoff


def write_pngs(comparison: PolicyComparison, cost: Cost, currency: str, folder: Path) -> tuple[Path, ...]:
    """`replicas.png` and `tradeoff.png`."""
    written = []
    with drawing():
        for name, draw in (("replicas", _strips), ("tradeoff", _tradeoff)):
            figure = draw(comparison, cost, currency)
            figure.set_dpi(_PNG_DPI)
            figure.set_facecolor("#ffffff")
            path = folder / f"{name}.png"
            try:
                FigureCanvasAgg(figure).print_png(str(path))  # type: ignore[no-untyped-call]
            except OSError as error:
                raise EnvironmentLacks(f"{path}: cannot be written ({error.strerror}): choose another --out") from error
            written.append(path)
    return tuple(written)


def _strips(comparison: PolicyComparison, cost: Cost, currency: str) -> Figure:
    runs = comparison.runs
    height = _TOP_IN + (len(runs) + 1) * (_STRIP_IN + _GAP_IN) - _GAP_IN + _BOTTOM_IN
    figure = new_figure(height)
    arrivals = _axes(figure, comparison, row=0, height=height)
    edges = [m.at_s / 60 for m in runs[0].service] + [comparison.duration_s / 60]
    rates = [m.requests / comparison.bin_s for m in runs[0].service]
    arrivals.stairs(rates, edges, fill=True, color=GREY, alpha=0.55)
    arrivals.set_ylim(0, max(rates) * 1.1)
    _heading(arrivals, f"arrivals, requests/s (one replica carries {comparison.capacity_rps:.1f})")
    most = max(max(m.desired for m in run.moments) for run in runs)
    for row, run in enumerate(runs, start=1):
        axes = _axes(figure, comparison, row=row, height=height)
        axes.stairs([rate / comparison.capacity_rps for rate in rates], edges, fill=True, color=GREY, alpha=0.35)
        _draw(axes, comparison, run)
        axes.set_ylim(0, most * 1.08)
        facts = (
            f"{percent(run.attainment)} good, {run.replica_s / 3600:.1f} replica-hours, {money(cost(run), currency)}"
        )
        _heading(axes, f"{plain(run.name, 32)}: {facts}")
        axes.tick_params(labelbottom=row == len(runs))
    arrivals.tick_params(labelbottom=False)
    _key(figure, height)
    return figure


def _axes(figure: Figure, comparison: PolicyComparison, *, row: int, height: float) -> Axes:
    bottom = height - _TOP_IN - row * (_STRIP_IN + _GAP_IN) - _STRIP_IN
    box = (_LEFT_IN / WIDTH_IN, bottom / height, 1 - (_LEFT_IN + _RIGHT_IN) / WIDTH_IN, _STRIP_IN / height)
    axes = figure.add_axes(box)
    axes.set_xlim(0, comparison.duration_s / 60)
    axes.xaxis.set_major_locator(MaxNLocator(12, steps=[1, 2, 3, 5, 6, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g} min"))
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=2))
    return axes


def _draw(axes: Axes, comparison: PolicyComparison, run: PolicyRun) -> None:
    for minute in run.service:
        if minute.good_share is not None and minute.good_share < GOOD_SHARE:
            depth = 0.12 + 0.5 * (1 - minute.good_share)
            start, end = minute.at_s / 60, (minute.at_s + comparison.bin_s) / 60
            axes.axvspan(start, end, color=VERMILION, alpha=depth, linewidth=0)
    at = [moment.at_s / 60 for moment in run.moments]
    axes.step(at, [m.ready for m in run.moments], where="post", color=BLUE, linewidth=1.5)
    axes.step(at, [m.desired for m in run.moments], where="post", color=ORANGE, linewidth=0.9)


def _heading(axes: Axes, text: str) -> None:
    axes.annotate(text, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", color=INK)


def _key(figure: Figure, height: float) -> None:
    entries = (
        (GREY, "■", "replicas the arrivals needed"),
        (BLUE, "━", "ready"),
        (ORANGE, "━", "wanted"),
        (VERMILION, "■", "minute below 99 % good"),
    )
    x, y = _LEFT_IN / WIDTH_IN, 1 - 0.2 / height
    for colour, mark, text in entries:
        figure.text(x, y, mark, color=colour, va="center")
        figure.text(x + 0.018, y, text, color=INK, va="center")
        x += 0.04 + 0.0066 * len(text)


def _tradeoff(comparison: PolicyComparison, cost: Cost, currency: str) -> Figure:
    """Share of requests that were not good against money; a run without any bad request lies on the lowest line."""
    figure = new_figure(3.4)
    axes = figure.add_axes((0.095, 0.16, 0.87, 0.76))
    floor = 1 / max(1, comparison.requests)
    axes.set_yscale("log")
    axes.set_ylim(floor / 4, 3)
    axes.set_xlim(0, max(float(cost(run)) for run in comparison.runs) * 1.25)
    axes.yaxis.set_major_locator(FixedLocator([floor, *(t for t in (1e-4, 1e-3, 1e-2, 1e-1, 1.0) if t > floor * 2)]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: "none" if y <= floor * 1.01 else f"{y * 100:g} %"))
    axes.minorticks_off()
    axes.axhline(1 - GOOD_SHARE, color=INK, linewidth=0.8, linestyle=(0, (5, 3)))
    taken: list[Bbox] = []
    for run in sorted(comparison.runs, key=cost):
        x, y = float(cost(run)), max(1 - run.attainment, floor)
        axes.plot(x, y, marker="s" if run.is_baseline else "o", color=MUTED if run.is_baseline else GREEN, markersize=7)
        _label(axes, plain(run.name, 32), (x, y), taken)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: money(Decimal(str(round(x, 2))), currency)))
    axes.set_xlabel(f"cost of {comparison.duration_s / 60:.0f} minutes", color=MUTED)
    axes.set_ylabel("requests not good", color=MUTED)
    return figure


def _label(axes: Axes, text: str, at: tuple[float, float], taken: list[Bbox]) -> None:
    """Name a point on the first level above or below it where no other name stands."""
    scale = axes.figure.dpi / 72
    x, y = axes.transData.transform(at)
    width, height = (_CHARACTER_PT * len(text) + 4) * scale, 11 * scale
    for rise_pt in (6, -13, 18, -25, 30, -37):
        box = Bbox.from_bounds(x + 6 * scale, y + rise_pt * scale, width, height)
        if not any(box.overlaps(other) for other in taken):
            break
    taken.append(box)
    line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.5} if abs(rise_pt) > 15 else None
    axes.annotate(text, at, (6, rise_pt), textcoords="offset points", color=INK, arrowprops=line)


def _in_words(comparison: PolicyComparison, cost: Cost, currency: str) -> str:
    parts = [f"{r.name}: {percent(r.attainment)} good for {money(cost(r), currency)}" for r in comparison.runs]
    return f"{count(comparison.requests)} requests. " + "; ".join(parts) + "."
