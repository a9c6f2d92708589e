"""The report as one HTML file: charts inside, its evidence in an appendix, no script, no network.

Everything is escaped by the template; the only markup let through is the SVG this package drew itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sre.incidents.visible import visible
from sre.reports.html import unbroken
from sre.reports.links import anchor_of, linked
from sre.reports.postincident.model import PostIncidentReport, Source
from sre.reports.postincident.signing import signing_words
from sre.reports.postincident.sources import key_of, numbers
from sre.reports.svg import Chart

_STYLES = ("report.css", "post-incident.css")


def post_incident_html(report: PostIncidentReport, charts: Sequence[Chart] = ()) -> str:
    """`report` with its evidence: a source without an entry in it has no footnote to lead to, and raises KeyError."""
    footnotes = numbers(report.evidence)
    environment = Environment(loader=PackageLoader("sre.reports"), autoescape=True, undefined=StrictUndefined)
    templates = resources.files("sre.reports").joinpath("templates")
    css = "".join(templates.joinpath(name).read_text("utf-8") for name in _STYLES)
    environment.globals["css"] = Markup(css)  # noqa: S704  (files of this package)
    environment.globals["footnote"] = lambda source: footnotes[key_of(source)]
    environment.globals["anchor"] = lambda source: anchor_of(source.where, source.at, source.pick)
    environment.filters["unbroken"] = unbroken
    environment.filters["linked"] = linked
    environment.filters["footnotes"] = lambda sources: _sorted(sources, footnotes)
    template = environment.get_template("post-incident.html.j2")
    return visible(template.render(report=report, charts=charts, signing=signing_words(report))) + "\n"


def _sorted(sources: Sequence[Source], footnotes: dict[tuple[str, float | None, str], int]) -> list[int]:
    return sorted({footnotes[key_of(source)] for source in sources})
