"""A judged run as one JSON object: what `sre chaos run --json` and `sre chaos verdict --json` print.

`{"schema": 1, "verdict", "exit_code", "title", "run", "started_at", "ended_at", "reasons": [{"verdict", "text",
"about", "index"}], "notes": [text], "checks": [{"about", "name", "result", "duration_s"}], "faults": [...],
"files": {...}}`.
Times are Unix seconds or null; `reasons` are weightiest first and empty when it passed; `result` is passed, failed,
error or not played.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sre.chaos.exit_codes import exit_code
from sre.chaos.leases.ledger import LedgerFault
from sre.chaos.verdict.check_list import check_list
from sre.chaos.verdict.judging import Examination

SCHEMA = 1


def to_document(examination: Examination, *, files: Mapping[str, Path]) -> dict[str, Any]:
    """The object. `files` are where journal, ledger and log lie."""
    journal = examination.journal
    return {
        "schema": SCHEMA,
        "verdict": examination.verdict,
        "exit_code": int(exit_code(examination.verdict)),
        "title": examination.title,
        "run": examination.trail.run_id or None,
        "started_at": examination.started_at,
        "ended_at": None if journal is None else journal.ended_at,
        "reasons": [
            {"verdict": r.verdict, "text": r.text, "about": r.group, "index": r.index} for r in examination.reasons
        ],
        "notes": list(examination.judgement.notes),
        "checks": [
            {"about": c.group, "name": c.name, "result": c.result, "duration_s": round(c.duration_s, 3)}
            for c in check_list(examination)
        ],
        "faults": [_fault(fault) for fault in examination.judgement.faults],
        "files": {name: str(path) for name, path in files.items()},
    }


def _fault(fault: LedgerFault) -> dict[str, Any]:
    return {
        "fault_id": fault.fault_id,
        "fault": fault.fault,
        "target": fault.target,
        "begin": fault.begin,
        "proven": fault.proven,
        "proof": fault.proof,
        "undone": fault.undone,
        "undone_by": fault.undone_by,
        "end": fault.end,
    }
