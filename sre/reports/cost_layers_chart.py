"""The layered bill as one bar: how much of the money worked, and where the rest went."""

from __future__ import annotations

from types import MappingProxyType

from matplotlib.figure import Figure

from sre.cost.model import CostLayers, LayerPart
from sre.reports.cost_layers import layer_shares, shares, shown
from sre.reports.svg import GRID, INK, LEFT_IN, MUTED, RIGHT_IN, WIDTH_IN, Chart, drawing, new_figure, to_chart

_COLOURS = MappingProxyType(
    {
        "good": "#009e73",
        "late": "#8fd1bd",
        "failed": "#d55e00",
        "recomputed": "#e69f00",
        "not serving": "#56b4e9",
        "stalled": "#cc79a7",
        "vacant": "#9aa5b1",
        "unseen": "#dfe4ea",
        "platform": "#0072b2",
    }
)
_HEIGHT_IN, _BAR = 1.75, 0.62
_NARROW = 0.07  # of the bill: below that a label does not fit into its piece


def layers_chart(layers: CostLayers, *, title: str = "What the bill was spent on") -> Chart:
    """A stacked bar with a legend; parts of nothing are left out."""
    parts = [part for part in layers.parts if part.amount]
    with drawing():
        figure = new_figure(_HEIGHT_IN)
        _bar(figure, layers, parts)
        return to_chart(
            figure,
            key="cost-layers",
            title=title,
            caption="Shares of the bill. Used and wasted GPU time worked; idle time was paid for and did not.",
            alt=_alt(layers),
        )


def _bar(figure: Figure, layers: CostLayers, parts: list[LayerPart]) -> None:
    width = 1 - (LEFT_IN + RIGHT_IN) / WIDTH_IN + RIGHT_IN / WIDTH_IN * 0.9
    axes = figure.add_axes((LEFT_IN / WIDTH_IN * 0.4, 0.55, width, 0.3))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.0f} %")
    left, told = 0.0, shares(layers)
    for part in parts:
        share = float(part.amount / layers.bill)
        axes.barh(0.5, share, left=left, height=1.0, color=_COLOURS[part.name], edgecolor=GRID, linewidth=0.5)
        if share >= _NARROW:
            axes.text(
                left + share / 2,
                0.5,
                f"{told[part.layer, part.name]:.1f} %",
                ha="center",
                va="center",
                color=INK,
                fontsize=8,
            )
        left += share
    amounts = shown(layers)
    for index, part in enumerate(parts):
        x, y = (index % 4) * 0.25, -0.95 - 0.55 * (index // 4)
        label = f"{part.layer}: {part.name} {amounts[part.layer, part.name]}"
        axes.text(x, y, "■", color=_COLOURS[part.name], va="center", fontsize=9, clip_on=False)
        axes.text(x + 0.018, y, label, color=MUTED, va="center", fontsize=8, clip_on=False)
    axes.set_title(f"bill {layers.bill:.4f} {layers.currency}", loc="left", fontsize=9, color=INK)


def _alt(layers: CostLayers) -> str:
    told = (f"{layer} {share:.1f} %" for layer, share in layer_shares(layers))
    return f"A bill of {layers.bill:.4f} {layers.currency}: {', '.join(told)}."
