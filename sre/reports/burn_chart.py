"""Burn rates: one panel an objective, both windows of each page tier, its factor, and where the alert fired."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from sre.reports.formats import multiple, number, target, window
from sre.reports.frame import (
    BLUE,
    PURPLE,
    VERMILION,
    Framed,
    label_ends,
    label_time,
    mark_faults,
    mark_instants,
    panel,
    relative,
)
from sre.reports.svg import BOTTOM_IN, INK, MUTED, TOP_IN, Chart, new_figure, plain, to_chart
from sre.slo.model import BurnCurve, SloResult

_PANEL_IN, _GAP_IN, _KEY_IN = 0.88, 0.34, 0.42
_COLOURS = (BLUE, PURPLE, "#7a3b00", MUTED)


class Burning(Framed, Protocol):
    """A stretch of time over which SLOs were evaluated: a drill's report, or a simulation's."""

    @property
    def clock_factor(self) -> float: ...

    @property
    def primary_source(self) -> str: ...

    def primary_results(self) -> tuple[SloResult, ...]: ...


def burn_chart(
    report: Burning,
    *,
    objectives: Sequence[str] = (),
    marks: Sequence[tuple[str, float]] = (),
    name: str = "burn",
    since: str = "drill start",
) -> Chart | None:
    """None when the primary source has no page tier to show. `objectives` names those to draw, none: all of them;
    `marks` are instants to mark in each panel, `since` is what the time axis counts from.
    """
    shown = [r for r in report.primary_results() if _pages(r) and (not objectives or r.slo.name in objectives)]
    if not shown:
        return None
    figure = new_figure(_KEY_IN + TOP_IN + len(shown) * (_PANEL_IN + _GAP_IN) - _GAP_IN + BOTTOM_IN)
    for row, result in enumerate(shown):
        heading = plain(f"{result.slo.title}, objective {target(result.slo.target)}", 70)
        top = _KEY_IN + TOP_IN + row * (_PANEL_IN + _GAP_IN)
        axes = panel(figure, report, top_in=top, height_in=_PANEL_IN)
        axes.annotate(heading, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", color=MUTED)
        _draw(axes, report, result)
        mark_faults(axes, report, label_pt=18.0 if row == 0 else None)
        mark_instants(axes, report, marks, named=row == 0)
        if row == len(shown) - 1:
            label_time(axes, since)
        else:
            axes.tick_params(labelbottom=False)
    _key(figure.axes[0])
    caption = (
        f"error ratio / budget, {report.primary_source}; windows on the drill clock (1/{number(report.clock_factor)})"
    )
    return to_chart(figure, key=name, title="Burn rates", caption=caption, alt=_in_words(report, shown))


def _pages(result: SloResult) -> list[BurnCurve]:
    return [c for c in result.curves if c.tier.severity == "page" and len(c.times)]


def _draw(axes: Axes, report: Burning, result: SloResult) -> None:
    ends = []
    highest = 10.0
    for curve, colour in zip(_pages(result), _COLOURS, strict=False):
        times = curve.times - report.started_at
        axes.plot(times, curve.long_burn, color=colour, linewidth=1.7, drawstyle="steps-post")
        dashed: dict[str, Any] = {"linestyle": (0, (2.5, 1.5)), "linewidth": 0.9, "alpha": 0.85}
        axes.plot(times, curve.short_burn, color=colour, drawstyle="steps-post", **dashed)
        axes.axhline(curve.tier.factor, color=colour, linewidth=0.8, linestyle=(0, (1, 1.6)))
        ends.append((f"{plain(curve.tier.name, 9)} {multiple(curve.tier.factor)}", curve.tier.factor, colour))
        peaks = [p for p in (curve.long_burn, curve.short_burn) if np.isfinite(p).any()]
        highest = max([highest, curve.tier.factor * 1.5, *(float(np.nanmax(p[np.isfinite(p)])) for p in peaks)])
    axes.set_yscale("symlog", linthresh=1.0, linscale=0.6)
    axes.set_ylim(0, highest * 2.2)
    axes.yaxis.set_major_locator(FixedLocator([0.0, 1.0, *(10.0**e for e in range(1, 5) if 10.0**e < highest * 2)]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.minorticks_off()
    label_ends(axes, ends)
    _alert_marks(axes, report, result)


def _alert_marks(axes: Axes, report: Burning, result: SloResult) -> None:
    """Where pages fired (filled) and reset (hollow), along the panel's upper edge."""
    for alert in result.alerts:
        if alert.severity != "page":
            continue
        _mark(axes, relative(report, alert.fired_at), VERMILION)
        if alert.reset_at is not None:
            _mark(axes, relative(report, alert.reset_at), "none")


def _mark(axes: Axes, at: float, fill: str) -> None:
    axes.plot(
        [at],
        [0.9],
        marker="v",
        markersize=7,
        markerfacecolor=fill,
        markeredgecolor=VERMILION,
        markeredgewidth=1.1,
        linestyle="none",
        transform=axes.get_xaxis_transform(),
        clip_on=False,
        zorder=5,
    )


def _key(axes: Axes) -> None:
    """One line above the first panel."""
    entries: tuple[tuple[dict[str, Any], str], ...] = (
        ({"color": INK, "linewidth": 1.7}, "long window"),
        ({"color": INK, "linewidth": 0.9, "linestyle": (0, (2.5, 1.5))}, "short window"),
        ({"color": INK, "linewidth": 0.8, "linestyle": (0, (1, 1.6))}, "factor: a page needs both above"),
        ({"marker": "v", "linestyle": "none", "color": VERMILION, "markersize": 7}, "page fired"),
        (
            {"marker": "v", "linestyle": "none", "color": VERMILION, "markerfacecolor": "none", "markersize": 7},
            "page reset",
        ),
    )
    handles = [axes.plot([], [], **style)[0] for style, _ in entries]
    axes.legend(
        handles,
        [text for _, text in entries],
        loc="lower left",
        bbox_to_anchor=(0, 1 + 35 / (_PANEL_IN * 72)),
        ncols=5,
        borderpad=0,
        borderaxespad=0,
        handlelength=1.9,
        columnspacing=1.6,
        fontsize=8,
    )


def _in_words(report: Burning, shown: list[SloResult]) -> str:
    return "Burn rates on the drill clock. " + " ".join(_result_in_words(report, r) for r in shown)


def _result_in_words(report: Burning, result: SloResult) -> str:
    curve = _pages(result)[0]
    known = curve.long_burn[np.isfinite(curve.long_burn)]
    peak = number(float(known.max())) if len(known) else "no data"
    fired = [a for a in result.alerts if a.severity == "page"]
    told = ", ".join(f"{a.tier} paged at {relative(report, a.fired_at):.1f} s" for a in fired) or "no page"
    span = window(curve.tier.long_s / report.clock_factor) if math.isfinite(report.clock_factor) else "n/a"
    return f"{result.slo.title}: peak {peak} over {span}, {told}."
