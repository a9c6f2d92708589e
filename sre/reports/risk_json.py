"""The register as JSON values, for tools of those who keep risks elsewhere."""

from __future__ import annotations

from typing import Any

from sre.incidents.codec import encode
from sre.reports.risk_model import STAGES, RegisterReport, level
from sre.risks.model import Acceptance, Entry

SCHEMA = 1


def register_json(report: RegisterReport) -> dict[str, Any]:
    """Everything the page shows. Days are ISO, times Unix seconds."""
    return {
        "schema": SCHEMA,
        "as_of": report.as_of.isoformat(),
        "max_age_days": report.max_age_days,
        "ok": not report.findings,
        "findings": [{"risk": finding.risk, "text": finding.text} for finding in report.findings],
        "demonstrated": report.demonstrated,
        "by_band": {stage: dict(_bands(report, report.by_band(stage))) for stage in STAGES},
        "unlinked_experiments": list(report.unlinked),
        "left_out": [
            {"file": one.path.name, "id": one.id or None, "faults": len(one.faults)} for one in report.left_out
        ],
        "risks": [entry_json(entry, report) for entry in report.entries],
        "matrix": encode(report.matrix),
    }


def entry_json(entry: Entry, report: RegisterReport) -> dict[str, Any]:
    """One risk; levels are null while it is not assessed."""
    found = entry.assessment
    document: dict[str, Any] = encode(entry.risk)
    document |= {stage: _level(entry, report, stage) for stage in STAGES}
    document["experiments"] = list(entry.experiments)
    document["evidence"] = encode(report.evidence[entry.id])
    if found is not None:
        document |= {
            "cause": found.cause,
            "event": found.event,
            "consequence": found.consequence,
            "treatment": found.treatment,
            "controls": list(found.controls),
            "slos": list(found.slos),
            "runbooks": list(found.runbooks),
            "acceptance": None if found.acceptance is None else _acceptance(found.acceptance),
        }
    return document


def _bands(report: RegisterReport, counts: tuple[int, ...]) -> list[tuple[str, int]]:
    return [(band.name, count) for band, count in zip(report.matrix.bands, counts, strict=True)]


def _level(entry: Entry, report: RegisterReport, stage: Any) -> dict[str, Any] | None:
    found = level(entry, stage)
    if found is None:
        return None
    band = report.matrix.band(found).name
    return {"likelihood": found.likelihood, "impact": found.impact, "score": found.score, "band": band}


def _acceptance(accepted: Acceptance) -> dict[str, str]:
    return {
        "approver": accepted.approver,
        "role": accepted.role,
        "on": accepted.on.isoformat(),
        "expires": accepted.expires.isoformat(),
        "reason": accepted.reason,
    }
