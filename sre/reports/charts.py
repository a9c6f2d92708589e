"""The charts of a report. All share one time axis (seconds since the drill began) and mark the fault in the same way.

Colours are Okabe and Ito's, told apart by colour-blind readers; what fails is drawn strongest and every series is named
beside its line rather than in a key where that fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from sre.metrics.model import FloatArray
from sre.reports import series
from sre.reports.burn_chart import burn_chart
from sre.reports.formats import count, number, plural, seconds
from sre.reports.frame import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    at_right,
    key,
    label_ends,
    mark_faults,
    mark_instants,
    one_panel,
    relative,
)
from sre.reports.model import DrillReport, ReplicaSpan
from sre.reports.svg import INK, MUTED, SURFACE, Chart, drawing, new_figure, plain, to_chart
from sre.slo.model import ratios_of

_OUTCOME_COLOURS = {
    "ok": SKY,
    "error": VERMILION,
    "truncated": PURPLE,
    "timeout": "#7a3b00",
    "rejected": ORANGE,
    "invalid": "#7f7f7f",
    "cancelled": GREY,
}
_STATE_COLOURS = {"ready": GREEN, "starting": ORANGE, "down": VERMILION}
_WINDOW_S = 5.0


def charts(report: DrillReport) -> tuple[Chart, ...]:
    """Every chart this report has data for, in reading order."""
    drawn = (requests_chart, ttft_chart, burn_chart, replicas_chart, in_flight_chart)
    with drawing():
        return tuple(chart for draw in drawn if (chart := draw(report)) is not None)


def requests_chart(
    report: DrillReport, *, marks: Sequence[tuple[str, float]] = (), name: str = "requests"
) -> Chart | None:
    """Requests per second by outcome, failures at the bottom where nothing hides them; `marks` are instants to mark."""
    if not report.requests:
        return None
    rates = series.outcome_rates(report)
    figure = new_figure(2.4)
    axes = one_panel(figure, report)
    floor = np.zeros(len(rates.edges) - 1)
    for outcome, rate in rates.by_outcome:
        colour = _OUTCOME_COLOURS.get(outcome, GREY)
        axes.stairs(floor + rate, rates.edges, baseline=floor, fill=True, color=colour, linewidth=0)
        floor = floor + rate
    axes.stairs(rates.sent, rates.edges, baseline=None, color=INK, linewidth=0.9, linestyle=(0, (2, 1.5)))
    axes.set_ylim(0, max(float(floor.max()), float(rates.sent.max()), 1.0) * 1.08)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=2))
    totals = [(name, float(rate.sum() * rates.width_s)) for name, rate in rates.by_outcome]
    named = [(f"{plain(name, 12)} {count(n)}", _OUTCOME_COLOURS.get(name, GREY)) for name, n in reversed(totals)]
    key(axes, named)
    at_right(axes, "sent", INK, (1, 1), -6 - 13 * len(named), swatch="┅")
    mark_faults(axes, report)
    mark_instants(axes, report, marks)
    return to_chart(
        figure,
        key=name,
        title="Requests by outcome",
        caption=f"finished per second, in bins of {seconds(rates.width_s)}; failures are drawn at the bottom",
        alt=f"Requests finished: {', '.join(f'{count(n)} {name}' for name, n in totals)}.",
    )


def ttft_chart(report: DrillReport) -> Chart | None:
    """Time to first token on a log axis: a dot a request, percentiles over the last 5 s, the objective's threshold."""
    at, value = series.ttft_points(report)
    if len(at) == 0:
        return None
    limits = ttft_limits(report)
    figure = new_figure(2.6)
    axes = one_panel(figure, report)
    axes.set_yscale("log")
    dots = series.thinned(at, value)
    axes.plot(*dots, linestyle="none", marker="o", markersize=2.6, markeredgewidth=0, color=MUTED, alpha=0.45)
    low, high = min([float(value.min()), *limits]) / 1.3, max([float(value.max()), *limits]) * 1.4
    axes.set_ylim(low, high)
    _time_ticks(axes, low, high)
    label_ends(axes, [*_percentile_lines(axes, report, at, value), *_limit_lines(axes, limits)])
    mark_faults(axes, report)
    over = f", {count(float((value > limits[0]).sum()))} of them above {seconds(limits[0])}" if limits else ""
    middle, worst = seconds(float(np.median(value))), seconds(float(value.max()))
    return to_chart(
        figure,
        key="ttft",
        title="Time to first token",
        caption=f"a dot a request; lines: percentiles over the last {_WINDOW_S:.0f} s; log scale; client side",
        alt=f"Time to first token of {plural(len(at), 'request')}{over}: median {middle}, worst {worst}.",
    )


def _percentile_lines(
    axes: Axes, report: DrillReport, at: FloatArray, value: FloatArray
) -> list[tuple[str, float, str]]:
    rolling = series.rolling_percentiles(at, value, end=series.drill_span(report), window_s=_WINDOW_S)
    ends = []
    for (name, curve), colour in zip(rolling.curves, (BLUE, ORANGE, VERMILION), strict=True):
        axes.plot(rolling.times, curve, color=colour, linewidth=1.6, solid_joinstyle="round")
        ends.append((name, _last(curve), colour))
    return ends


