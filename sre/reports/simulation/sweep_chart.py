"""The Pareto front of a sweep: what goodness costs, every dominated configuration faint behind it."""

from __future__ import annotations

from decimal import Decimal

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter
from matplotlib.transforms import Bbox

from sre.reports.formats import money, percent
from sre.reports.frame import GREEN, GREY, VERMILION
from sre.reports.simulation.pareto import JudgedPoint, SweepReport
from sre.reports.svg import INK, MUTED, Chart, new_figure, plain, to_chart

_CHARACTER_PT = 5.0
_NAMED = 8


def front_chart(report: SweepReport) -> Chart | None:
    """Requests that were not good against cost of a good token, both falling towards the lower left."""
    shown = [one for one in report.points if one.cost is not None and one.point.fidelity == 1]
    if not shown:
        return None
    most = max(one.summary.overall.counted for one in shown if one.summary is not None)
    floor = 1 / max(1, most)
    figure = new_figure(3.9)
    axes = figure.add_axes((0.095, 0.15, 0.87, 0.79))
    axes.set_yscale("log")
    axes.set_ylim(floor / 3, 2.5)
    costs = [float(one.cost or 0) for one in shown]
    low, high = min(costs), max(costs)
    if high > 8 * low:
        axes.set_xscale("log")
        axes.set_xlim(low / 1.25, high * 1.9)
        axes.xaxis.set_major_locator(FixedLocator(_steps(low / 1.25, high * 1.9)))
    else:
        axes.set_xlim(max(0.0, low - 0.08 * high), high * 1.22)
    ticks = [floor, *(tick for tick in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0) if tick > floor * 2)]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: "none" if y <= floor * 1.01 else f"{y * 100:g} %"))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: money(Decimal(str(round(x, 4))), report.currency)))
    axes.minorticks_off()
    axes.axhline(1 - report.sweep.target, color=INK, linewidth=0.8, linestyle=(0, (5, 3)))
    _points(axes, report, shown, floor)
    axes.set_xlabel("cost of a million good tokens", color=MUTED)
    axes.set_ylabel("requests not good", color=MUTED)
    front = "; ".join(
        f"{p.point.name}: {percent(p.attainment)} for {money(p.cost, report.currency)}" for p in report.front
    )
    return to_chart(
        figure,
        key="front",
        title="Pareto front",
        caption="lower and further left is better; grey: dominated; dashed: the target; simulated",
        alt=f"Simulated Pareto front: {front}.",
    )


def _steps(low: float, high: float) -> list[float]:
    """Ticks of a log axis that people count in, about eight at most."""
    for leads in ((1, 2, 5), (1, 3), (1,)):
        inside = [tick for e in range(-6, 9) for lead in leads if low <= (tick := lead * 10.0**e) <= high]
        if len(inside) <= 8:
            return inside
    return inside


def _points(axes: Axes, report: SweepReport, shown: list[JudgedPoint], floor: float) -> None:
    def place(one: JudgedPoint) -> tuple[float, float]:
        return float(one.cost or 0), max(1 - (one.attainment or 0.0), floor)

    for one in shown:
        if not one.on_front:
            axes.plot(*place(one), marker="o", markersize=4.5, color=GREY, alpha=0.6, linestyle="none")
    front = list(report.front)
    axes.plot(*zip(*map(place, front), strict=True), color=GREEN, linewidth=1.0, drawstyle="steps-post", zorder=3)
    scale = axes.figure.dpi / 72
    dots = [axes.transData.transform(place(one)) for one in shown]
    taken = [Bbox.from_bounds(x - 4 * scale, y - 4 * scale, 8 * scale, 8 * scale) for x, y in dots]
    for one in front:
        met = not one.reason
        best = one is report.cheapest
        colour = GREEN if met else VERMILION
        axes.plot(*place(one), marker="D" if best else "o", markersize=9 if best else 6.5, color=colour, zorder=4)
    for one in sorted(front, key=lambda one: one is not report.cheapest)[:_NAMED]:
        _label(axes, plain(one.point.name, 60), place(one), taken)


def _label(axes: Axes, text: str, at: tuple[float, float], taken: list[Bbox]) -> None:
    """Name a point on the first level above or below it where no other name stands; to its left near the right edge."""
    scale = axes.figure.dpi / 72
    x, y = axes.transData.transform(at)
    width, height = (_CHARACTER_PT * len(text) + 4) * scale, 11 * scale
    to_left = x + width > axes.get_window_extent().x1
    begin = x - 8 * scale - width if to_left else x + 8 * scale
    for rise_pt in (6, -14, 18, -26, 30, -38, 42):
        box = Bbox.from_bounds(begin, y + rise_pt * scale, width, height)
        if not any(box.overlaps(other) for other in taken):
            break
    taken.append(box)
    line = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.5} if abs(rise_pt) > 15 else None
    shift = -8 if to_left else 8
    axes.annotate(
        text,
        at,
        (shift, rise_pt),
        textcoords="offset points",
        color=INK,
        arrowprops=line,
        ha="right" if to_left else "left",
    )
