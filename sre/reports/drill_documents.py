"""Everything a drill leaves for people in its report folder, in the order that keeps the manifest true.

The post-incident report is written first, then report.html, which lists and links what lies beside it, then the
manifest over all of it. What else belongs into the folder (finops.html) is written before this.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sre.cost.provenance import CostSum
from sre.incidents.case import Case
from sre.incidents.causes.model import CauseRanking
from sre.incidents.store.model import Anchor
from sre.reports.model import DrillReport
from sre.reports.postincident.build import post_incident
from sre.reports.postincident.model import PostIncidentReport, Related
from sre.reports.postincident.write import write_post_incident
from sre.reports.write import HTML, write_report

_PAGES = (Related("report", "drill report", HTML), Related("report", "FinOps briefing", "finops.html"))


def write_drill_documents(
    report: DrillReport,
    folder: Path,
    *,
    case: Case,
    causes: CauseRanking | None = None,
    costs: Sequence[CostSum] = (),
    related: Sequence[Related] = (),
    anchor: Anchor | None = None,
) -> Path:
    """post-incident.*, report.* and the manifest in the drill's folder. Returns report.html.

    `case` is the drill's incident (`record_drill`); `costs` with the incident's sum first; `related` are risks and
    other pages beside the case's own links; `anchor` is the store's, for the manifest. Same inputs, same bytes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    told = drill_post_incident(report, folder, case=case, causes=causes, costs=costs, related=related)
    write_post_incident(told, folder, case=case, drill=report)
    return write_report(report, folder, anchors=() if anchor is None else (anchor,))


def drill_post_incident(
    report: DrillReport,
    folder: Path,
    *,
    case: Case,
    causes: CauseRanking | None = None,
    costs: Sequence[CostSum] = (),
    related: Sequence[Related] = (),
) -> PostIncidentReport:
    """The post-incident report of a drill for its own folder, without its evidence."""
    return post_incident(case, drill=report, causes=causes, costs=costs, related=(*related, *_beside(folder)))


def _beside(folder: Path) -> tuple[Related, ...]:
    """Pages of this folder: report.html is always written."""
    return tuple(one for one in _PAGES if one.target == HTML or (folder / one.target).is_file())
