"""Leases and runs as lines of the ledger, and back. Pure.

A record that lacks what a lease or a run must have is left out here: `misfits` names it, and whoever injects refuses to
go on beside it, while whoever undoes does so with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sre.chaos.faults.model import Lease, Plan
from sre.chaos.leases.ledger import LedgerRecord, fault_windows
from sre.chaos.model import BlastRadius
from sre.platforms.processes import ProcessRef

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an experiment, as our control registered it. Without it no fault is applied.

    `process` is the `chaos run`; `deadline_at` (Unix time) is when the whole run must be over.
    """

    run_id: str
    process: ProcessRef
    title: str
    radius: BlastRadius
    deadline_at: float


def run_begin(run: Run, *, at: float) -> LedgerRecord:
    """The line that registers a run."""
    radius = {
        "max_replicas": run.radius.max_replicas,
        "min_healthy": run.radius.min_healthy,
        "components": list(run.radius.components),
    }
    detail = {
        "run": run.run_id,
        "pid": run.process.pid,
        "created": run.process.created,
        "title": run.title,
        "blast_radius": radius,
        "deadline_at": run.deadline_at,
    }
    return LedgerRecord(at, "run_begin", detail=detail)


def open_runs(records: Iterable[LedgerRecord]) -> tuple[Run, ...]:
    """Runs that were begun and not ended, oldest first. Their processes may be gone."""
    runs: dict[str, Run] = {}
    for record in records:
        if record.event == "run_begin":
            run = _understood(_run, record)
            if run is not None:
                runs[run.run_id] = run
        elif record.event == "run_end":
            runs.pop(str(record.detail.get("run")), None)
    return tuple(runs.values())


def fault_begin(lease: Lease, *, params: Mapping[str, Any]) -> LedgerRecord:
    """The line that must be on the disk before the fault is applied."""
    plan = {
        "replicas": list(lease.plan.replicas),
        "components": list(lease.plan.components),
        "handles": dict(lease.plan.handles),
        **({} if lease.plan.at_most is None else {"at_most": lease.plan.at_most}),
    }
    run = None if lease.run is None else {"pid": lease.run.pid, "created": lease.run.created}
    detail = {
        "plan": plan,
        "params": dict(params),
        "deadline_at": lease.deadline_at,
        "run": lease.run_id,
        "process": run,
        "platform": dict(lease.reference),
    }
    return LedgerRecord(lease.begin, "fault_begin", lease.fault_id, lease.fault, lease.plan.target, detail)


def open_leases(records: Iterable[LedgerRecord]) -> tuple[Lease, ...]:
    """The leases of faults that somebody still has to undo, oldest first."""
    kept = tuple(records)
    still_open = {fault.fault_id for fault in fault_windows(kept) if fault.is_open}
    return tuple(lease for lease in leases(kept) if lease.fault_id in still_open)


def leases(records: Iterable[LedgerRecord]) -> tuple[Lease, ...]:
    """Every lease of the ledger, oldest first, whatever became of it."""
    begun = (_understood(_lease, record) for record in records if record.event == "fault_begin")
    return tuple(lease for lease in begun if lease is not None)


def misfits(records: Iterable[LedgerRecord]) -> tuple[str, ...]:
    """A line for each open fault that nobody can undo, because its record does not say what was planned."""
    kept = tuple(records)
    known = {lease.fault_id for lease in leases(kept)}
    lost = [fault for fault in fault_windows(kept) if fault.is_open and fault.fault_id not in known]
    return tuple(
        f"{fault.fault_id} ({fault.fault} on {fault.target}): its fault_begin has no plan that can be read: "
        "undo it by hand, then remove the line"
        for fault in lost
    )


def _understood(read: Callable[[LedgerRecord], T], record: LedgerRecord) -> T | None:
    try:
        return read(record)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _lease(record: LedgerRecord) -> Lease:
    detail = record.detail
    plan = detail["plan"]
    return Lease(
        fault_id=record.fault_id,
        fault=record.fault,
        plan=Plan(tuple(plan["replicas"]), tuple(plan["components"]), dict(plan["handles"]), plan.get("at_most")),
        deadline_at=float(detail["deadline_at"]),
        run=_process(detail.get("process")),
        run_id=str(detail.get("run", "")),
        begin=record.at,
        reference=_reference(detail.get("platform")),
    )


def _run(record: LedgerRecord) -> Run:
    detail = record.detail
    radius = detail["blast_radius"]
    return Run(
        run_id=str(detail["run"]),
        process=ProcessRef(int(detail["pid"]), float(detail["created"])),
        title=str(detail["title"]),
        radius=BlastRadius(int(radius["max_replicas"]), int(radius["min_healthy"]), tuple(radius["components"])),
        deadline_at=float(detail["deadline_at"]),
    )


def _reference(stated: Any) -> Mapping[str, Any]:
    return dict(stated) if isinstance(stated, Mapping) else {}


def _process(detail: Mapping[str, Any] | None) -> ProcessRef | None:
    return None if detail is None else ProcessRef(int(detail["pid"]), float(detail["created"]))
