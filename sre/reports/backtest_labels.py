"""Labels out of our own drills: every fault we injected is an incident whose begin and end are known.

The fault ledger tells each fault's window; where a report folder lacks it, the incident record's does. A fault that was
not proven to have taken effect is no incident, and one that nobody ended ends with the last record of its drill.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sre.chaos.leases.ledger import LEDGER_FILE, LedgerRecord, fault_windows, read_ledger
from sre.errors import BadDocument
from sre.slo.backtest.model import Label

INCIDENT_FILE = "incident.json"
SAMPLES_FILE = "samples.jsonl"


def drill_labels(folder: Path) -> tuple[Label, ...]:
    """The faults of one report folder, or of every report folder inside `folder`, by start. Raises BadDocument."""
    if not folder.is_dir():
        raise BadDocument([f"{folder}: no such folder: give reports/, or the folder of one drill"])
    drills = drill_folders(folder)
    if not drills:
        raise BadDocument(
            [f"{folder}: holds no drill: a report folder has {LEDGER_FILE} or {INCIDENT_FILE}; run `sre gameday run`"]
        )
    labels: list[Label] = []
    faults: list[str] = []
    for drill in drills:
        try:
            labels += _of_drill(drill)
        except BadDocument as error:
            faults += error.faults
    if faults:
        raise BadDocument(faults)
    if not labels:
        raise BadDocument(
            [f"{folder}: its {len(drills)} drills hold no proven fault: there is nothing to score against"]
        )
    return tuple(sorted(labels, key=lambda label: (label.start, label.end, label.name)))


def drill_folders(folder: Path) -> tuple[Path, ...]:
    """`folder` itself when it is a drill's, else those inside it that are."""
    inside = [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]
    found = [path for path in inside if (path / LEDGER_FILE).is_file() or (path / INCIDENT_FILE).is_file()]
    return (folder,) if folder in found else tuple(found)


def _of_drill(folder: Path) -> list[Label]:
    ledger = folder / LEDGER_FILE
    return _of_ledger(ledger) if ledger.is_file() else _of_incident(folder / INCIDENT_FILE)


def _of_ledger(path: Path) -> list[Label]:
    records = read_ledger(path)
    found = []
    for fault in fault_windows(records):
        end = fault.end if fault.end is not None else _last(records)
        if fault.proven and end > fault.begin:
            name = f"{path.parent.name}: {fault.fault} {fault.target}".strip()
            found.append(Label(fault.begin, end, name, where=f"{path} {fault.fault_id}"))
    return found


def _last(records: Sequence[LedgerRecord]) -> float:
    return max(record.at for record in records)


def _of_incident(path: Path) -> list[Label]:
    record = _record(path)
    impact = record.get("impact")
    window = impact if isinstance(impact, dict) else {}
    start, end = _number(window.get("window_start")), _number(window.get("window_end"))
    if start is None or end is None or end <= start:
        return []
    name = " ".join(str(record.get(key, "")) for key in ("fault", "target")).strip()
    return [Label(start, end, f"{path.parent.name}: {name}", where=str(path))]


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise BadDocument([f"{path}: no incident record ({error}): restore it, or remove its folder"]) from error
    if not isinstance(record, dict):
        raise BadDocument([f"{path}: no incident record: a JSON object is expected"])
    return record


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
