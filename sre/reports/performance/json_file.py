"""The report as JSON, and what a later run needs of it. Simulated values are kept to nine significant digits: beyond
them two processors' mathematical functions may differ.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, cast

from sre.errors import BadDocument
from sre.reports.performance.model import (
    Figure,
    Finding,
    Kind,
    Measured,
    Origin,
    OriginKind,
    PerformanceReport,
    Plot,
    RunOptions,
    Section,
    Simulated,
    Table,
    kind_of,
)

SCHEMA = 1
KIND = "performance"
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class RecordedFigure:
    """A figure as an earlier report has it."""

    kind: Kind
    value: float | None
    origin: OriginKind
    reason: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an earlier report was asked for and found; `figures` by `section/table/row/column`."""

    options: RunOptions
    machine: str | None
    figures: dict[str, RecordedFigure]


def report_json(report: PerformanceReport) -> dict[str, Any]:
    """Every figure with the number of its origin in `origins`."""
    numbers: dict[Origin, int] = {}

    def number(origin: Origin) -> int:
        return numbers.setdefault(origin, len(numbers))

    sections = [_section(section, number) for section in report.sections]
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "options": asdict(report.options),
        "command": report.command,
        "machine": report.machine,
        "began_at": report.began_at,
        "ended_at": report.ended_at,
        "insufficient": list(report.insufficient),
        "origins": [_origin(origin) for origin in numbers],
        "sections": sections,
    }


def rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")


def _origin(origin: Origin) -> dict[str, Any]:
    if isinstance(origin, Measured | Simulated):
        return {"kind": kind_of(origin), **asdict(origin)}
    return {"kind": "compared", "measured": asdict(origin.measured), "simulated": asdict(origin.simulated)}


def _section(section: Section, number: Any) -> dict[str, Any]:
    enough = section.sufficiency
    return {
        "key": section.key,
        "title": section.title,
        "question": section.question,
        "sufficient": section.is_sufficient,
        "requests": None if enough is None else {"warm_up": enough.warm_up, "measured": enough.measured},
        "findings": [_finding(finding, number) for finding in section.findings],
        "tables": [_table(table, number) for table in section.tables],
        "plots": [_plot(plot, number) for plot in section.plots],
        "method": list(section.method),
        "absent": list(section.absent),
    }


def _finding(finding: Finding, number: Any) -> dict[str, Any]:
    return {"text": finding.text, "origin": number(finding.origin)}


def _table(table: Table, number: Any) -> dict[str, Any]:
    columns = [
        {"key": one.key, "label": one.label, "figures": [_figure(figure, number) for figure in one.figures]}
        for one in table.columns
    ]
    rows = [asdict(row) for row in table.rows]
    return {"key": table.key, "title": table.title, "rows": rows, "columns": columns, "notes": list(table.notes)}


def _plot(plot: Plot, number: Any) -> dict[str, Any]:
    series = [
        {
            "key": one.key,
            "label": one.label,
            "points": [{"x": x, **_figure(figure, number)} for x, figure in one.points],
            "mark": one.mark,
            "mark_label": one.mark_label,
        }
        for one in plot.series
    ]
    return {"key": plot.key, "title": plot.title, "x": plot.x_label, "y": plot.y_label, "series": series}


def _figure(figure: Figure, number: Any) -> dict[str, Any]:
    return {
        "kind": figure.kind,
        "value": rounded(figure.value),
        "origin": number(figure.origin),
        **({"reason": figure.reason} if figure.reason else {}),
    }


def read_recorded(path: Path) -> Recorded:
    """An earlier report. Raises BadDocument naming the file when it is none, or of another schema."""
    try:
        data = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadDocument([f"{path}: cannot be read ({error.strerror}): give a performance.json"]) from error
    except (ValueError, RecursionError) as error:
        raise BadDocument([f"{path}: not JSON ({error}): give a performance.json"]) from error
    if not isinstance(data, dict) or data.get("kind") != KIND or data.get("schema") != SCHEMA:
        raise BadDocument([f"{path}: no performance report of schema {SCHEMA}: give a performance.json"])
    try:
        return Recorded(_options(data["options"]), data["machine"], _figures(data))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise BadDocument([f"{path}: a performance report that cannot be understood ({why}): make it anew"]) from error


def _options(data: dict[str, Any]) -> RunOptions:
    known = {field.name for field in fields(RunOptions)}
    if extra := set(data) - known:
        raise ValueError(f"unknown options {', '.join(sorted(extra))}")
    return RunOptions(**{**data, "sections": tuple(data["sections"])})


def _figures(data: dict[str, Any]) -> dict[str, RecordedFigure]:
    origins = [cast(OriginKind, one["kind"]) for one in data["origins"]]
    found = {}
    for section in data["sections"]:
        for table in section["tables"]:
            for column in table["columns"]:
                for row, figure in zip(table["rows"], column["figures"], strict=True):
                    value = None if figure["value"] is None else float(figure["value"])
                    name = f"{section['key']}/{table['key']}/{row['key']}/{column['key']}"
                    found[name] = RecordedFigure(
                        figure["kind"], value, origins[figure["origin"]], figure.get("reason", "")
                    )
    return found
