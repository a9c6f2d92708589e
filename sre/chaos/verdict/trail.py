"""What the ledger tells of one run: registered or refused, its faults, the guard's word, the look after the rollbacks.

A ledger outlives runs and platforms, so the first question is which records are this run's. They name the run that our
control registered. Without a registered run only what lies within the journal's times and names no run can be its.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sre.chaos.leases.ledger import LedgerFault, LedgerRecord, fault_windows
from sre.chaos.verdict.journal import AFTER_ROLLBACKS, Played, RunJournal

_SLACK_S = 0.01
Detail = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FaultStory:
    """A fault and what its window leaves out: its deadline, and whether the ledger contradicts itself about proof."""

    window: LedgerFault
    deadline_at: float
    disputed: bool

    @property
    def name(self) -> str:
        return f"{self.window.fault} on {self.window.target}"


@dataclass(frozen=True, slots=True)
class Trail:
    """The records of one run. `began_at` and `ended_at` are when our control let it in and saw it end; `aborts` are the
    guard's (when, why), `strangers` open faults of other runs, `overrides` what the gate had against the run.
    """

    run_id: str
    title: str
    registered: bool
    refusals: tuple[str, ...]
    began_at: float | None
    ended_at: float | None
    ended_how: Detail
    aborts: tuple[tuple[float, str], ...]
    faults: tuple[FaultStory, ...]
    after_rollbacks: tuple[Detail, ...]
    malformed: tuple[str, ...]
    strangers: tuple[str, ...]
    overrides: tuple[str, ...] = ()

    @property
    def proven(self) -> bool:
        """Whether any fault of the run was proven."""
        return any(fault.window.proven and not fault.disputed for fault in self.faults)


def read_trail(records: Sequence[LedgerRecord], journal: RunJournal | None, *, began_at: float | None) -> Trail:
    """The run's trail. Never raises: records that cannot be read are named in `malformed`."""
    start = began_at if journal is None or journal.started_at is None else journal.started_at
    begin = -math.inf if start is None else start - _SLACK_S
    end = math.inf if journal is None or journal.ended_at is None else journal.ended_at + _SLACK_S
    sound = [record for record in records if _fault_of(record) is None]
    entry = _entry(sound, journal, begin, end)
    run_id = "" if entry is None else str(entry.detail.get("run") or "")
    mine = _of_run(sound, entry, run_id, begin, end) if entry is not None else _unclaimed(sound, begin, end)
    begun = {record.fault_id: record for record in mine if record.event == "fault_begin"}
    events = {(record.fault_id, record.event) for record in mine}
    end_of_run = next((record for record in mine if record.event == "run_end"), None)
    return Trail(
        run_id=run_id,
        title="" if entry is None else str(entry.detail.get("title") or ""),
        registered=any(record.event == "run_begin" for record in mine),
        refusals=tuple(str(r.detail.get("reason")) for r in mine if r.event == "run_refused"),
        began_at=None if entry is None else entry.at,
        ended_at=None if end_of_run is None else end_of_run.at,
        ended_how={} if end_of_run is None else end_of_run.detail,
        aborts=tuple((r.at, str(r.detail.get("reason"))) for r in mine if r.event == "guard_abort"),
        faults=tuple(_story(window, begun[window.fault_id], events) for window in fault_windows(mine)),
        after_rollbacks=tuple(r.detail for r in mine if r.event == AFTER_ROLLBACKS),
        malformed=tuple(_malformed(records, begin)),
        strangers=tuple(_strangers(sound, set(begun))),
        overrides=tuple(_override(r.detail) for r in mine if r.event == "gate_overridden"),
    )


def _entry(
    records: Sequence[LedgerRecord], journal: RunJournal | None, begin: float, end: float
) -> LedgerRecord | None:
    """The record with which our control let the run in, or refused it."""
    asked = [r for r in records if r.event in ("run_begin", "run_refused") and begin <= r.at <= end]
    if journal is None:
        begun = [r for r in asked if r.event == "run_begin"]
        return next(reversed(begun or asked), None)
    asked = [r for r in asked if str(r.detail.get("title")) == journal.title]
    runs = _runs_of(records, claimed_faults(journal))
    named = [r for r in asked if str(r.detail.get("run")) in runs]
    begun = [r for r in asked if r.event == "run_begin" and journal.method]
    return next(iter(named or begun or asked), None)


