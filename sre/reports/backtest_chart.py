"""Charts of a backtest: error ratio, burn of each tier, incidents shaded, episodes as bars, all over one time axis.

A month has more minutes than a page has pixels: each pixel shows the most that happened in it
(`sre.slo.backtest.trace`), so no spike that paged somebody is averaged away. Bars keep a least width for that reason.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, MultipleLocator

from sre.errors import EnvironmentLacks
from sre.reports.backtest_view import span, tier_words
from sre.reports.formats import count, number, percent, plural, target, window
from sre.reports.frame import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION, at_right, label_ends
from sre.reports.svg import INK, MUTED, WIDTH_IN, Chart, drawing, new_figure, plain, to_chart
from sre.slo.backtest.model import Backtest, Episode, Label, Plan, SloBacktest, TierTrace, Trace
from sre.slo.backtest.objective import METRICS
from sre.slo.backtest.tune import Candidate, Tuning

_LEFT_IN, _RIGHT_IN, _TOP_IN, _BOTTOM_IN, _GAP_IN = 0.74, 1.3, 0.5, 0.46, 0.36
_RATIO_IN, _TIER_IN, _BAR_IN = 0.95, 0.8, 0.2
_PNG_DPI = 150
_CHARACTERS, _LEAST_NAME = 120, 9  # letters of an incident's name that fit across the panel, and least worth writing
_TRUE, _FALSE, _PLAIN = BLUE, ORANGE, BLUE
_STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400)
_STEPS_D = (2, 3, 7, 14, 28, 91)


def slo_chart(found: SloBacktest, result: Backtest) -> Chart | None:
    """One SLO in full; None when nothing was replayed."""
    if found.trace is None:
        return None
    with drawing():
        figure = _slo_figure(found, result)
        return to_chart(
            figure,
            key=f"bt-{found.slo.name}",
            title=f"{found.slo.name}: error ratio, burn and alerts",
            caption=_caption(found.trace),
            alt=_in_words(found),
        )


def overview_chart(result: Backtest, shown: Sequence[SloBacktest]) -> Chart:
    """A strip an SLO: its incidents, and when any page and any ticket fired."""
    with drawing():
        return to_chart(
            _overview_figure(result, shown),
            key="bt-overview",
            title="When alerts fired",
            caption="upper bar: pages; lower bar: tickets; shaded: incidents",
            alt=" ".join(_in_words(found) for found in shown),
        )


def tuning_chart(tuning: Tuning) -> Chart | None:
    """False alarms against detection delay of every set on the front; None when nothing can be placed."""
    points = [p for name, one in _named(tuning) if (p := _point(name, one)) is not None]
    if len(points) < 2:
        return None
    with drawing():
        return to_chart(
            _tuning_figure(points),
            key=f"bt-tune-{tuning.slo.name}",
            title=f"{tuning.slo.name}: what tiers cost",
            caption="sets that no other beats in recall, false alarms and delay; lower and further left is better",
            alt=". ".join(
                f"{n}: {x:.3g} false alarms a month, {span(y)} delay, recall {percent(r, 0)}" for n, x, y, r in points
            ),
        )


def write_png(result: Backtest, shown: Sequence[SloBacktest], path: Path) -> None:
    """The only SLO in full, or the overview of several. Raises EnvironmentLacks when it cannot be written."""
    with drawing():
        drawn = [found for found in shown if found.trace is not None]
        figure = _slo_figure(drawn[0], result) if len(drawn) == 1 else _overview_figure(result, shown)
        figure.set_dpi(_PNG_DPI)
        figure.set_facecolor("#ffffff")
        temporary = path.with_name(f".{path.name}.part")
        try:
            FigureCanvasAgg(figure).print_png(str(temporary))  # type: ignore[no-untyped-call]
            temporary.replace(path)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise EnvironmentLacks(f"{path}: cannot be written ({error.strerror}): choose another --out") from error


def _slo_figure(found: SloBacktest, result: Backtest) -> Figure:
    traced = found.trace
    if traced is None:
        raise ValueError("nothing was replayed")
    tiers = traced.tiers
    rows = len(found.scores)
    strip_in = _BAR_IN * rows + 0.08
    height = _TOP_IN + _RATIO_IN + (len(tiers) * (_TIER_IN + _GAP_IN)) + _GAP_IN + strip_in + _BOTTOM_IN
    figure = new_figure(height)
    labels = [label for label in result.labels if label.concerns(found.slo.name)]
    top = _TOP_IN
    ratio = _panel(figure, result.plan, top, _RATIO_IN)
    _draw_ratio(ratio, found, traced)
    _shade(ratio, labels, result.plan, named=True)
    top += _RATIO_IN + _GAP_IN
    for tier in tiers:
        axes = _panel(figure, result.plan, top, _TIER_IN)
        _draw_tier(axes, tier, traced, found, result.plan.clock.factor)
        _shade(axes, labels, result.plan)
        top += _TIER_IN + _GAP_IN
    strip = _panel(figure, result.plan, top, strip_in)
    _draw_strip(strip, [(s.name, [e for e in found.episodes if e.tier == s.name]) for s in found.scores], result)
    _shade(strip, labels, result.plan)
    _heading(strip, "episodes")
    _bar_key(strip, result)
    for axes in figure.axes[:-1]:
        axes.tick_params(labelbottom=False)
    return figure


def _overview_figure(result: Backtest, shown: Sequence[SloBacktest]) -> Figure:
    row_in, gap_in = 0.34, 0.26
    figure = new_figure(_TOP_IN + max(1, len(shown)) * (row_in + gap_in) - gap_in + _BOTTOM_IN)
    for i, found in enumerate(shown):
        axes = _panel(figure, result.plan, _TOP_IN + i * (row_in + gap_in), row_in)
        rows = [(severity, [e for e in found.episodes if e.severity == severity]) for severity in ("page", "ticket")]
        _draw_strip(axes, rows, result)
        _shade(axes, [label for label in result.labels if label.concerns(found.slo.name)], result.plan, named=False)
        _heading(axes, plain(f"{found.slo.name}, objective {target(found.slo.target)}: {_overview_words(found)}", 90))
        if i == 0:
            _bar_key(axes, result)
        if i < len(shown) - 1:
            axes.tick_params(labelbottom=False)
    return figure


def _overview_words(found: SloBacktest) -> str:
    if found.reason is not None:
        return "no data"
    return ", ".join(plural(score.episodes, score.severity) for score in found.sets)


def _panel(figure: Figure, plan: Plan, top_in: float, height_in: float) -> Axes:
    total = figure.get_figheight()
    width = 1 - (_LEFT_IN + _RIGHT_IN) / WIDTH_IN
    axes = figure.add_axes((_LEFT_IN / WIDTH_IN, 1 - (top_in + height_in) / total, width, height_in / total))
    axes.set_xlim(plan.start, plan.end)
    ticks, texts = time_ticks(plan.start, plan.end)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FixedFormatter(texts))
    return axes


def time_ticks(start: float, end: float, *, most: int = 9) -> tuple[list[float], list[str]]:
    """(Unix times, texts) of round UTC times, at most `most`; the date stands where the day changes."""
    length = end - start
    step_s = next((s for s in _STEPS_S if length / s <= most), None)
    if step_s is not None:
        first = math.ceil(start / step_s) * step_s
        ticks = [float(t) for t in range(first, math.floor(end) + 1, step_s)]
    else:
        days = next((d for d in _STEPS_D if length / 86400 / d <= most), _STEPS_D[-1])
        day = datetime.fromtimestamp(start, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        ticks = []
        while (day := day + timedelta(days=1)).timestamp() <= end:
            ticks.append(day.timestamp())
        ticks = ticks[::days]
    return ticks, _tick_texts(ticks, step_s)


def _tick_texts(ticks: Sequence[float], step_s: int | None) -> list[str]:
    texts, shown = [], ""
    for tick in ticks:
        at = datetime.fromtimestamp(tick, UTC)
        date = f"{at.day} {at:%b}"
        if step_s is None or step_s >= 86400:
            texts.append(date)
            continue
        time = f"{at:%H:%M:%S}" if step_s < 60 else f"{at:%H:%M}"
        texts.append(time if date == shown else f"{time}\n{date}")
        shown = date
    return texts


def _draw_ratio(axes: Axes, found: SloBacktest, traced: Trace) -> None:
    budget = found.slo.budget
    values = traced.error_ratio
    axes.stairs(np.nan_to_num(values), traced.edges, fill=True, color=VERMILION, linewidth=0, alpha=0.75)
    _no_data(axes, traced)
    highest = float(np.nanmax(values)) if np.isfinite(values).any() else budget
    axes.set_yscale("symlog", linthresh=budget, linscale=0.6)
    axes.set_ylim(0, min(1.0, max(highest, 10 * budget)) * 1.6)
    decades = [d for d in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0) if budget * 0.99 < d <= max(highest, 10 * budget) * 1.6]
    axes.yaxis.set_major_locator(FixedLocator([0.0, *decades]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y * 100:g} %"))
    axes.minorticks_off()
    axes.axhline(budget, color=INK, linewidth=0.8, linestyle=(0, (5, 3)))
    label_ends(axes, [(f"budget {budget * 100:.4g} %", budget, INK)])
    _heading(axes, f"{plain(found.slo.name, 44)}: error ratio, objective {target(found.slo.target)}")


def _draw_tier(axes: Axes, tier: TierTrace, traced: Trace, found: SloBacktest, clock: float) -> None:
    colour = BLUE if tier.tier.severity == "page" else GREEN
    axes.stairs(tier.short_burn, traced.edges, baseline=None, color=PURPLE, linewidth=0.7, alpha=0.8)
    axes.stairs(tier.long_burn, traced.edges, baseline=None, color=colour, linewidth=1.4)
    axes.axhline(tier.tier.factor, color=INK, linewidth=0.8, linestyle=(0, (1, 1.6)))
    _no_data(axes, traced)
    peaks = [float(np.nanmax(p)) for p in (tier.long_burn, tier.short_burn) if np.isfinite(p).any()]
    highest = max([tier.tier.factor * 2, *(p for p in peaks if math.isfinite(p))])
    axes.set_yscale("symlog", linthresh=1.0, linscale=0.5)
    axes.set_ylim(0, highest * 1.6)
    axes.yaxis.set_major_locator(FixedLocator([0.0, 1.0, *(10.0**e for e in range(1, 6) if 10.0**e < highest * 1.6)]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}x"))
    axes.minorticks_off()
    label_ends(axes, [(f"factor {number(tier.tier.factor)}", tier.tier.factor, INK)])
    score = next((s for s in found.scores if s.name == tier.tier.name), None)
    tail = (
        "" if score is None else f", {plural(score.episodes, 'episode')}, {percent(score.in_alert_share)} of the time"
    )
    _heading(axes, f"{plain(tier.tier.name, 30)}: {tier_words(tier.tier, clock)}{tail}")


def _no_data(axes: Axes, traced: Trace) -> None:
    """Grey where the bin holds no event at all, so that a gap does not look like a calm."""
    gone = np.isnan(traced.error_ratio)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], gone, [False]]).astype(np.int8)))
    for first, last in edges.reshape(-1, 2).tolist():
        axes.axvspan(traced.edges[first], traced.edges[last], color=GREY, alpha=0.35, linewidth=0, zorder=0.4)


def _shade(axes: Axes, labels: Sequence[Label], plan: Plan, *, named: bool = False) -> None:
    """Incidents as shaded columns, never thinner than a visible line; named above the first panel if there is room."""
    least = plan.span_s / 700
    for label in labels:
        end = max(label.end, label.start + least)
        axes.axvspan(label.start, end, color=VERMILION, alpha=0.16, linewidth=0, zorder=0.5)
    if not named or not labels:
        return
    characters_s = plan.span_s / _CHARACTERS
    starts = [max(label.start, plan.start) for label in labels]
    free_from = -math.inf
    for label, start in sorted(zip(labels, starts, strict=True), key=lambda pair: pair[1]):
        later = min((other for other in starts if other > start), default=plan.end)
        room = max(int((later - start) / characters_s) - 1, _LEAST_NAME)
        if start < free_from or start + _LEAST_NAME * characters_s > plan.end:
            continue
        text = plain(label.name, min(room, 40))
        free_from = start + (len(text) + 1) * characters_s
        axes.annotate(
            text,
            (start, 1),
            (0, 17),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            fontsize=7,
            color=VERMILION,
        )


def _draw_strip(axes: Axes, rows: Sequence[tuple[str, Sequence[Episode]]], result: Backtest) -> None:
    """Bars of episodes: blue inside an incident (or without labels), orange outside of every one."""
    least = result.plan.span_s / 500
    axes.grid(visible=False)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.yaxis.set_major_locator(FixedLocator([float(i) for i in range(len(rows))]))
    axes.yaxis.set_major_formatter(FixedFormatter([plain(name, 11) for name, _ in rows]))
    axes.tick_params(axis="y", labelcolor=INK, labelsize=7.5)
    for row, (_, episodes) in enumerate(rows):
        for episode in episodes:
            end = episode.reset_at if episode.reset_at is not None else result.plan.end
            colour = _PLAIN if not result.labels else _TRUE if episode.incidents else _FALSE
            width = max(end - episode.fired_at, least)
            axes.barh(row, width, left=episode.fired_at, height=0.66, color=colour, linewidth=0)


def _bar_key(axes: Axes, result: Backtest) -> None:
    """What the bars' colours say, beside one strip."""
    if result.labels:
        for y_pt, text, colour in ((-5.0, "in an incident", _TRUE), (-18.0, "false alarm", _FALSE)):
            at_right(axes, text, INK, (1, 1), y_pt, swatch=" ")
            _swatch(axes, colour, y_pt)


