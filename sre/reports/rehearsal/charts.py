"""Prediction drawn over measurement, both counted from the begin of their load."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from sre.metrics.model import FloatArray
from sre.reports import series
from sre.reports.formats import count, number, seconds, target
from sre.reports.frame import ORANGE, SKY, at_right, mark_faults, one_panel
from sre.reports.model import DrillReport
from sre.reports.rehearsal.comparison import Comparison
from sre.reports.svg import BLUE, INK, Chart, drawing, new_figure, plain, to_chart
from sre.slo.model import BurnCurve, SloResult

MEASURED, PREDICTED = BLUE, ORANGE
_WINDOW_S = 5.0


def comparison_charts(found: Comparison) -> tuple[Chart, ...]:
    """Requests in flight, time to first token, and the burn of each SLO that the drill is about."""
    with drawing():
        drawn = [_in_flight(found), _ttft(found), *_burns(found)]
        return tuple(chart for chart in drawn if chart is not None)


def _in_flight(found: Comparison) -> Chart | None:
    if not found.drill.requests or not found.rehearsal.report.requests:
        return None
    figure = new_figure(2.1)
    axes = one_panel(figure, found.drill)
    real, mine = series.in_flight(found.drill), series.in_flight(found.rehearsal.report)
    axes.fill_between(*real, step="post", color=SKY, alpha=0.35, linewidth=0)
    axes.step(*real, where="post", color=MEASURED, linewidth=1.0)
    axes.step(*mine, where="post", color=PREDICTED, linewidth=1.2)
    highest = max(float(real[1].max()), float(mine[1].max()), 1.0)
    axes.set_ylim(0, highest * 1.15)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=2))
    _named(axes, f"peak {count(float(real[1].max()))}", f"peak {count(float(mine[1].max()))}")
    mark_faults(axes, found.drill)
    alt = (
        f"Requests in flight: at most {count(float(real[1].max()))} measured, {count(float(mine[1].max()))} predicted."
    )
    return to_chart(figure, key="in-flight", title="Requests in flight", caption="client side", alt=alt)


def _ttft(found: Comparison) -> Chart | None:
    real, mine = _percentiles(found.drill), _percentiles(found.rehearsal.report)
    if real is None or mine is None:
        return None
    figure = new_figure(2.6)
    axes = one_panel(figure, found.drill)
    axes.set_yscale("log")
    known = [value for _, _, value in (*real, *mine)]
    low, high = min(float(np.nanmin(v)) for v in known) / 1.3, max(float(np.nanmax(v)) for v in known) * 1.4
    axes.set_ylim(low, high)
    for curves, colour in ((real, MEASURED), (mine, PREDICTED)):
        for name, times, value in curves:
            style = "solid" if name == "p95" else (0, (2.5, 1.5))
            axes.plot(times, value, color=colour, linewidth=1.5, linestyle=style)
    _time_ticks(axes, low, high)
    _named(axes, "", "")
    at_right(axes, "p50 dashed", INK, (1, 1), -36, swatch="┅")
    at_right(axes, "p95", INK, (1, 1), -49)
    mark_faults(axes, found.drill)
    worst = [seconds(float(np.nanmax(curves[1][2]))) for curves in (real, mine)]
    return to_chart(
        figure,
        key="ttft",
        title="Time to first token",
        caption=f"p50 and p95 over the last {_WINDOW_S:.0f} s; log scale; client side",
        alt=f"Time to first token: the highest p95 is {worst[0]} measured, {worst[1]} predicted.",
    )


def _percentiles(report: DrillReport) -> list[tuple[str, FloatArray, FloatArray]] | None:
    at, value = series.ttft_points(report)
    if len(at) == 0:
        return None
    rolling = series.rolling_percentiles(at, value, end=series.drill_span(report), window_s=_WINDOW_S)
    return [(name, rolling.times, curve) for name, curve in rolling.curves if name in ("p50", "p95")]


def _burns(found: Comparison) -> list[Chart]:
    named = found.drill.subject.slos if found.drill.subject is not None else ()
    mine = {result.slo.name: result for result in found.rehearsal.report.primary_results()}
    shown = [r for r in found.drill.primary_results() if r.slo.name in named and r.slo.name in mine]
    drawn = (_burn(found, real, mine[real.slo.name]) for real in shown)
    return [chart for chart in drawn if chart is not None]


def _burn(found: Comparison, real: SloResult, mine: SloResult) -> Chart | None:
    ours, theirs = _fast_page(mine), _fast_page(real)
    if ours is None or theirs is None:
        return None
    figure = new_figure(1.9)
    axes = one_panel(figure, found.drill)
    highest = max(10.0, theirs.tier.factor * 1.5)
    for curve, report, colour in ((theirs, found.drill, MEASURED), (ours, found.rehearsal.report, PREDICTED)):
        axes.plot(curve.times - report.started_at, curve.long_burn, color=colour, linewidth=1.5, drawstyle="steps-post")
        highest = max(highest, _peak(curve))
    axes.axhline(theirs.tier.factor, color=INK, linewidth=0.8, linestyle=(0, (1, 1.6)))
    axes.set_yscale("symlog", linthresh=1.0, linscale=0.6)
    axes.set_ylim(0, highest * 2.2)
    axes.yaxis.set_major_locator(FixedLocator([0.0, 1.0, *(10.0**e for e in range(1, 5) if 10.0**e < highest * 2)]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.minorticks_off()
    _named(axes, f"peak {number(_peak(theirs))}", f"peak {number(_peak(ours))}")
    _pages(axes, found, real, mine)
    mark_faults(axes, found.drill)
    name = real.slo.name
    return to_chart(
        figure,
        key=f"burn-{name}",
        title=f"Burn rate of {plain(real.slo.title, 60)}",
        caption=f"long window of {theirs.tier.name}, objective {target(real.slo.target)}; triangles: a page fired",
        alt=f"Burn of {name}: peak {number(_peak(theirs))} measured, {number(_peak(ours))} predicted.",
    )


def _pages(axes: Axes, found: Comparison, real: SloResult, mine: SloResult) -> None:
    for result, report, colour in ((real, found.drill, MEASURED), (mine, found.rehearsal.report, PREDICTED)):
        at = [alert.fired_at - report.started_at for alert in result.alerts if alert.severity == "page"]
        style = {"marker": "v", "markersize": 7, "color": colour, "linestyle": "none", "clip_on": False, "zorder": 5}
        axes.plot(at, [0.9] * len(at), transform=axes.get_xaxis_transform(), **style)  # type: ignore[arg-type]


def _fast_page(result: SloResult) -> BurnCurve | None:
    return next((c for c in result.curves if c.tier.severity == "page" and len(c.times)), None)


def _peak(curve: BurnCurve) -> float:
    known = curve.long_burn[np.isfinite(curve.long_burn)]
    return float(known.max()) if len(known) else 0.0


def _named(axes: Axes, real: str, mine: str) -> None:
    """Which colour is which, with a figure below each."""
    row = 0
    for name, figure, colour in (("measured", real, MEASURED), ("predicted", mine, PREDICTED)):
        at_right(axes, name, colour, (1, 1), -6 - 13 * row)
        if figure:
            at_right(axes, figure, colour, (1, 1), -19 - 13 * row, swatch="")
        row += 2 if figure else 1


def _time_ticks(axes: Axes, low: float, high: float) -> None:
    steps = [m * 10.0**e for e in range(-4, 5) for m in (1, 2, 5)]
    axes.yaxis.set_major_locator(FixedLocator([t for t in steps if low <= t <= high][:9]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y * 1000:g} ms" if y < 0.9995 else f"{y:g} s"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()