def claimed_faults(journal: RunJournal) -> set[str]:
    """The faults that actions of the journal say they caused: the surest link to the run."""
    return {named for played in journal.method if (named := named_fault(played)) is not None}


def named_fault(played: Played) -> str | None:
    """The fault that an action says it caused."""
    output = played.output
    return str(output["fault_id"]) if isinstance(output, Mapping) and "fault_id" in output else None


def _runs_of(records: Iterable[LedgerRecord], fault_ids: set[str]) -> set[str]:
    return {str(r.detail["run"]) for r in records if r.fault_id in fault_ids and r.detail.get("run")}


def _of_run(
    records: Sequence[LedgerRecord], entry: LedgerRecord, run_id: str, begin: float, end: float
) -> list[LedgerRecord]:
    """The records that name the run, and those of its faults. A run without a name has those of its process."""
    faults = {r.fault_id for r in records if run_id and r.event == "fault_begin" and r.detail.get("run") == run_id}
    pid = entry.detail.get("pid")

    def mine(record: LedgerRecord) -> bool:
        if record.fault_id:
            return record.fault_id in faults
        if record is entry or run_id:
            return record is entry or bool(record.detail.get("run") == run_id)
        named = bool(record.detail.get("run"))
        return not named and begin <= record.at <= end and bool(record.detail.get("pid", pid) == pid)

    own = [record for record in records if mine(record)]
    return own if run_id else [*own, *(r for r in _unclaimed(records, begin, end) if r.fault_id)]


def _unclaimed(records: Sequence[LedgerRecord], begin: float, end: float) -> list[LedgerRecord]:
    """What lies within the run's times and says of no run that it is its."""
    claimed = {r.fault_id for r in records if r.event == "fault_begin" and r.detail.get("run")}
    begun = {r.fault_id for r in records if r.event == "fault_begin" and begin <= r.at <= end} - claimed
    return [r for r in records if r.fault_id in begun]


def _story(window: LedgerFault, begin: LedgerRecord, events: set[tuple[str, str]]) -> FaultStory:
    deadline: Any = begin.detail.get("deadline_at")
    return FaultStory(
        window=window,
        deadline_at=float(deadline) if _finite(deadline) else math.inf,
        disputed={(window.fault_id, "fault_proven"), (window.fault_id, "fault_not_proven")} <= events,
    )


def _override(detail: Detail) -> str:
    refusals = detail.get("refusals")
    against = "; ".join(map(str, refusals)) if isinstance(refusals, list | tuple) else str(refusals)
    return f"the gate was overridden ({detail.get('reason')}) against: {against}"


def _strangers(records: Sequence[LedgerRecord], own: set[str]) -> Iterable[str]:
    runs = {r.fault_id: str(r.detail.get("run") or "") for r in records if r.event == "fault_begin"}
    for fault in fault_windows(records):
        if fault.is_open and fault.fault_id not in own:
            whose = f"run {runs[fault.fault_id]}" if runs[fault.fault_id] else "an unregistered run"
            yield f"not of this run: {fault.fault} on {fault.target} of {whose} is still open, see `sre chaos faults`"


def _malformed(records: Sequence[LedgerRecord], begin: float) -> Iterable[str]:
    for number, record in enumerate(records, 1):
        fault = _fault_of(record)
        if fault is not None and not (_finite(record.at) and record.at < begin):
            yield f"record {number} of the ledger cannot be read: {fault}"


def _fault_of(record: LedgerRecord) -> str | None:
    """Why a record cannot be used; None when it can."""
    if not _finite(record.at):
        return f"its time is {record.at!r:.40}"
    if not all(isinstance(text, str) for text in (record.event, record.fault_id, record.fault, record.target)):
        return "its event or its fault is no text"
    if not isinstance(record.detail, Mapping):
        return f"its detail is {record.detail!r:.40}"
    plan = record.detail.get("plan") or {}
    if not isinstance(plan, Mapping):
        return f"its plan is {plan!r:.40}"
    named = (plan.get("replicas") or (), plan.get("components") or ())
    if not all(isinstance(names, list | tuple) for names in named):
        return "its plan names no list of targets"
    return None


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