def _swatch(axes: Axes, colour: str, y_pt: float) -> None:
    where: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "center"}
    axes.annotate("■", (1, 1), (7, y_pt), color=colour, fontsize=9, annotation_clip=False, **where)


def _heading(axes: Axes, text: str) -> None:
    axes.annotate(text, (0, 1), (0, 5), xycoords="axes fraction", textcoords="offset points", color=MUTED)


def _caption(traced: Trace) -> str:
    width = float(traced.edges[1] - traced.edges[0]) if traced.edges.size > 1 else 0.0
    return (
        f"shaded: incidents; grey: no data; thick: long window, thin purple: short window, dotted: factor (an alert "
        f"needs both above); each step is the most of {span(width)}"
    )


def _in_words(found: SloBacktest) -> str:
    if found.reason is not None:
        return f"{found.slo.name}: {found.reason}."
    told = ", ".join(f"{score.name} {plural(score.episodes, 'episode')}" for score in found.scores)
    return f"{found.slo.name}: {count(found.bad)} bad of {count(found.total)} events; {told}."


def _named(tuning: Tuning) -> list[tuple[str, Candidate]]:
    rest = [("", one) for one in tuning.front if one.tiers not in (tuning.best.tiers, tuning.before.tiers)]
    return [*rest, ("now", tuning.before), ("tuned", tuning.best)]


