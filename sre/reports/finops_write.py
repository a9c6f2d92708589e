"""The briefing's files: finops.html, finops.md, finops.json. Same inputs, same bytes.

They go into a folder of their own, or into a drill's report folder before its manifest is written; this module writes
no manifest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from sre.cost.finance import Finance
from sre.errors import EnvironmentLacks
from sre.incidents.case import Case
from sre.incidents.codec import encode
from sre.reports.atomic import write_text
from sre.reports.finops_build import NOTHING_STORED, DrillSource, Options, StoreFacts, briefing
from sre.reports.finops_charts import briefing_charts
from sre.reports.finops_model import FinopsBriefing
from sre.reports.finops_view import FinopsView, Section, view
from sre.reports.model import DrillReport
from sre.reports.page import html_of, markdown_of

SCHEMA = 1
HTML, MARKDOWN, JSON = "finops.html", "finops.md", "finops.json"


def write_finops(
    folder: Path,
    *,
    report: DrillReport,
    finance: Finance,
    case: Case | None = None,
    store: StoreFacts | None = None,
    options: Options | None = None,
) -> Path:
    """The briefing of one drill, into its report folder, before the manifest is written. `case` is the drill's incident
    in the store, whose follow-ups, sign-offs and response are shown; `store` instead gives more. Returns the HTML.
    """
    known = store or (NOTHING_STORED if case is None else StoreFacts(signed=(case,), items=case.items))
    return write_briefing(
        briefing([DrillSource(report, folder, "report.html")], finance, store=known, options=options), folder
    )


def write_briefing(found: FinopsBriefing, folder: Path) -> Path:
    """The three files in `folder`, which is made. Returns the HTML's path; raises EnvironmentLacks."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(f"{folder}: no folder can be made there ({error.strerror}): choose another") from error
    shown = view(found, briefing_charts(found))
    write_text(folder / JSON, json.dumps(briefing_json(found), indent=1, allow_nan=False) + "\n")
    write_text(folder / MARKDOWN, render_markdown(shown))
    write_text(folder / HTML, render_html(shown))
    return folder / HTML


def briefing_json(found: FinopsBriefing) -> dict[str, Any]:
    """Every number behind the page; sums carry their totals, so that nobody adds them up again."""
    drills = [_with_totals(encode(drill), drill.drill.total, drill.incident) for drill in found.drills]
    return {"schema": SCHEMA, **encode(found), "drills": drills}


def _with_totals(document: dict[str, Any], total: Any, incident: Any) -> dict[str, Any]:
    spent = {"drill_total": encode(total), "incident_total": None if incident is None else encode(incident.total)}
    return {**document, **spent}


def render_html(shown: FinopsView) -> str:
    """One file: no script, no network. Everything is escaped but the SVG this package drew itself."""
    return html_of("finops.html.j2", shown, groupwise=groupwise)


def render_markdown(shown: FinopsView) -> str:
    """The same as Markdown; charts are said in words."""
    text = markdown_of("finops.md.j2", shown)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]+\n", "\n", text))


def groupwise(sections: Sequence[Section]) -> list[list[Section]]:
    """Runs of half sections together, each other one alone."""
    grouped: list[list[Section]] = []
    for half, run in groupby(sections, key=lambda section: section.half):
        own = list(run)
        grouped += [own] if half else [[section] for section in own]
    return grouped
