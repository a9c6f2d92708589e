"""Charts of a what-if: how bad months are, cost against risk, what moves the result, how it settled."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from sre.reliability.options import QUANTILES, Option
from sre.reliability.whatif import Answer
from sre.reports.finops_charts import short
from sre.reports.formats import number, percent, plural, target
from sre.reports.frame import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION
from sre.reports.svg import INK, MUTED, WIDTH_IN, Chart, drawing, new_figure, plain, to_chart

_FLOOR = 1e-6
_MOST_ROWS = 12
_SPARES = MappingProxyType({0: VERMILION, 1: ORANGE, 2: GREEN, 3: BLUE})
_MARKS = MappingProxyType({1: "o", 2: "s", 3: "^"})


def reliability_charts(found: Answer) -> tuple[Chart, ...]:
    """In reading order; those that have something to show."""
    drawn = [months_chart(found), risk_chart(found)]
    if found.swings:
        drawn.append(swing_chart(found))
    return (*drawn, settling_chart(found))


def rows_of(found: Answer) -> tuple[Option, ...]:
    """The options of the first chart: those that differ from the chosen one in one thing alone, and it."""
    own = found.chosen.fleet

    def differences(option: Option) -> int:
        fleet = option.fleet
        pairs = ((fleet.zones, own.zones), (fleet.spot_percent, own.spot_percent), (fleet.spares, own.spares))
        return sum(a != b for a, b in pairs)

    near = sorted((one for one in found.options if differences(one) <= 1), key=lambda one: one.bad.value)
    return tuple(near[:_MOST_ROWS])


def months_chart(found: Answer) -> Chart:
    """A line an option on a log axis: 90 % and half of its months, the median, the mean, and the budget."""
    rows = list(reversed(rows_of(found)))
    with drawing():
        height = 0.75 + 0.27 * len(rows)
        figure = new_figure(height)
        axes = _bars(figure, height, left_in=2.35)
        axes.set_xscale("log")
        for y, option in enumerate(rows):
            _months_row(axes, y, option)
        axes.axvline(found.economics.budget, color=VERMILION, linewidth=1.1, linestyle=(0, (5, 3)))
        axes.annotate(
            f"budget of {target(found.economics.target)}",
            (found.economics.budget, 1),
            (0, 4),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            ha="center",
            color=INK,
        )
        axes.set_xlim(_FLOOR * 0.8, max(2e-3, *(max(o.bad_quantiles[-1], o.bad.high) for o in rows)) * 1.5)
        axes.xaxis.set_major_formatter(FuncFormatter(_lost))
        axes.xaxis.set_minor_formatter(NullFormatter())
        _names(axes, [_mark(option, found) for option in rows])
        return to_chart(
            figure,
            key="months",
            title="Share of a month's requests that are bad",
            caption="thick: half of the months; thin: 5 % to 95 %; bar: median; dot: mean; log scale; left edge: none",
            alt="; ".join(_said(option) for option in reversed(rows)),
        )


def _months_row(axes: Axes, y: int, option: Option) -> None:
    at = {share: max(_FLOOR, value) for share, value in zip(QUANTILES, option.bad_quantiles, strict=True)}
    axes.plot([at[0.05], at[0.95]], [y, y], color=GREY, linewidth=1.6, solid_capstyle="butt", zorder=1)
    axes.plot([at[0.25], at[0.75]], [y, y], color=SKY, linewidth=7, solid_capstyle="butt", zorder=2)
    axes.plot([at[0.5]], [y], marker="|", color=INK, markersize=9, markeredgewidth=1.6, zorder=3)
    axes.plot([max(_FLOOR, option.bad.value)], [y], marker="o", color=VERMILION, markersize=4.5, zorder=4)


def _lost(x: float, _: object) -> str:
    return "none" if x < _FLOOR * 1.5 else f"{x * 100:.4g} %"


def _said(option: Option) -> str:
    median = option.bad_quantiles[QUANTILES.index(0.5)]
    worst = option.bad_quantiles[QUANTILES.index(0.95)]
    return (
        f"{option.fleet.name}: median {percent(median, 4)} bad, mean {percent(option.bad.value, 4)}, 95 % of months "
        f"below {percent(worst, 4)}"
    )


def risk_chart(found: Answer) -> Chart:
    """An option a mark: expected cost a month against the chance of a month beyond its budget."""
    currency = found.currency
    with drawing():
        figure = new_figure(3.2)
        axes = figure.add_axes((0.09, 0.14, 0.72, 0.78))
        axes.grid(visible=True, axis="both")
        for option in found.options:
            _risk_mark(axes, option, is_chosen=option is found.chosen)
        axes.axhline(found.question.risk, color=INK, linewidth=0.9, linestyle=(0, (5, 3)))
        axes.annotate(
            f"accepted {percent(found.question.risk, 1)}",
            (1, found.question.risk),
            (6, 0),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            va="center",
            color=INK,
        )
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: short(Decimal(str(round(x, 2))), currency)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y * 100:g} %"))
        axes.set_xlabel(f"bill and expected cost of failures, {currency} a month", color=MUTED)
        _keys(axes, found)
        told = "; ".join(
            f"{one.fleet.name}: {short(one.money.total, currency)}, {percent(one.exceeded.value, 1)}"
            for one in found.options
        )
        return to_chart(
            figure,
            key="risk",
            title="Cost against risk",
            caption="chance that a month spends more than its error budget; ringed: chosen; pale: with spot machines",
            alt=told,
        )


def _risk_mark(axes: Axes, option: Option, *, is_chosen: bool) -> None:
    fleet = option.fleet
    axes.plot(
        [float(option.money.total)],
        [option.exceeded.value],
        marker=_MARKS.get(fleet.zones, "D"),
        color=_SPARES.get(fleet.spares, PURPLE),
        alpha=1.0 - 0.7 * fleet.spot_percent / 100,
        markersize=7,
        linestyle="none",
    )
    if is_chosen:
        place = [float(option.money.total)], [option.exceeded.value]
        axes.plot(*place, marker="o", markersize=15, markerfacecolor="none", color=INK, markeredgewidth=1.3)


def _keys(axes: Axes, found: Answer) -> None:
    spares = sorted({one.fleet.spares for one in found.options})
    zones = sorted({one.fleet.zones for one in found.options})
    entries = [("s", _SPARES.get(count, PURPLE), f"N+{count}") for count in spares]
    entries += [(_MARKS.get(count, "D"), GREY, plural(count, "zone")) for count in zones]
    for row, (mark, colour, text) in enumerate(entries):
        y = 0.97 - 0.08 * row
        axes.plot([1.03], [y], marker=mark, color=colour, markersize=7, transform=axes.transAxes, clip_on=False)
        axes.text(1.06, y, text, transform=axes.transAxes, va="center", color=INK)


def swing_chart(found: Answer) -> Chart:
    """Mean share of bad requests of the chosen option with one input at its low and its high end."""
    moved = list(reversed(found.swings[:_MOST_ROWS]))
    middle = found.chosen.bad.value
    with drawing():
        height = 0.62 + 0.25 * len(moved)
        figure = new_figure(height)
        axes = _bars(figure, height, left_in=3.15)
        for y, swing in enumerate(moved):
            for end, alpha in ((swing.at_low, 0.45), (swing.at_high, 1.0)):
                axes.barh(y, end.bad - middle, left=middle, color=BLUE, alpha=alpha, height=0.62)
        axes.axvline(middle, color=INK, linewidth=0.9)
        axes.axvline(found.economics.budget, color=VERMILION, linewidth=1.0, linestyle=(0, (5, 3)))
        axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x * 100:.4g} %"))
        _names(axes, [plain(swing.name, 44) for swing in moved])
        told = "; ".join(
            f"{s.name} {s.low}: {percent(s.at_low.bad, 4)} bad, {s.high}: {percent(s.at_high.bad, 4)}"
            for s in found.swings[:_MOST_ROWS]
        )
        return to_chart(
            figure,
            key="swings",
            title=f"What moves {found.chosen.fleet.name} most",
            caption="mean share of bad requests, one input at its low (pale) and high end; dashed: the budget",
            alt=told,
        )


def settling_chart(found: Answer) -> Chart:
    """The chance of a month beyond its budget as months were added, with its 95 % interval."""
    steps = found.settled
    with drawing():
        figure = new_figure(1.9)
        axes = figure.add_axes((0.09, 0.2, 0.86, 0.72))
        counts = [step.months for step in steps]
        axes.set_xscale("log")
        low, high = [step.exceeded.low for step in steps], [step.exceeded.high for step in steps]
        axes.fill_between(counts, low, high, color=SKY, alpha=0.35, linewidth=0)
        axes.plot(counts, [step.exceeded.value for step in steps], color=BLUE, linewidth=1.4, marker="o", markersize=3)
        axes.axhline(found.question.risk, color=INK, linewidth=0.9, linestyle=(0, (5, 3)))
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y * 100:g} %"))
        told = "; ".join(f"after {number(s.months)} months {percent(s.exceeded.value, 2)}" for s in steps)
        return to_chart(
            figure,
            key="settling",
            title=f"How the estimate settled: {found.chosen.fleet.name}",
            caption="chance of a month beyond its budget by simulated months, with 95 % interval; dashed: accepted",
            alt=told,
        )


def _mark(option: Option, found: Answer) -> str:
    return plain(f"{'chosen: ' if option is found.chosen else ''}{option.fleet.name}", 36)


def _bars(figure: Figure, height_in: float, *, left_in: float) -> Axes:
    axes = figure.add_axes((left_in / WIDTH_IN, 0.3 / height_in, 1 - (left_in + 0.3) / WIDTH_IN, 1 - 0.55 / height_in))
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    return axes


def _names(axes: Axes, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.tick_params(axis="x", labelcolor=MUTED)
    axes.set_ylim(-0.6, len(names) - 0.4)
