"""risks.html, risks.md and risks.json in a folder of their own; the manifest comes last. Same inputs, same bytes."""

from __future__ import annotations

import json
import os
import re
from importlib import resources
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sre.errors import EnvironmentLacks
from sre.incidents.visible import visible
from sre.reports.atomic import write_text
from sre.reports.html import unbroken
from sre.reports.manifest import write_manifest
from sre.reports.markdown import escape_markdown
from sre.reports.risk_json import register_json
from sre.reports.risk_model import RegisterReport
from sre.reports.risk_view import RegisterPage, register_page
from sre.reports.write import HTML as REPORT_HTML
from sre.reports.write import JSON as REPORT_JSON

HTML, MARKDOWN, JSON = "risks.html", "risks.md", "risks.json"


def write_register(report: RegisterReport, folder: Path, *, root: Path) -> Path:
    """Returns the HTML's path. `root` is the workspace, for links to drills that are still there. Raises
    EnvironmentLacks where nothing can be written.
    """

    def link(source: str) -> str | None:
        place = root / source
        place = place.with_name(REPORT_HTML) if place.name == REPORT_JSON else place
        return Path(os.path.relpath(place.resolve(), folder.resolve())).as_posix() if place.is_file() else None

    page = register_page(report, link)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(f"{folder}: no folder can be made there ({error.strerror}): choose another") from error
    write_text(folder / JSON, json.dumps(register_json(report), indent=1, allow_nan=False) + "\n")
    write_text(folder / MARKDOWN, register_markdown(page))
    write_text(folder / HTML, register_html(page))
    write_manifest(folder)
    return folder / HTML


def register_html(page: RegisterPage) -> str:
    """One file: no script, no network."""
    environment = Environment(loader=PackageLoader("sre.reports"), autoescape=True, undefined=StrictUndefined)
    css = resources.files("sre.reports").joinpath("templates/report.css").read_text("utf-8")
    environment.globals["css"] = Markup(css)  # noqa: S704  (a file of this package)
    environment.filters["unbroken"] = unbroken
    return visible(environment.get_template("risk.html.j2").render(page=page)) + "\n"


def register_markdown(page: RegisterPage) -> str:
    """The same as Markdown; the heat map in words."""
    environment = Environment(
        loader=PackageLoader("sre.reports"),
        autoescape=False,  # noqa: S701  (this is not HTML; the `md` filter escapes every value)
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = escape_markdown
    return visible(re.sub(r"\n{3,}", "\n\n", environment.get_template("risk.md.j2").render(page=page)))
