"""The report as Markdown, for pull requests and chat: the same words and tables, charts told in sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from sre.incidents.visible import visible
from sre.reports.charts import charts
from sre.reports.model import DrillReport
from sre.reports.svg import Chart
from sre.reports.view import view

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")


def render_markdown(report: DrillReport, artefacts: Sequence[str] = (), *, drawn: Sequence[Chart] | None = None) -> str:
    """`artefacts` names the files beside the report. `drawn` saves drawing the charts again."""
    environment = Environment(
        loader=PackageLoader("sre.reports"),
        autoescape=False,  # noqa: S701  (this is not HTML; the `md` filter escapes every value)
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = escape_markdown
    shown = charts(report) if drawn is None else drawn
    text = environment.get_template("report.md.j2").render(view=view(report, artefacts), charts=shown)
    return visible(re.sub(r"\n{3,}", "\n\n", text))


def escape_markdown(text: str) -> str:
    """One line of text that Markdown shows as it is; no HTML, no table cell can be broken out of."""
    return _SPECIAL.sub(r"\\\1", " ".join(visible(text).split()))
