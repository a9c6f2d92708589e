"""Summary pages on disk: a suite's, and the fault matrix of many reports. The manifest comes last."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sre.errors import BadDocument, EnvironmentLacks
from sre.incidents.codec import decode, encode
from sre.reports.atomic import write_text
from sre.reports.drill_facts import DrillFacts, drill_facts, subject_of
from sre.reports.folders import reports_in
from sre.reports.manifest import write_manifest
from sre.reports.matrix import Matrix, Played
from sre.reports.page import Page, page_html, page_markdown
from sre.reports.suite_model import SuiteReport
from sre.reports.suite_view import matrix_page, suite_page
from sre.reports.write import HTML

SCHEMA = 1


def write_suite(report: SuiteReport, folder: Path) -> Path:
    """suite.html, suite.md and suite.json in `folder`, beside the drills' own folders. Returns the HTML's path."""

    def link(facts: DrillFacts) -> str:
        return f"../{facts.report}/{HTML}"

    return _write(suite_page(report, link), suite_json(report), folder, "suite")


def suite_json(report: SuiteReport) -> dict[str, Any]:
    """Everything the page shows, the matrix included."""
    return {"schema": SCHEMA, **encode(report), "matrix": encode(report.matrix())}


def load_suite(path: Path) -> SuiteReport:
    """The suite in a suite.json. Raises BadDocument with every fault."""
    try:
        document = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadDocument([f"{path}: no suite report ({error}): give the path of a suite.json"]) from error
    if not isinstance(document, dict) or document.pop("schema", None) != SCHEMA:
        raise BadDocument([f"{path}: not a suite report of schema {SCHEMA}: run the suite again"])
    document.pop("matrix", None)
    return decode(SuiteReport, document, str(path))


def write_matrix(found: Matrix, folder: Path, *, places: dict[str, Path]) -> Path:
    """matrix.html, matrix.md and matrix.json in `folder`. `places` are the report folders by report id."""

    def link(facts: DrillFacts) -> str | None:
        place = places.get(facts.report)
        return None if place is None else Path(os.path.relpath(place.resolve() / HTML, folder.resolve())).as_posix()

    drills = [line.played.facts for line in found.lines if line.played is not None]
    page = matrix_page(found, reports=len(places), link=link, at=max((f.at for f in drills), default=0.0))
    return _write(page, {"schema": SCHEMA, **encode(found)}, folder, "matrix")


def played_in(folders: Sequence[Path]) -> tuple[tuple[Played, ...], dict[str, Path]]:
    """The drills reported in these folders or one level below them, with their places. Raises BadDocument."""
    reports = reports_in(folders)
    found = tuple(Played(subject_of(report), report.title, drill_facts(report)) for report in reports.values())
    return found, {report.id: folder for folder, report in reports.items()}


def _write(page: Page, document: dict[str, Any], folder: Path, name: str) -> Path:
    html, markdown = page_html(page), page_markdown(page)
    text = json.dumps(document, indent=1, allow_nan=False) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(f"{folder}: no folder can be made there ({error.strerror}): choose another") from error
    write_text(folder / f"{name}.json", text)
    write_text(folder / f"{name}.md", markdown)
    write_text(folder / f"{name}.html", html)
    write_manifest(folder)
    return folder / f"{name}.html"
