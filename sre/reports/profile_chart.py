"""The charts of a GPU profile: a decode step against its batch, by context, and a prefill step against its tokens."""

from __future__ import annotations

import io

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from sre.platforms.profiles import ProfileShown
from sre.reports.frame import BLUE, GREEN, ORANGE, SKY, VERMILION
from sre.reports.svg import INK, MUTED, Chart, drawing, new_figure, to_chart

_PNG_DPI = 150
_HEIGHT_IN = 3.4
_LEFT, _RIGHT, _GAP, _BOTTOM, _TOP = 0.06, 0.03, 0.09, 0.15, 0.1
_COLOURS = (BLUE, SKY, GREEN, ORANGE)


def profile_charts(shown: ProfileShown) -> tuple[Chart, ...]:
    """For a page: one chart of two panels."""
    with drawing():
        return (
            to_chart(
                _figure(shown),
                key="steptime",
                title="Step time",
                caption="left: decode steps by context of each sequence; right: prefill steps; log scale across",
                alt=_in_words(shown),
            ),
        )


def profile_png(shown: ProfileShown) -> bytes:
    """The same as a PNG on white."""
    with drawing():
        figure = _figure(shown)
        figure.set_dpi(_PNG_DPI)
        figure.set_facecolor("#ffffff")
        buffer = io.BytesIO()
        FigureCanvasAgg(figure).print_png(buffer)  # type: ignore[no-untyped-call]
    return buffer.getvalue()


def _in_words(shown: ProfileShown) -> str:
    steps = shown.steps
    return (
        f"{shown.entry.name}: a decode step takes {steps.decode_ms[0][0]:.1f} ms for one sequence and "
        f"{steps.decode_ms[-1][0]:.1f} ms for {steps.sequences[-1]} without context; a prefill step "
        f"{steps.prefill_ms[0]:.1f} ms for {steps.tokens[0]} tokens and {steps.prefill_ms[-1]:.1f} ms for "
        f"{steps.tokens[-1]:,}."
    )


def _figure(shown: ProfileShown) -> Figure:
    figure, steps = new_figure(_HEIGHT_IN), shown.steps
    width = (1 - _LEFT - _RIGHT - _GAP) / 2
    decode = figure.add_axes((_LEFT, _BOTTOM, width, 1 - _BOTTOM - _TOP))
    prefill = figure.add_axes((_LEFT + width + _GAP, _BOTTOM, width, 1 - _BOTTOM - _TOP))
    for index, context in enumerate(steps.contexts_tokens):
        values = [row[index] for row in steps.decode_ms]
        label = f"{context:,} tokens of context" if context else "no context"
        decode.plot(
            steps.sequences, values, color=_COLOURS[index % len(_COLOURS)], lw=1.6, marker="o", ms=2.5, label=label
        )
    prefill.plot(steps.tokens, steps.prefill_ms, color=BLUE, lw=1.6, marker="o", ms=2.5, label="prefill only")
    label = f"with {steps.mixed_decodes} decodes"
    prefill.plot(steps.tokens, steps.mixed_ms, color=VERMILION, lw=1.6, marker="o", ms=2.5, label=label)
    _dress(decode, steps.sequences, f"{shown.entry.name}: decode step, ms", "sequences")
    _dress(prefill, steps.tokens, "prefill step, ms", "prefill tokens")
    return figure


def _dress(axes: Axes, ticks: tuple[int, ...], title: str, across: str) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_ylim(bottom=0)
    axes.set_title(title, loc="left", color=INK, fontsize=9)
    axes.set_xlabel(across, color=MUTED)
    axes.legend(loc="upper left", fontsize=7.5)
