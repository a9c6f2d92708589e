"""A report's files on disk. The manifest comes last: a folder without one was not finished."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sre.incidents.store.model import Anchor
from sre.reports.atomic import write_text
from sre.reports.charts import charts
from sre.reports.html import render_html
from sre.reports.json_report import to_json
from sre.reports.manifest import NAME, SIGNATURE, anchors_if_any, write_manifest
from sre.reports.markdown import render_markdown
from sre.reports.model import DrillReport

HTML, MARKDOWN, JSON = "report.html", "report.md", "report.json"


def write_report(report: DrillReport, directory: Path, *, anchors: Sequence[Anchor] = ()) -> Path:
    """Write report.html, report.md and report.json beside the artefacts already there, then the manifest over all.

    `anchors` of the incident store go into the manifest; with none, those of the manifest that is replaced stay.

    Same report and same artefacts give the same bytes. Returns the path of the HTML file.
    """
    directory.mkdir(parents=True, exist_ok=True)
    kept = anchors or anchors_if_any(directory)
    (directory / NAME).unlink(missing_ok=True)
    (directory / SIGNATURE).unlink(missing_ok=True)
    present = sorted(p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file())
    drawn = charts(report)
    write_text(directory / JSON, to_json(report))
    write_text(directory / MARKDOWN, render_markdown(report, present, drawn=drawn))
    write_text(directory / HTML, render_html(report, present, drawn=drawn))
    write_manifest(directory, kept)
    return directory / HTML
