"""The briefing's charts: what the bill bought, what a token cost, what policies would cost, what drills return."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from sre.cost.policies import PolicyCosts
from sre.cost.roi_model import Roi, Swing
from sre.reports.finops_model import FinopsBriefing
from sre.reports.formats import money, percent, plural
from sre.reports.frame import BLUE, GREEN, GREY, ORANGE, VERMILION
from sre.reports.svg import INK, MUTED, WIDTH_IN, Chart, drawing, new_figure, plain, to_chart

_MOST_BARS = 8
_COLOURS = {"used": GREEN, "serving": GREEN, "wasted": VERMILION, "idle": GREY, "not serving": GREY, "shared": BLUE}
_SYMBOLS = (("USD", "$"), ("EUR", "€"), ("GBP", "£"))
WORDS = {
    "incidents_without": "incidents without drills",
    "incidents_with": "incidents with drills",
    "minutes_without": "minutes without drills",
    "minutes_with": "minutes with drills",
    "share_lost": "share of requests lost",
    "requests_a_month": "requests a month",
    "good_request": "value of a good request",
    "responders_hour": "hourly cost of responders",
    "follow_up": "labour after an incident",
    "drills_a_month": "drills a month",
    "drill_cost": "cost of a drill",
    "fixed_cost": "fixed cost a year",
    "monthly_fee": "fee of the service a month",
}
"""The inputs of a return in a reader's words."""
Part = tuple[str, Decimal, str]


def short(amount: Decimal, currency: str) -> str:
    """An amount for an axis: `$1.2M`, `-$40k`, `$350`."""
    symbol = dict(_SYMBOLS).get(currency, f"{currency} ")
    size, sign = abs(amount), "-" if amount < 0 else ""
    for unit, name in ((Decimal(1_000_000), "M"), (Decimal(1000), "k")):
        if size >= unit:
            return f"{sign}{symbol}{float(size / unit):.3g}{name}"
    return f"{sign}{symbol}{float(size):.3g}"


def bill_chart(parts: Sequence[Part], currency: str) -> Chart:
    """One bar: (name, amount, colour) from left to right, each with its share of the bill."""
    total = sum((amount for _, amount, _ in parts), Decimal(0))
    told = [f"{name} {money(amount, currency)}, {percent(_share(amount, total), 1)}" for name, amount, _ in parts]
    with drawing():
        figure = new_figure(0.95)
        axes = figure.add_axes((0.01, 0.45, 0.98, 0.5))
        left = 0.0
        for _, amount, colour in parts:
            axes.barh(0, float(amount), left=left, color=colour, edgecolor="#fefefe", linewidth=1.0)
            left += float(amount)
        axes.set_xlim(0, left or 1)
        axes.axis("off")
        for place, (text, (_, _, colour)) in enumerate(zip(told, parts, strict=True)):
            x = 0.01 + 0.98 * place / len(parts)
            figure.text(x, 0.16, "■", color=colour, fontsize=9, va="center")
            figure.text(x + 0.016, 0.16, text, color=INK, va="center")
        return to_chart(
            figure,
            key="bill",
            title="What the bill bought",
            caption="parts of the GPU bill; they add up to it",
            alt="; ".join(told),
        )


def _share(amount: Decimal, total: Decimal) -> float | None:
    return float(amount / total) if total else None


def units_chart(rows: Sequence[tuple[str, Decimal, Decimal]], currency: str) -> Chart:
    """A line a drill: (name, per million tokens, per million good tokens), the widest gaps first."""
    shown = sorted(rows, key=lambda row: (-(row[2] - row[1]), row[0]))[:_MOST_BARS]
    with drawing():
        height = 0.62 + 0.21 * len(shown)
        figure = new_figure(height)
        axes = _bars(figure, height, left_in=1.9)
        for y, (_, each, good) in enumerate(reversed(shown)):
            axes.plot([float(each), float(good)], [y, y], color=GREY, linewidth=1.4, zorder=1)
            axes.plot(float(good), y, "o", color=VERMILION, markersize=6, zorder=2)
            axes.plot(float(each), y, "o", color=BLUE, markersize=5, zorder=3)
        _names(axes, [plain(name, 44) for name, _, _ in reversed(shown)])
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: money(Decimal(str(round(x, 6))), currency)))
        said = "; ".join(f"{name}: {money(each, currency)} and {money(good, currency)}" for name, each, good in shown)
        return to_chart(
            figure,
            key="units",
            title=f"{currency} per million generated tokens and per million good ones",
            caption="blue: all tokens; red: good tokens alone; the gap is what a brown-out hides",
            alt=said,
        )


