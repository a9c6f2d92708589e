"""The charts of a simulation: requests, latency, the fleet and burn over one time axis, faults shaded in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from sre.platforms.simulation import EPOCH, Simulation
from sre.reports.burn_chart import burn_chart
from sre.reports.formats import count, seconds
from sre.reports.frame import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    key,
    label_ends,
    label_time,
    mark_faults,
    panel,
)
from sre.reports.model import FaultWindow, RequestPoint
from sre.reports.simulation.model import SOURCE, SimulationReport
from sre.reports.svg import BOTTOM_IN, INK, MUTED, TOP_IN, Chart, drawing, new_figure, to_chart
from sre.slo.model import SloResult

SINCE = "simulation start"
_PANEL_IN, _GAP_IN = 1.35, 0.42
_STEP: dict[str, Any] = {"where": "post"}


@dataclass(frozen=True, slots=True)
class Axis:
    """What the frame of every chart needs to know of a simulation."""

    report: SimulationReport

    @property
    def started_at(self) -> float:
        return EPOCH

    @property
    def ended_at(self) -> float:
        return self.report.simulation.end

    @property
    def requests(self) -> tuple[RequestPoint, ...]:
        return ()

    @property
    def faults(self) -> tuple[FaultWindow, ...]:
        return tuple(story.window for story in self.report.stories)

    @property
    def clock_factor(self) -> float:
        return self.report.clock_factor

    @property
    def primary_source(self) -> str:
        return SOURCE

    def primary_results(self) -> tuple[SloResult, ...]:
        return self.report.results


def charts(report: SimulationReport) -> tuple[Chart, ...]:
    """Every chart there is data for, in reading order."""
    with drawing():
        found = (_requests(report), _latency(report), _fleet(report), _burn(report))
        return tuple(chart for chart in found if chart is not None)


def _burn(report: SimulationReport) -> Chart | None:
    told = [result for result in report.results if result.error_ratio is not None]
    names = [result.slo.name for result in told]
    return burn_chart(Axis(report), objectives=names, since=SINCE) if names else None


def _panels(report: SimulationReport, number: int) -> tuple[Figure, list[Axes]]:
    figure = new_figure(TOP_IN + number * (_PANEL_IN + _GAP_IN) - _GAP_IN + BOTTOM_IN)
    axis = Axis(report)
    found = [
        panel(figure, axis, top_in=TOP_IN + row * (_PANEL_IN + _GAP_IN), height_in=_PANEL_IN) for row in range(number)
    ]
    for row, axes in enumerate(found):
        mark_faults(axes, axis, label_pt=5.0 if row == 0 else None)
        if row < number - 1:
            axes.tick_params(labelbottom=False)
    label_time(found[-1], SINCE)
    return figure, found


def _heading(axes: Axes, text: str) -> None:
    axes.annotate(text, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", color=MUTED)


def _requests(report: SimulationReport) -> Chart:
    """Requests a second by what became of them, those that failed at the bottom."""
    simulation = report.simulation
    bins = simulation.service
    edges = _edges(simulation)
    width = edges[1] - edges[0]
    figure, (axes,) = _panels(report, 1)
    parts = (
        ("failed", VERMILION, [one.failed for one in bins]),
        ("not good", ORANGE, [one.counted - one.failed - one.good for one in bins]),
        ("good", SKY, [one.good for one in bins]),
        ("not counted", GREY, [one.requests - one.counted for one in bins]),
    )
    floor = np.zeros(len(bins))
    for _, colour, counts in parts:
        top = floor + np.array(counts) / width
        axes.stairs(top, edges, baseline=floor, fill=True, color=colour, linewidth=0)
        floor = top
    axes.set_ylim(0, max(float(floor.max()), 0.1) * 1.1)
    axes.yaxis.set_major_locator(MaxNLocator(4, min_n_ticks=2))
    key(axes, [(f"{name} {count(sum(counts))}", colour) for name, colour, counts in reversed(parts) if sum(counts)])
    totals = ", ".join(f"{count(sum(counts))} {name}" for name, _, counts in parts)
    return to_chart(
        figure,
        key="requests",
        title="Requests by what became of them",
        caption=f"per second, by arrival, in bins of {seconds(width)}; simulated",
        alt=f"Simulated requests: {totals}.",
    )


def _edges(simulation: Simulation) -> list[float]:
    return [*(one.at_s for one in simulation.service), simulation.duration_s]


def _latency(report: SimulationReport) -> Chart | None:
    """First token and mean gap between tokens, median and 95th percentile of each bin, with the thresholds."""
    simulation = report.simulation
    if all(one.ttft_p50_s is None for one in simulation.service):
        return None
    figure, (upper, lower) = _panels(report, 2)
    bins = simulation.service
    _draw_latency(upper, simulation, [(b.ttft_p50_s, b.ttft_p95_s) for b in bins], simulation.ttft_threshold_s)
    _draw_latency(lower, simulation, [(b.tpot_p50_s, b.tpot_p95_s) for b in bins], simulation.tpot_threshold_s)
    _heading(lower, "mean gap between tokens")
    if not report.stories:
        _heading(upper, "time to first token")
    overall = simulation.summary.overall
    return to_chart(
        figure,
        key="latency",
        title="Time to first token, and mean gap between tokens",
        caption="above and below; of the requests that arrived in each bin; log scale; dashed: threshold; simulated",
        alt=f"Simulated time to first token: median {seconds(overall.ttft.p50)}, p99 {seconds(overall.ttft.p99)}; mean "
        f"gap between tokens: median {seconds(overall.tpot.p50)}, p99 {seconds(overall.tpot.p99)}.",
    )


def _draw_latency(
    axes: Axes, simulation: Simulation, values: Sequence[tuple[float | None, float | None]], limit_s: float
) -> None:
    middle = (simulation.service[1].at_s - simulation.service[0].at_s) / 2
    at = [one.at_s + middle for one in simulation.service]
    low = np.array([np.nan if value[0] is None else max(value[0], 1e-4) for value in values])
    high = np.array([np.nan if value[1] is None else max(value[1], 1e-4) for value in values])
    axes.set_yscale("log")
    axes.plot(at, high, color=VERMILION, linewidth=1.3)
    axes.plot(at, low, color=BLUE, linewidth=1.3)
    axes.axhline(limit_s, color=INK, linewidth=0.9, linestyle=(0, (5, 3)))
    known = np.concatenate([low[~np.isnan(low)], high[~np.isnan(high)], [limit_s]])
    bottom, top = float(known.min()) / 1.5, float(known.max()) * 1.6
    axes.set_ylim(bottom, top)
    axes.yaxis.set_major_locator(FixedLocator(_steps(bottom, top)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y * 1000:g} ms" if y < 0.9995 else f"{y:g} s"))
    axes.minorticks_off()
    label_ends(axes, [("p50", _last(low), BLUE), ("p95", _last(high), VERMILION), ("threshold", limit_s, INK)])


def _steps(low: float, high: float) -> list[float]:
    """Ticks of 1, 2, 5 and so on, at most five of them."""
    for leads in ((1, 2, 5), (1, 3), (1,)):
        inside = [tick for e in range(-5, 5) for lead in leads if low <= (tick := lead * 10.0**e) <= high]
        if len(inside) <= 5:
            return inside
    return inside[:: 1 + len(inside) // 5]


def _last(values: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    known = values[~np.isnan(values)]
    return float(known[-1]) if len(known) else float("nan")


def _fleet(report: SimulationReport) -> Chart | None:
    """Replicas that serve, start and are wanted, and what waits for them."""
    moments = report.simulation.moments
    if not moments:
        return None
    figure, (upper, lower) = _panels(report, 2)
    end = report.simulation.duration_s
    at = [*(moment.at_s for moment in moments), end]
    ready, starting = ([getattr(m, name) for m in moments] for name in ("ready", "starting"))
    total = [a + b for a, b in zip(ready, starting, strict=True)]
    desired = [m.desired for m in moments]
    upper.fill_between(at, _held(total), _held(ready), step="post", color=ORANGE, alpha=0.45, linewidth=0)
    upper.step(at, _held(ready), color=BLUE, linewidth=1.6, **_STEP)
    upper.step(at, _held(desired), color=PURPLE, linewidth=0.9, linestyle=(0, (2.5, 1.5)), **_STEP)
    upper.set_ylim(0, max([*total, *desired, 1]) * 1.18)
    upper.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=2))
    key(upper, [("ready", BLUE), ("starting", ORANGE), ("wanted", PURPLE)])
    waiting = [m.waiting for m in moments]
    lower.fill_between(at, _held(waiting), step="post", color=GREEN, alpha=0.3, linewidth=0)
    lower.step(at, _held(waiting), color=GREEN, linewidth=1.1, **_STEP)
    lower.set_ylim(0, max([*waiting, 1]) * 1.18)
    lower.yaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=2))
    _heading(lower, "requests waiting, at the gateway and in the engines")
    key(lower, [(f"most {count(max(waiting))}", GREEN)])
    return to_chart(
        figure,
        key="fleet",
        title="Replicas, and what waits for them",
        caption="at each look of the autoscaler; simulated",
        alt=f"Simulated replicas: {min(ready)} to {max(ready)} ready; at most {count(max(waiting))} requests waiting.",
    )


def _held(values: Sequence[int]) -> list[int]:
    """The last value holds to the end."""
    return [*values, values[-1]]
