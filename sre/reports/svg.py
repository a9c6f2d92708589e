"""A matplotlib figure as one deterministic, accessible, themeable piece of SVG.

Text stays text (small, searchable, set in the page's own font) and the neutral colours become CSS variables, so that a
chart follows the page into dark mode. No pyplot: no global figure registry, no display.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from types import MappingProxyType
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK, MUTED, GRID, SURFACE = "#1f2a37", "#5b6876", "#dfe4ea", "#fefefe"
WIDTH_IN, LEFT_IN, RIGHT_IN, TOP_IN, BOTTOM_IN = 9.0, 0.58, 1.25, 0.26, 0.42

BLUE = "#0072b2"
_VARIABLES: Mapping[str, str] = MappingProxyType(
    {INK: "--ink", MUTED: "--muted", GRID: "--grid", SURFACE: "--surface", BLUE: "--blue"}
)
_STYLE: Mapping[str, Any] = MappingProxyType(
    {
        "font.family": ["DejaVu Sans"],
        "font.size": 8.5,
        "svg.fonttype": "none",
        "text.parse_math": False,
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.axisbelow": True,
        "axes.unicode_minus": False,
        "grid.color": GRID,
        "grid.linewidth": 0.7,
        "text.color": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": MUTED,
        "ytick.labelcolor": MUTED,
        "xtick.major.width": 0.7,
        "ytick.major.width": 0.7,
        "xtick.major.size": 3,
        "ytick.major.size": 0,
        "legend.frameon": False,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
    }
)
_NO_METADATA = MappingProxyType({"Date": None, "Creator": None, "Format": None, "Type": None})


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart: `svg` is safe to place into HTML as it is; `alt` says what it shows, `caption` how to read it."""

    key: str
    title: str
    caption: str
    alt: str
    svg: str


@contextmanager
def drawing() -> Iterator[None]:
    """Our style and nothing of the user's matplotlibrc; a glyph the layout font lacks is the page font's business."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s).*Glyph .* missing from", category=UserWarning)
        matplotlib.rcdefaults()
        style: dict[Any, Any] = {**_STYLE, "svg.hashsalt": "sre"}
        matplotlib.rcParams.update(style)
        yield


def new_figure(height_in: float) -> Figure:
    """A figure of the width all charts share; call it inside `drawing()`."""
    return Figure(figsize=(WIDTH_IN, height_in))


def to_chart(figure: Figure, *, key: str, title: str, caption: str, alt: str) -> Chart:
    """Render inside `drawing()`; ids are prefixed with `key` so that charts can share a page."""
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata=dict(_NO_METADATA))  # type: ignore[no-untyped-call]
    return Chart(key, title, caption, alt, _for_html(buffer.getvalue(), key=key, title=title, alt=alt))


def plain(text: str, limit: int = 48) -> str:
    """Text from outside, fit for a label: no control characters, not longer than `limit`."""
    clean = "".join(c if c.isprintable() else " " for c in text)
    return clean if len(clean) <= limit else clean[: limit - 1] + "…"


def _for_html(document: str, *, key: str, title: str, alt: str) -> str:
    body = document[document.index("<svg") :]
    view_box = re.search(r'viewBox="([^"]+)"', body)
    content = re.sub(r"<metadata>.*?</metadata>", "", body[body.index(">") + 1 :], flags=re.DOTALL)
    content = re.sub(r'(?<=[ (])id="', f'id="{key}-', content)
    content = re.sub(r'(xlink:href="#|url\(#)', rf"\g<1>{key}-", content)
    content = content.replace("xlink:href", "href")
    content = re.sub(r"\n\s*", "\n", content)
    for colour, variable in _VARIABLES.items():
        content = content.replace(f": {colour}", f": var({variable}, {colour})")
    head = (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="{view_box.group(1) if view_box else ""}"'
        f' role="img" aria-labelledby="{key}-title {key}-desc">\n'
        f'<title id="{key}-title">{escape(title)}</title>\n<desc id="{key}-desc">{escape(alt)}</desc>'
    )
    return head + content.rstrip() + "\n"
