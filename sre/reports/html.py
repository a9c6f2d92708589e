"""The report as one HTML file: charts inside, no script, no network (its own content policy forbids both).

Everything is escaped by the template; the only markup let through is the SVG this package drew itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sre.incidents.visible import visible
from sre.reports.charts import charts
from sre.reports.model import DrillReport
from sre.reports.svg import Chart
from sre.reports.view import view


def render_html(report: DrillReport, artefacts: Sequence[str] = (), *, drawn: Sequence[Chart] | None = None) -> str:
    """`artefacts` names the files beside the report. `drawn` saves drawing the charts again."""
    environment = Environment(loader=PackageLoader("sre.reports"), autoescape=True, undefined=StrictUndefined)
    css = resources.files("sre.reports").joinpath("templates/report.css").read_text("utf-8")
    environment.globals["css"] = Markup(css)  # noqa: S704  (a file of this package)
    environment.filters["unbroken"] = unbroken
    shown = charts(report) if drawn is None else drawn
    text = environment.get_template("report.html.j2").render(view=view(report, artefacts), charts=shown)
    return visible(text) + "\n"


def unbroken(text: str) -> str:
    """Keep a number and its unit on one line."""
    return re.sub(r"(?<=\d) (?=(?:%|(?:s|ms|min|h|MB)\b))", "\N{NO-BREAK SPACE}", text)
