"""A page of figures, charts and tables whose cells may have a colour and a link, as HTML and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sre.incidents.visible import visible
from sre.reports.facts import Figure
from sre.reports.html import unbroken
from sre.reports.markdown import escape_markdown
from sre.reports.svg import Chart
from sre.reports.table import Column

Tone = Literal["", "good", "known", "bad", "unsure", "muted"]


@dataclass(frozen=True, slots=True)
class Cell:
    """Text, with a colour that never carries meaning of its own, and where it leads."""

    text: str
    tone: Tone = ""
    href: str | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; `empty` replaces it when it has no rows, `notes` stand below."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    notes: tuple[str, ...] = ()
    empty: str = "None."


@dataclass(frozen=True, slots=True)
class Page:
    """Everything a renderer shows. `tone` colours the banner; `charts` stand before the grid of that key."""

    title: str
    subtitle: str
    tone: Literal["good", "bad", "unsure"]
    verdict: str
    meaning: str
    reasons: tuple[str, ...]
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]
    grids: tuple[Grid, ...]
    definitions: tuple[str, ...]
    charts_before: str = "matrix"
    charts_title: str = "Resiliency at a glance"


def grid(
    key: str,
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    notes: Sequence[str] = (),
    empty: str = "None.",
) -> Grid:
    """A heading that starts with `>` is a numeric column."""
    columns = tuple(Column(label.removeprefix(">"), label.startswith(">")) for label in head)
    return Grid(key, title, columns, tuple(tuple(row) for row in rows), tuple(notes), empty)


def page_html(page: Page) -> str:
    """The page as one file."""
    return html_of("page.html.j2", page)


def page_markdown(page: Page) -> str:
    """The same as Markdown; charts are said in words."""
    return markdown_of("page.md.j2", page)


def html_of(template: str, page: object, **filters: Callable[..., Any]) -> str:
    """One file: no script, no network. Everything is escaped but the SVG this package drew itself."""
    environment = Environment(loader=PackageLoader("sre.reports"), autoescape=True, undefined=StrictUndefined)
    css = resources.files("sre.reports").joinpath("templates/report.css").read_text("utf-8")
    environment.globals["css"] = Markup(css)  # noqa: S704  (a file of this package)
    environment.filters.update(filters, unbroken=unbroken)
    return visible(environment.get_template(template).render(page=page)) + "\n"


def markdown_of(template: str, page: object) -> str:
    """The page as Markdown, every value escaped, no more than one empty line in a row."""
    environment = Environment(
        loader=PackageLoader("sre.reports"),
        autoescape=False,  # noqa: S701  (this is not HTML; the `md` filter escapes every value)
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = escape_markdown
    return visible(re.sub(r"\n{3,}", "\n\n", environment.get_template(template).render(page=page)))
