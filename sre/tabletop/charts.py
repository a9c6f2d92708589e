"""Charts as a dashboard would have shown them at one instant: nothing of the fault, nothing of what came after."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
from matplotlib.ticker import MaxNLocator

from sre.reports import series
from sre.reports.charts import replicas_chart, ttft_chart
from sre.reports.formats import count
from sre.reports.frame import GREY, ORANGE, PURPLE, SKY, VERMILION, key, one_panel
from sre.reports.model import DrillReport
from sre.reports.svg import Chart, drawing, new_figure, plain, to_chart
from sre.tabletop.scenario import Kind

_COLOURS = {"ok": SKY, "error": VERMILION, "truncated": PURPLE, "timeout": "#7a3b00", "rejected": ORANGE}
CHARTS: tuple[Kind, ...] = ("requests", "ttft", "replicas")


def chart_of(kind: Kind, seen: DrillReport, prefix: str) -> Chart | None:
    """A chart of what `seen_at` (`first_tokens_at` for `ttft`) left; None when there is nothing to draw.

    `prefix` makes its ids unique on a page.
    """
    draw = {"requests": _requests, "ttft": ttft_chart, "replicas": replicas_chart}[kind]
    with drawing():
        chart = draw(seen)
    return None if chart is None else _renamed(chart, f"{prefix}-{chart.key}")


def _requests(seen: DrillReport) -> Chart | None:
    """Requests finished per second by outcome. Those sent are not drawn: the open ones are not known yet."""
    if not seen.requests:
        return None
    rates = series.outcome_rates(seen)
    figure = new_figure(2.2)
    axes = one_panel(figure, seen)
    floor = np.zeros(len(rates.edges) - 1)
    for name, rate in rates.by_outcome:
        axes.stairs(floor + rate, rates.edges, baseline=floor, fill=True, color=_COLOURS.get(name, GREY), linewidth=0)
        floor = floor + rate
    axes.set_ylim(0, max(float(floor.max()), 1.0) * 1.08)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=2))
    totals = [(name, float(rate.sum() * rates.width_s)) for name, rate in rates.by_outcome]
    key(axes, [(f"{plain(name, 12)} {count(n)}", _COLOURS.get(name, GREY)) for name, n in reversed(totals)])
    return to_chart(
        figure,
        key="requests",
        title="Requests by outcome",
        caption="finished per second, until now",
        alt=f"Requests finished until now: {', '.join(f'{count(n)} {name}' for name, n in totals)}.",
    )


def _renamed(chart: Chart, new: str) -> Chart:
    """The same chart under another id."""
    old = re.escape(chart.key)
    svg = re.sub(rf'(id="|url\(#|href="#|aria-labelledby="){old}-', rf"\g<1>{new}-", chart.svg)
    svg = svg.replace(f" {chart.key}-desc", f" {new}-desc")
    return replace(chart, key=new, svg=svg)
