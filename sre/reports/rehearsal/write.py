"""Rehearsals as files: one HTML page, the same as Markdown, and everything as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sre.errors import EnvironmentLacks
from sre.incidents.codec import encode
from sre.reports.atomic import write_text
from sre.reports.page import Page, page_html, page_markdown
from sre.reports.rehearsal.comparison import TOLERANCE, Comparison
from sre.reports.rehearsal.model import Rehearsal, spreads
from sre.reports.rehearsal.view import Entry

SCHEMA = 1
NAME = "rehearsal"


def write_page(page: Page, document: dict[str, Any], folder: Path) -> tuple[Path, ...]:
    """rehearsal.html, .md and .json in `folder`, which is made. Raises EnvironmentLacks."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(
            f"{folder}: no folder can be made there ({error.strerror}): choose another --out"
        ) from error
    paths = tuple(folder / f"{NAME}.{ending}" for ending in ("html", "md", "json"))
    texts = (page_html(page), page_markdown(page), json.dumps(document, indent=1, allow_nan=False) + "\n")
    for path, text in zip(paths, texts, strict=True):
        write_text(path, text)
    return paths


def rehearsal_json(rehearsals: Sequence[Rehearsal]) -> dict[str, Any]:
    """Verdict, checks and figures of each seed, and their ranges; the first seed's report is whole."""
    first = rehearsals[0]
    return {
        "schema": SCHEMA,
        "simulated": True,
        "experiment": first.report.experiment,
        "met": all(one.is_met for one in rehearsals),
        "seeds": [_seed(one) for one in rehearsals],
        "ranges": [encode(one) for one in spreads(rehearsals)],
        "assumptions": [encode(one) for one in first.assumptions],
        "coverage": [encode(one) for one in first.coverage],
        "report": encode(first.report),
    }


def comparison_json(found: Comparison) -> dict[str, Any]:
    """Every figure twice, its difference and whether it is within tolerance."""
    rows = [
        {
            "key": row.measured.key,
            "name": row.measured.name,
            "unit": row.measured.unit,
            "predicted": row.predicted.value,
            "measured": row.measured.value,
            "difference": row.difference,
            "floor": row.measured.floor,
            "within": row.within,
            "aimed": row.measured.aimed,
        }
        for row in found.rows
    ]
    return {
        "schema": SCHEMA,
        "drill": found.drill.id,
        "experiment": found.drill.experiment,
        "as_planned": found.as_planned,
        "experiment_has_changed": found.has_changed,
        "tolerance": TOLERANCE,
        "ok": found.ok,
        "figures": rows,
        "rehearsal": _seed(found.rehearsal),
        "assumptions": [encode(one) for one in found.rehearsal.assumptions],
        "coverage": [encode(one) for one in found.rehearsal.coverage],
    }


def library_json(entries: Sequence[Entry]) -> dict[str, Any]:
    """Each experiment with its prediction, or why there is none."""
    return {
        "schema": SCHEMA,
        "simulated": True,
        "experiments": [
            {
                "id": entry.id,
                "experiment": entry.name,
                "took_s": round(entry.took_s, 3),
                "coverage": [encode(one) for one in entry.coverage],
                "why_not": entry.why_not or None,
                **({} if entry.rehearsal is None else _seed(entry.rehearsal)),
            }
            for entry in entries
        ],
    }


def _seed(one: Rehearsal) -> dict[str, Any]:
    report = one.report
    return {
        "seed": one.seed,
        "verdict": report.verdict,
        "known_weakness": report.is_known,
        "reasons": list(report.verdict_reasons),
        "checks": [encode(check) for check in report.checks],
        "figures": [encode(quantity) for quantity in one.quantities()],
    }