def _limit_lines(axes: Axes, limits: Sequence[float]) -> list[tuple[str, float, str]]:
    for limit in limits:
        axes.axhline(limit, color=INK, linewidth=0.9, linestyle=(0, (5, 3)))
    return [(f"SLO {seconds(limit)}", limit, INK) for limit in limits]


def ttft_limits(report: DrillReport) -> tuple[float, ...]:
    """TTFT thresholds of the primary objectives: the `le` bounds of what they count as good."""
    bounds = {
        float(matcher.value)
        for result in report.primary_results()
        for ratio in ratios_of(result.slo.sli)
        for selector in ratio.good
        if "ttft" in selector.name or "time_to_first_token" in selector.name
        for matcher in selector.matchers
        if matcher.label == "le" and matcher.op == "=" and matcher.value not in ("+Inf", "Inf")
    }
    return tuple(sorted(b for b in bounds if math.isfinite(b) and b > 0))


def replicas_chart(report: DrillReport) -> Chart | None:
    """Replica states as a Gantt strip; how long a replica was away is written into the strip."""
    if not report.spans:
        return None
    names = sorted({span.replica for span in report.spans})
    figure = new_figure(0.76 + 0.3 * len(names))
    axes = one_panel(figure, report)
    axes.grid(visible=False)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.yaxis.set_major_locator(FixedLocator([float(i) for i in range(len(names))]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: plain(names[round(y)], 9) if 0 <= y < len(names) else ""))
    axes.tick_params(axis="y", labelcolor=INK)
    for row, name in enumerate(names):
        _strip(axes, report, [s for s in report.spans if s.replica == name], row)
    key(axes, list(_STATE_COLOURS.items()))
    mark_faults(axes, report)
    return to_chart(
        figure,
        key="replicas",
        title="Replica states",
        caption="as the supervisor saw the processes",
        alt=_states_in_words(report, names),
    )


def _strip(axes: Axes, report: DrillReport, spans: Sequence[ReplicaSpan], row: int) -> None:
    for span in spans:
        start, end = relative(report, span.start), relative(report, span.end)
        colour = _STATE_COLOURS.get(span.state, GREY)
        axes.barh(row, end - start, left=start, height=0.62, color=colour, edgecolor=SURFACE, linewidth=0.6)
    for away in _away(spans):
        text = ", ".join(f"{s.state} {seconds(s.end - s.start)}" for s in away)
        late = relative(report, away[-1].end) > 0.7 * series.drill_span(report)
        at = relative(report, away[0].start if late else away[-1].end)
        axes.annotate(
            plain(text),
            (at, row),
            (-5 if late else 5, 0),
            textcoords="offset points",
            ha="right" if late else "left",
            va="center_baseline",
            color="#000000",
            fontsize=8,
        )


def _away(spans: Sequence[ReplicaSpan]) -> list[list[ReplicaSpan]]:
    """Runs of successive spans in which the replica did not serve."""
    ordered = sorted(spans, key=lambda s: s.start)
    runs = [list(run) for lost, run in groupby(ordered, key=lambda s: s.state != "ready") if lost]
    return runs[:3]


def _states_in_words(report: DrillReport, names: Sequence[str]) -> str:
    parts = []
    for name in names:
        lost = [s for s in report.spans if s.replica == name and s.state != "ready"]
        away = ", ".join(f"{s.state} {seconds(s.end - s.start)} from {relative(report, s.start):.1f} s" for s in lost)
        parts.append(f"{name}: {away or 'ready throughout'}")
    return "Replica states. " + "; ".join(parts) + "."


def in_flight_chart(report: DrillReport) -> Chart | None:
    """Requests in flight at the client: where a lost replica makes the others carry more."""
    if not report.requests:
        return None
    at, level = series.in_flight(report)
    figure = new_figure(1.75)
    axes = one_panel(figure, report)
    axes.fill_between(at, level, step="post", color=SKY, alpha=0.35, linewidth=0)
    axes.step(at, level, where="post", color=BLUE, linewidth=1.0)
    axes.set_ylim(0, max(float(level.max()), 1.0) * 1.15)
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=2))
    label_ends(axes, [(f"peak {count(float(level.max()))}", float(level.max()), BLUE)])
    mark_faults(axes, report)
    alt = f"Requests in flight, at most {count(float(level.max()))} at {number(float(at[int(level.argmax())]))} s."
    return to_chart(figure, key="in-flight", title="Requests in flight", caption="client side", alt=alt)


def _time_ticks(axes: Axes, low: float, high: float) -> None:
    steps = [m * 10.0**e for e in range(-4, 5) for m in (1, 2, 5)]
    inside = [t for t in steps if low <= t <= high]
    axes.yaxis.set_major_locator(
        FixedLocator(inside if len(inside) <= 7 else [t for t in inside if _leads_with_one(t)])
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y * 1000:g} ms" if y < 0.9995 else f"{y:g} s"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.minorticks_off()


def _leads_with_one(value: float) -> bool:
    return abs(math.log10(value) - round(math.log10(value))) < 1e-9


def _last(curve: FloatArray) -> float:
    known = curve[~np.isnan(curve)]
    return float(known[-1]) if len(known) else math.nan
