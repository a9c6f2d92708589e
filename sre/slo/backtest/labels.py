"""Labelled incidents from a CSV file: `start,end,name[,slo][,severity]`, times in RFC 3339 or Unix seconds.

Read strictly, with every fault of the file at once: a label that was silently skipped would turn into a false alarm of
the tier that saw it.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import cast

from sre.errors import BadDocument, SreError
from sre.slo.backtest.model import Label, Plan
from sre.slo.model import Severity

_REQUIRED = ("start", "end", "name")
_KNOWN = (*_REQUIRED, "slo", "severity")


def read_labels(path: Path) -> tuple[Label, ...]:
    """The labels of a CSV file, by start. Raises BadDocument with every fault as file:line: column: what: mend."""
    rows = _rows(path)
    if not rows:
        raise BadDocument([f"{path}:1: header: the file is empty: begin with the line start,end,name"])
    line, header = rows[0]
    columns = [name.strip().lower() for name in header]
    faults = _header_faults(f"{path}:{line}", columns)
    if faults:
        raise BadDocument(faults)
    labels = [_label(f"{path}:{at}", columns, row, faults) for at, row in rows[1:]]
    if not labels and not faults:
        faults.append(f"{path}:{line}: rows: no incident below the header: add one, or leave --labels out")
    if faults:
        raise BadDocument(faults)
    return tuple(sorted((label for label in labels if label), key=lambda label: (label.start, label.end)))


def read_time(text: str) -> float | None:
    """Unix seconds of an RFC 3339 time with its zone, or of a plain number; None for anything else."""
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        return number if math.isfinite(number) else None
    try:
        at = datetime.fromisoformat(text.strip().replace("z", "Z"))
    except ValueError:
        return None
    return at.timestamp() if at.tzinfo is not None and "T" in text.upper().replace(" ", "T") else None


def within_replay(
    labels: Sequence[Label], plan: Plan, slos: Sequence[str]
) -> tuple[tuple[Label, ...], tuple[tuple[Label, str], ...]]:
    """(labels to score, labels left out with the reason). Raises SreError when labels are given and none is left."""
    kept, left_out = [], []
    for label in labels:
        reason = _outside(label, plan, slos)
        if reason is None:
            kept.append(label)
        else:
            left_out.append((label, reason))
    if labels and not kept:
        raise SreError(_no_overlap(labels, left_out, plan))
    return tuple(kept), tuple(left_out)


def _outside(label: Label, plan: Plan, slos: Sequence[str]) -> str | None:
    if label.end <= plan.start:
        return "it ended before the replay begins"
    if label.start >= plan.end:
        return "it begins after the replay ends"
    if label.slo is not None and label.slo not in slos:
        return f"no SLO replayed is named {label.slo}"
    return None


def _no_overlap(labels: Sequence[Label], left_out: Sequence[tuple[Label, str]], plan: Plan) -> str:
    if all("named" in reason for _, reason in left_out):
        names = ", ".join(sorted({str(label.slo) for label, _ in left_out}))
        return f"every label is of another SLO ({names}): mend the labels' slo column or replay those SLOs"
    first, last = min(label.start for label in labels), max(label.end for label in labels)
    return (
        f"no label overlaps the replay: labels lie between {_iso(first)} and {_iso(last)}, the replay between "
        f"{_iso(plan.start)} and {_iso(plan.end)}: mend --start and --end, or the labels' times and zones"
    )


def _iso(at: float) -> str:
    from datetime import UTC

    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """(line, cells) of each row that is not blank or a # comment."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadDocument([f"{path}: cannot be read ({error.strerror}): give the file with the incidents"]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not UTF-8 text: save it as UTF-8"]) from error
    reader = csv.reader(text.splitlines(), strict=True)
    rows = []
    try:
        for row in reader:
            if row and any(cell.strip() for cell in row) and not row[0].lstrip().startswith("#"):
                rows.append((reader.line_num, row))
    except csv.Error as error:
        raise BadDocument([f"{path}:{reader.line_num}: not CSV: {error}: mend the quotes"]) from error
    return rows


def _header_faults(where: str, columns: Sequence[str]) -> list[str]:
    faults = [
        f"{where}: header: no column `{name}`: begin with start,end,name" for name in _REQUIRED if name not in columns
    ]
    faults += [f"{where}: header: unknown column `{n}`: use {', '.join(_KNOWN)}" for n in columns if n not in _KNOWN]
    twice = sorted({name for name in columns if columns.count(name) > 1})
    return faults + [f"{where}: header: column `{name}` stands here twice: remove one" for name in twice]


def _label(where: str, columns: Sequence[str], row: Sequence[str], faults: list[str]) -> Label | None:
    before = len(faults)
    if len(row) != len(columns):
        faults.append(f"{where}: row: {len(row)} cells under {len(columns)} columns: quote commas inside a name")
        return None
    cells = {column: cell.strip() for column, cell in zip(columns, row, strict=True)}
    times = {}
    for column in ("start", "end"):
        at = read_time(cells[column])
        if at is None:
            hint = "write RFC 3339 with its zone (2026-01-31T12:00:00Z) or Unix seconds"
            faults.append(f"{where}: {column}: {cells[column]!r} is no time: {hint}")
        else:
            times[column] = at
    if len(times) == 2 and times["end"] <= times["start"]:
        faults.append(f"{where}: end: not after start: an incident ends later than it starts")
    if not cells["name"]:
        faults.append(f"{where}: name: missing: say which incident it was")
    severity = cells.get("severity", "").lower() or None
    if severity not in (None, "page", "ticket"):
        faults.append(f"{where}: severity: {severity!r}: write page or ticket, or leave it empty")
    if len(faults) > before:
        return None
    return Label(
        start=times["start"],
        end=times["end"],
        name=cells["name"],
        slo=cells.get("slo") or None,
        severity=cast(Severity | None, severity),
        where=where,
    )
