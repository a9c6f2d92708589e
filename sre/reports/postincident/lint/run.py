"""A report file to its score."""

from __future__ import annotations

from pathlib import Path

from sre.errors import BadDocument
from sre.reports.postincident.json_file import post_incident_from_json
from sre.reports.postincident.lint.from_markdown import has_heading, reading_of_markdown
from sre.reports.postincident.lint.from_report import reading_of_report
from sre.reports.postincident.lint.model import Finding, Linted, Reading
from sre.reports.postincident.lint.rules import RULES
from sre.reports.postincident.write import JSON


def lint_file(path: Path) -> Linted:
    """Our `post-incident.json`, the folder it lies in, or any Markdown. Raises BadDocument on what is neither."""
    place = path / JSON if path.is_dir() else path
    try:
        text = place.read_text("utf-8")
    except OSError as error:
        raise BadDocument([f"{place}: cannot be read ({error.strerror}); give a report"]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{place}: not UTF-8 text; give a .json or .md report"]) from error
    if place.suffix == ".json":
        return lint_reading(reading_of_report(post_incident_from_json(text, str(place))))
    if "\0" in text:
        raise BadDocument([f"{place}: not text: give a .json or .md report"])
    if not has_heading(text):
        raise BadDocument([f"{place}: no heading such as `## Impact` in it: give a .json report, or one in Markdown"])
    return lint_reading(reading_of_markdown(text))


def lint_reading(reading: Reading) -> Linted:
    """Every rule over one reading. A rule never loses more than its weight."""
    findings: list[Finding] = []
    for rule in RULES:
        left = rule.weight
        for share, text, mend in rule.check(reading):
            lost = min(left, round(rule.weight * share, 2))
            left -= lost
            findings.append(Finding(rule.name, rule.weight, lost, text, mend))
    score = round(100 - sum(one.lost for one in findings))
    return Linted(max(0, score), tuple(sorted(findings, key=lambda one: (-one.lost, one.rule, one.text))))
