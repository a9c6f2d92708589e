"""The report as Markdown, for pull requests and chat: the same words, charts told in sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from sre.incidents.visible import visible
from sre.reports.links import linked
from sre.reports.markdown import escape_markdown
from sre.reports.postincident.model import PostIncidentReport, Source
from sre.reports.postincident.signing import signing_words
from sre.reports.postincident.sources import key_of, numbers
from sre.reports.svg import Chart


def post_incident_markdown(report: PostIncidentReport, charts: Sequence[Chart] = ()) -> str:
    """`report` with its evidence; footnotes are numbers in brackets, `[3](#evidence)`."""
    footnotes = numbers(report.evidence)
    environment = Environment(
        loader=PackageLoader("sre.reports"),
        autoescape=False,  # noqa: S701  (this is not HTML; the `md` filter escapes every value)
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = escape_markdown
    environment.filters["code"] = in_code
    environment.filters["linked"] = linked
    environment.filters["notes"] = lambda sources: _notes(sources, footnotes)
    template = environment.get_template("post-incident.md.j2")
    text = template.render(report=report, charts=charts, signing=signing_words(report))
    return visible(re.sub(r"\n{3,}", "\n\n", text))


def in_code(text: str) -> str:
    """One line as code: a fence longer than any run of backticks in it, so that nothing in it is Markdown."""
    flat = " ".join(visible(text).split())
    longest = max((len(run) for run in re.findall(r"`+", flat)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if flat.startswith("`") or flat.endswith("`") else ""
    return f"{fence}{pad}{flat}{pad}{fence}"


def _notes(sources: Sequence[Source], footnotes: dict[tuple[str, float | None, str], int]) -> str:
    found = sorted({footnotes[key_of(source)] for source in sources})
    return " ".join(f"[\\[{number}\\]](#e{number})" for number in found)