def _point(name: str, candidate: Candidate) -> tuple[str, float, float, float] | None:
    score = candidate.train.get("page") or candidate.train.get("ticket")
    if score is None:
        return None
    alarms, delay, recall = METRICS["false-alarms"](score), score.detection_s.value, score.recall.value
    return None if alarms is None or delay is None or recall is None else (name, alarms, delay, recall)


def _tuning_figure(points: Sequence[tuple[str, float, float, float]]) -> Figure:
    figure = new_figure(3.2)
    total = figure.get_figheight()
    axes = figure.add_axes((0.74 / WIDTH_IN, 0.5 / total, 1 - (0.74 + 1.6) / WIDTH_IN, 1 - 0.8 / total))
    shown = axes.scatter(
        [x for _, x, _, _ in points],
        [y for _, _, y, _ in points],
        c=[r for _, _, _, r in points],
        s=[70 if name else 26 for name, _, _, _ in points],
        cmap="viridis",
        vmin=0,
        vmax=1,
        edgecolors=[INK if name else "none" for name, _, _, _ in points],
        zorder=3,
    )
    for name, x, y, _ in points:
        if name:
            axes.annotate(name, (x, y), (8, 6), textcoords="offset points", color=INK, fontweight="bold")
    most, slowest = max(1.0, *(x for _, x, _, _ in points)), max(y for _, _, y, _ in points)
    if most > 30:
        axes.set_xscale("symlog", linthresh=3.0)
        axes.xaxis.set_major_locator(FixedLocator([0, 1, 2, 3, 10, 30, 100, 300, 1000, 3000]))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axes.set_xlim(-0.03 * (3.0 if most > 30 else most), most * 1.1)
    step_s = next((s for s in _STEPS_S if slowest / s <= 6), 86400)
    axes.set_ylim(0, max(slowest, 1e-3) * 1.2)
    axes.yaxis.set_major_locator(MultipleLocator(step_s))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: window(y) if y else "0"))
    axes.set_xlabel("false alarms a month", color=MUTED)
    _heading(axes, "median detection delay")
    bar = figure.colorbar(
        shown, cax=figure.add_axes((1 - 1.15 / WIDTH_IN, 0.5 / total, 0.12 / WIDTH_IN, 1 - 0.8 / total))
    )
    bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y * 100:.0f} %"))
    bar.ax.set_title("recall", fontsize=8, color=MUTED)
    return figure
