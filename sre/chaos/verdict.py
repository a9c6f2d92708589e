"""What a run of an experiment amounts to. Pure.

Chaos Toolkit's exit code says little: a failed action, a failed rollback and a control that was never loaded all end
"completed" with exit code 0, as does a steady state that was not met before the method. So every part of the journal is
looked at, and the ledger must show a proven fault. Whatever is missing or unreadable counts against the run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sre.chaos.ledger import LedgerFault, LedgerRecord, fault_windows, since
from sre.chaos.model import Judgement, Verdict

SEVERITY: tuple[Verdict, ...] = ("error", "aborted", "interrupted", "void", "deviated")
"""Weightiest first: a reason further left decides the verdict."""
ACTIONS_MODULE = "sre.chaos.actions"
CONTROL_MODULE = "sre.chaos.control"
UNDOING = frozenset({"heal_faults"})
Reason = tuple[Verdict, str]
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a verdict is drawn from. `journal` is None when the toolkit left none (it crashed or refused the file).

    `missing_controls` are control modules that cannot be imported (see `experiment.missing_controls`): the journal does
    not tell. `log_tail` is the end of the toolkit's log, quoted when there is no journal.
    """

    journal: Json | None
    ledger: Sequence[LedgerRecord]
    returncode: int
    missing_controls: Sequence[str] = ()
    log_tail: str = ""


def judge(evidence: Evidence) -> Judgement:
    """The verdict with all its reasons, weightiest first."""
    if evidence.journal is None:
        faults = fault_windows(evidence.ledger)
        return Judgement("error", (_no_journal(evidence), *(text for _, text in _open_faults(faults))), faults)
    records = since(evidence.ledger, _unix(evidence.journal.get("start")))
    faults = fault_windows(records)
    reasons = list(_reasons(evidence, evidence.journal, records, faults))
    if not reasons and evidence.returncode != 0:
        reasons.append(("error", f"chaos ended with {evidence.returncode} although its journal shows no fault"))
    reasons.sort(key=lambda reason: SEVERITY.index(reason[0]))
    return Judgement(reasons[0][0] if reasons else "passed", tuple(text for _, text in reasons), faults)


def _reasons(
    evidence: Evidence, journal: Json, records: Sequence[LedgerRecord], faults: Sequence[LedgerFault]
) -> Iterator[Reason]:
    refused = [r for r in records if r.event == "run_refused"]
    yield from (("aborted", f"refused before the start: {r.detail.get('reason')}") for r in refused)
    yield from _controls(evidence, journal, records)
    yield from _status(journal, refused=bool(refused))
    yield from _activities(journal, faults)
    yield from _steady_state(journal)
    yield from _faults(journal, faults)
    yield from _open_faults(faults)


def _no_journal(evidence: Evidence) -> str:
    how = (
        f"was killed by signal {-evidence.returncode}"
        if evidence.returncode < 0
        else f"ended with {evidence.returncode}"
    )
    said = f": {evidence.log_tail}" if evidence.log_tail else ""
    return f"chaos {how} and left no journal{said}"


def _controls(evidence: Evidence, journal: Json, records: Sequence[LedgerRecord]) -> Iterator[Reason]:
    for module in evidence.missing_controls:
        yield "error", f"control module {module} could not be imported; the experiment ran without it"
    declared = any(_module(control) == CONTROL_MODULE for control in _experiment(journal).get("controls") or ())
    asked = any(record.event in ("run_begin", "run_refused") for record in records)
    if declared and not asked and CONTROL_MODULE not in evidence.missing_controls:
        yield "error", f"control {CONTROL_MODULE} is declared but never ran (no run_begin in the ledger)"


def _status(journal: Json, *, refused: bool) -> Iterator[Reason]:
    status = journal.get("status")
    if status == "interrupted" and not refused:
        yield "interrupted", "the experiment was interrupted"
    elif status == "aborted":
        yield "aborted", "chaos aborted the method after an error of its own (see its log)"
    elif status not in ("completed", "failed", "interrupted"):
        yield "error", f"chaos ended with the status {status!r}"


def _activities(journal: Json, faults: Sequence[LedgerFault]) -> Iterator[Reason]:
    proven = any(fault.proven for fault in faults)
    interrupted = journal.get("status") == "interrupted"
    for phase, runs in (("method", journal.get("run")), ("rollback", journal.get("rollbacks"))):
        for run in runs or ():
            status = run.get("status")
            if status is None and interrupted:
                continue  # it was this activity that was cut short
            if status != "succeeded":
                yield _failed(phase, run, proven=proven)
            elif _is_nan(run.get("output")):
                yield "error", f"{phase}: {_name(run)} read NaN"


