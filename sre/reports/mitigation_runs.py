"""What Chaos Toolkit's journal tells of mitigations that a drill carried out: the output of `run_mitigation`.

The action writes down what it ran and saw; whoever has the journal can tell the same again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sre.incidents.codec import decode
from sre.reports.model import Check, DrillReport
from sre.runbooks.model import MitigationFact
from sre.runbooks.proving import ACTION, Carried


def mitigations_in(journal: Mapping[str, Any] | None) -> tuple[Carried, ...]:
    """Those of the method that were carried out, in order. Raises BadDocument when their output was tampered with."""
    return tuple(_found(journal or {}))


def mitigation_facts(report: DrillReport, begin: float) -> tuple[MitigationFact, ...]:
    """As a runbook tells them: seconds after the fault began (`begin`, Unix seconds)."""
    return tuple(
        MitigationFact(
            page=one.page,
            mitigation=one.mitigation,
            command=one.command,
            check=one.check,
            begun_after_s=round(one.began_at - begin, 3),
            took_s=round(one.ended_at - one.began_at, 3),
            exit_code=one.exit_code,
            verified_after_s=None if one.verified_at is None else round(one.verified_at - one.began_at, 3),
            why=one.why,
        )
        for one in report.mitigations
    )


def _found(journal: Mapping[str, Any]) -> Iterator[Carried]:
    for index, run in enumerate(journal.get("run") or ()):
        output = run.get("output")
        if _calls_it(run.get("activity") or {}) and isinstance(output, Mapping):
            yield decode(Carried, output, f"journal.json#/run/{index}/output")


def _calls_it(activity: Mapping[str, Any]) -> bool:
    provider = activity.get("provider") or {}
    return (provider.get("module"), provider.get("func")) == ACTION


def mitigation_checks(done: Sequence[Carried]) -> tuple[Check, ...]:
    """What the drill is judged by, for each: that the verification of the page held."""
    return tuple(
        Check(
            name=f"runbook {one.page}: {one.title} helps",
            ok=one.verified_at is not None,
            expected="its commands end with 0, then its verification holds",
            observed=one.why or f"verified {(one.verified_at or 0.0) - one.began_at:.1f} s after it began",
            key="mitigation",
        )
        for one in done
    )