def policies_chart(costs: PolicyCosts) -> Chart:
    """A bar a policy: cost a month, with the share of good requests. Simulated."""
    rows = list(reversed(costs.policies))
    with drawing():
        height = 0.45 + 0.24 * len(rows)
        figure = new_figure(height)
        axes = _bars(figure, height, left_in=1.9)
        for y, one in enumerate(rows):
            good = one.attainment >= Decimal("0.99")
            colour = GREY if one.is_baseline else GREEN if good else ORANGE
            axes.barh(y, float(one.a_month), color=colour, height=0.62)
            said = f" {short(one.a_month, costs.currency)}, {percent(float(one.attainment), 1)} good"
            axes.annotate(said, (float(one.a_month), y), va="center", color=INK)
        _names(axes, [plain(one.name, 30) for one in rows])
        axes.set_xlim(0, max(float(one.a_month) for one in rows) * 1.22)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short(Decimal(str(round(x, 2))), costs.currency)))
        told = "; ".join(
            f"{one.name} {money(one.a_month, costs.currency)}, {percent(float(one.attainment))} good"
            for one in costs.policies
        )
        return to_chart(
            figure,
            key="policies",
            title="Scaling policies, cost a month (simulated)",
            caption="green: 99 % good or more; orange: less; grey: fixed fleets",
            alt=told,
        )


def roi_chart(roi: Roi) -> Chart:
    """Left: the simulated years by net benefit. Right: what each input does to the mean."""
    swings = list(reversed(roi.swings[:_MOST_BARS]))
    with drawing():
        height = 2.5
        figure = new_figure(height)
        _years(figure, roi)
        _tornado(figure, roi, swings)
        return to_chart(
            figure,
            key="roi",
            title="Net benefit of the programme in a year",
            caption=f"left: {roi.years:,} simulated years (middle 98 %), red ones lose; right: mean net benefit "
            f"with one input at its low (light) and high (dark) end{_humps(roi)}",
            alt=_roi_words(roi),
        )


def _humps(roi: Roi) -> str:
    """Credits are given in steps, and a step is worth many incidents without one."""
    return "; the humps are SLA credits, which come in steps" if roi.has_credits else ""


def _years(figure: Figure, roi: Roi) -> None:
    axes = figure.add_axes((0.02, 0.2, 0.43, 0.66))
    for low, high, count in roi.bins:
        middle = (low + high) / 2
        colour = GREEN if middle > 0 else VERMILION
        axes.bar(float(middle), count, width=float(high - low) * 0.92 or 1.0, color=colour)
    for name, value in (("p10", roi.net.p10), ("p50", roi.net.p50), ("p90", roi.net.p90)):
        axes.axvline(float(value), color=INK, linewidth=0.9)
        axes.annotate(
            f"{name} {short(value, roi.currency)}",
            (float(value), 1),
            (0, 4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color=INK,
        )
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short(Decimal(str(round(x, 2))), roi.currency)))


def _tornado(figure: Figure, roi: Roi, swings: Sequence[Swing]) -> None:
    axes = figure.add_axes((0.66, 0.2, 0.32, 0.66))
    mean = float(roi.net.mean)
    for y, swing in enumerate(swings):
        for end, alpha in ((swing.at_low, 0.45), (swing.at_high, 1.0)):
            axes.barh(y, float(end) - mean, left=mean, color=BLUE, alpha=alpha, height=0.66)
    axes.axvline(mean, color=INK, linewidth=0.9)
    axes.axvline(0, color=VERMILION, linewidth=0.9, linestyle=":")
    _names(axes, [WORDS[swing.name] for swing in swings])
    axes.grid(visible=False)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short(Decimal(str(round(x, 2))), roi.currency)))


def _roi_words(roi: Roi) -> str:
    currency = roi.currency
    head = (
        f"Net benefit p10 {money(roi.net.p10, currency)}, p50 {money(roi.net.p50, currency)}, p90 "
        f"{money(roi.net.p90, currency)} over {plural(roi.years, 'simulated year')}."
    )
    moves = "; ".join(
        f"{WORDS[s.name]} {money(s.at_low, currency)} to {money(s.at_high, currency)}" for s in roi.swings[:_MOST_BARS]
    )
    return f"{head} Mean net benefit with one input at its low and high end: {moves}."


def _bars(figure: Figure, height_in: float, *, left_in: float) -> Axes:
    axes = figure.add_axes((left_in / WIDTH_IN, 0.3 / height_in, 1 - (left_in + 0.3) / WIDTH_IN, 1 - 0.4 / height_in))
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    return axes


def _names(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.tick_params(axis="x", labelcolor=MUTED)
    axes.set_ylim(-0.6, len(names) - 0.4)


def briefing_charts(found: FinopsBriefing) -> tuple[Chart, ...]:
    """The charts that have something to show."""
    charts = []
    if found.spent.bill > 0:
        parts = [(name, amount, _COLOURS[name]) for name, amount in found.spent.parts]
        charts.append(bill_chart(parts, found.currency))
    rows = [
        (drill.name, each, good)
        for drill in found.drills
        if (each := drill.spent.per_million_tokens) is not None
        and (good := drill.spent.per_million_good_tokens) is not None
    ]
    if len(rows) > 1:
        charts.append(units_chart(rows, found.currency))
    if found.roi is not None:
        charts.append(roi_chart(found.roi))
    if found.policies is not None:
        charts.append(policies_chart(found.policies))
    return tuple(charts)
