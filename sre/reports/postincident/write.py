"""post-incident.html, .md and .json in a folder. Same case, same folder: the same bytes."""

from __future__ import annotations

from pathlib import Path

from sre.incidents.case import Case
from sre.reports.atomic import write_text
from sre.reports.model import DrillReport
from sre.reports.postincident.charts import post_incident_charts
from sre.reports.postincident.html import post_incident_html
from sre.reports.postincident.json_file import post_incident_json
from sre.reports.postincident.markdown import post_incident_markdown
from sre.reports.postincident.model import PostIncidentReport
from sre.reports.postincident.quotes import with_evidence
from sre.reports.postincident.signing import DOCUMENT, sealed

HTML, MARKDOWN, JSON, PDF = "post-incident.html", "post-incident.md", DOCUMENT, "post-incident.pdf"


def write_post_incident(
    report: PostIncidentReport,
    folder: Path,
    *,
    case: Case,
    drill: DrillReport | None = None,
    records: Path | None = None,
    prefix: str = "",
) -> PostIncidentReport:
    """Write the three files into `folder`, which must exist. Returns the report as it was written.

    `records` is the folder whose files are quoted, by default `folder` itself; `prefix` leads there from `folder`.
    """
    whole = whole_report(report, folder if records is None else records, case=case, drill=drill, prefix=prefix)
    charts = post_incident_charts(whole, drill)
    (folder / PDF).unlink(missing_ok=True)  # it was printed from a page that is replaced now
    write_text(folder / JSON, post_incident_json(whole))
    write_text(folder / MARKDOWN, post_incident_markdown(whole, charts))
    write_text(folder / HTML, post_incident_html(whole, charts))
    return whole


def whole_report(
    report: PostIncidentReport, records: Path, *, case: Case, drill: DrillReport | None = None, prefix: str = ""
) -> PostIncidentReport:
    """What is written: the report with its evidence, its sha256, and what each approval is worth."""
    return sealed(with_evidence(report, records, case, drill, prefix=prefix))
