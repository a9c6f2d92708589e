"""risks.html, risks.md and risks.json in a folder of their own; the manifest comes last. Same inputs, same bytes."""

from __future__ import annotations

import json
import os
from pathlib import Path

from sre.errors import EnvironmentLacks
from sre.reports.atomic import write_text
from sre.reports.manifest import write_manifest
from sre.reports.page import html_of, markdown_of
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
    return html_of("risk.html.j2", page)


def register_markdown(page: RegisterPage) -> str:
    """The same as Markdown; the heat map in words."""
    return markdown_of("risk.md.j2", page)
