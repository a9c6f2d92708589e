"""A document as one HTML file: printable, no script, no network. All is escaped but the charts this package drew."""

from __future__ import annotations

import re
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from sre.incidents.visible import visible
from sre.reports.html import unbroken
from sre.tabletop.documents.model import Block, Document

_CODE = re.compile(r"`([^`\n]+)`")


def to_html(document: Document, banner: str) -> str:
    """The whole file. `banner` says who may read it."""
    environment = Environment(
        loader=PackageLoader("sre.tabletop"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    report, own = (
        resources.files(package).joinpath(f"templates/{name}.css").read_text("utf-8")
        for package, name in (("sre.reports", "report"), ("sre.tabletop", "exercise"))
    )
    environment.globals["css"] = Markup(f"{report}\n{own}")  # noqa: S704  (files of these packages)
    environment.filters.update(said=_said, kind=_kind, drawn=_drawn)
    return visible(environment.get_template("document.html.j2").render(document=document, banner=banner)) + "\n"


def _kind(block: Block) -> str:
    return type(block).__name__.lower()


def _drawn(svg: str) -> Markup:
    return Markup(svg)  # noqa: S704  (drawn by sre.reports and sre.tabletop.charts, never read from elsewhere)


def _said(text: str) -> Markup:
    """Escaped, with code between backticks and line breaks kept."""
    parts = _CODE.split(unbroken(text))
    told = [Markup("<code>{}</code>").format(p) if i % 2 else escape(p) for i, p in enumerate(parts)]
    return Markup("").join(told).replace("\n", Markup("<br>"))
