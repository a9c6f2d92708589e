"""performance.html, performance.md, performance.json in one folder. Same report, same bytes."""

from __future__ import annotations

import json
from pathlib import Path

from sre.errors import EnvironmentLacks
from sre.reports.atomic import write_text
from sre.reports.page import html_of, markdown_of
from sre.reports.performance.chart import section_charts
from sre.reports.performance.json_file import report_json
from sre.reports.performance.model import PerformanceReport
from sre.reports.performance.view import page_view

HTML, MARKDOWN, JSON = "performance.html", "performance.md", "performance.json"


def write_performance(report: PerformanceReport, folder: Path) -> Path:
    """Returns the HTML's path. Raises EnvironmentLacks where nothing can be written."""
    require_folder(folder)
    page = page_view(report, {section.key: section_charts(section) for section in report.sections})
    write_text(folder / JSON, json.dumps(report_json(report), indent=1, allow_nan=False) + "\n")
    write_text(folder / MARKDOWN, markdown_of("performance.md.j2", page))
    write_text(folder / HTML, html_of("performance.html.j2", page))
    return folder / HTML


def require_folder(folder: Path) -> None:
    """Make it, so that twenty minutes of measuring are not lost. Raises EnvironmentLacks."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(
            f"{folder}: no folder can be made there ({error.strerror}): choose another --out"
        ) from error