def _failed(phase: str, run: Json, *, proven: bool) -> Reason:
    """A fault that was refused or not proven makes the drill void; a proven one that does not heal is a deviation."""
    verdict: Verdict = "error"
    ended = run.get("status") is not None
    if ended and phase == "method" and _module(run.get("activity") or {}) == ACTIONS_MODULE:
        if _function(run) not in UNDOING:
            verdict = "error" if proven else "void"
        elif proven:
            verdict = "deviated"
    return verdict, f"{phase}: {_name(run)} failed: {_said(run)}"


def _steady_state(journal: Json) -> Iterator[Reason]:
    states = journal.get("steady_states") or {}
    if not ((_experiment(journal).get("steady-state-hypothesis") or {}).get("probes")):
        yield "error", "the experiment has no steady-state hypothesis: nothing could be judged"
        return
    before, after = states.get("before"), states.get("after")
    yield from _state("before", before, missed="aborted")
    yield from _state("after", after, missed="deviated")
    stopped = journal.get("status") in ("interrupted", "aborted")
    if before is None and not stopped:
        yield "error", "the steady state was not looked at before the method"
    if after is None and not stopped and (before or {}).get("steady_state_met"):
        yield "error", "the steady state was not looked at after the method"
    if journal.get("deviated") and (after or {}).get("steady_state_met") is not False:
        yield "deviated", "the steady state deviated during the method"


def _state(phase: str, state: Json | None, *, missed: Verdict) -> Iterator[Reason]:
    for probe in (state or {}).get("probes") or ():
        if probe.get("status") != "succeeded":
            yield "error", f"steady state {phase}: {_name(probe)} could not be read: {_said(probe)}"
        elif _is_nan(probe.get("output")):
            yield "error", f"steady state {phase}: {_name(probe)} read NaN"
        elif not probe.get("tolerance_met"):
            tolerance = (probe.get("activity") or {}).get("tolerance")
            read = f"{_name(probe)} is {_shown(probe.get('output'))}, tolerated is {_tolerated(tolerance)}"
            yield missed, f"steady state {phase}: {read}"


def _faults(journal: Json, faults: Sequence[LedgerFault]) -> Iterator[Reason]:
    claimed = [
        run
        for run in journal.get("run") or ()
        if run.get("status") == "succeeded"
        and _module(run.get("activity") or {}) == ACTIONS_MODULE
        and _function(run) not in UNDOING
    ]
    if claimed and not faults:
        yield "void", "the ledger shows no fault of this run although an action says it caused one"
    for fault in faults:
        if fault.proven is None:
            yield "void", f"{fault.fault} on {fault.target}: nobody proved that it took effect"
        elif fault.proven is False:
            yield "void", f"{fault.fault} on {fault.target}: it was not proven that it took effect"


def _open_faults(faults: Sequence[LedgerFault]) -> Iterator[Reason]:
    for fault in faults:
        if fault.end is None:
            yield (
                "error",
                f"{fault.fault} on {fault.target} is still open: undo it with `sre down`, or play the rollbacks",
            )


def _experiment(journal: Json) -> Json:
    experiment = journal.get("experiment")
    return experiment if isinstance(experiment, Mapping) else {}


def _module(declared: Json) -> str:
    return str((declared.get("provider") or {}).get("module", ""))


def _function(run: Json) -> str:
    return str(((run.get("activity") or {}).get("provider") or {}).get("func", ""))


def _name(run: Json) -> str:
    return str((run.get("activity") or {}).get("name", "an unnamed activity"))


def _said(run: Json) -> str:
    """The last line of the exception, without the toolkit's wrapping."""
    lines = [line.strip() for line in run.get("exception") or () if line.strip()]
    return lines[-1].replace("chaoslib.exceptions.ActivityFailed: ", "") if lines else "it did not end"


def _tolerated(tolerance: Any) -> str:
    if isinstance(tolerance, Mapping) and tolerance.get("type") == "range":
        tolerance = tolerance.get("range")
    if isinstance(tolerance, list) and len(tolerance) == 2:
        return f"{tolerance[0]} to {tolerance[1]}"
    return repr(tolerance)


def _shown(output: Any) -> str:
    return f"{output:.4g}" if isinstance(output, float) else repr(output)


def _is_nan(output: Any) -> bool:
    return isinstance(output, float) and math.isnan(output)


def _unix(start: Any) -> float:
    """The journal's start in Unix seconds; minus infinity when it has none, so that nothing is left out."""
    try:
        return datetime.fromisoformat(str(start)).timestamp()
    except ValueError:
        return -math.inf
