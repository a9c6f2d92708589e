"""The life of a fault: written down, applied, proven, undone.

The order is the safety: the plan is on the disk before anything is touched, and the undo works from that line alone, so
whoever is left can do it. Applying and undoing exclude each other by a lock, and an undo is written down after it was
done: what dies in between, or finds the disk full, is undone once more, which changes nothing.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import psutil

from sre.chaos.faults.catalogue import fault_class
from sre.chaos.faults.model import Fault, Lease
from sre.chaos.leases.ledger import Ledger, LedgerRecord, NotWritten, fault_windows, new_fault_id
from sre.chaos.leases.lock import alone
from sre.chaos.leases.radius import require_within
from sre.chaos.leases.records import Run, fault_begin, open_leases
from sre.errors import PlatformError, SreError
from sre.platforms.interrupts import interrupts_deferred
from sre.platforms.model import Platform
from sre.platforms.processes import marked
from sre.platforms.select import select_platform
from sre.platforms.state import NotUp

Clock = Callable[[], float]
_BESIDE = frozenset({"chaostoolkit", "sre.chaos.leases.watchdog"})


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault that is there and was seen."""

    lease: Lease
    proof: str


def inject(
    platform: Platform,
    fault: Fault,
    *,
    lease_s: float,
    run: Run,
    watched: Callable[[], None] = lambda: None,
    now: Clock = time.time,
) -> Injected:
    """Apply one fault for at most `lease_s` seconds and prove it.

    `watched` makes sure that a watchdog lives, or raises: without one nothing is applied. Raises SreError when it is
    refused, fails or is not proven; whatever was done of it is undone then.
    """
    if not 0 < lease_s < float("inf"):
        raise SreError(f"lease_s is {lease_s:g}: write seconds, above 0: then the fault is undone in any case")
    ledger = Ledger(platform.state_dir)
    watched()
    with alone(platform.state_dir):
        at = now()
        if at >= run.deadline_at:
            raise PlatformError("the run is past its deadline_s: nothing is broken any more")
        records = ledger.read()
        if any(record.event == "guard_abort" and record.detail.get("run") == run.run_id for record in records):
            raise PlatformError("the guard has aborted the run: nothing is broken any more")
        plan = fault.plan(platform)
        held = open_leases(records)
        require_within(run.radius, plan, replicas=platform.replicas(), open_leases=held)
        lease = Lease(
            fault_id=new_fault_id(),
            fault=fault.name,
            plan=plan,
            deadline_at=min(at + lease_s, run.deadline_at),
            run=run.process,
            run_id=run.run_id,
            begin=at,
            reference=dict(platform.reference),
        )
        params = {key: value for key, value in asdict(fault).items() if value is not None}  # type: ignore[call-overload]
        ledger.append(fault_begin(lease, params=params))
        try:
            _require_time(ledger, lease, now)
            fault.apply(platform, lease)
        except BaseException as error:  # Ctrl-C included
            _give_up(platform, lease, error, now)
            raise
    try:
        proof = fault.prove(platform, lease)
        note(ledger, lease, "fault_proven", now(), how=proof)
    except BaseException as error:
        with alone(platform.state_dir):
            _give_up(platform, lease, error, now)
        raise
    return Injected(lease, proof)


def heal(platform: Platform, lease: Lease, *, by: str, now: Clock = time.time, urgent: bool = False) -> bool:
    """Undo one fault and write it down; False when that had been done before. Raises SreError when it stays.

    `by` says who: `action`, `rollback`, `run`, `guard`, `watchdog`, `sre chaos heal`, `sre`. With `urgent` a process
    that keeps the lock and does not let go is killed.
    """
    with alone(platform.state_dir, end_holder=urgent), interrupts_deferred():
        return _heal(platform, lease, by=by, now=now)


def note(ledger: Ledger, lease: Lease, event: str, at: float, **detail: Any) -> None:
    """Write down what became of a lease."""
    ledger.append(LedgerRecord(at, event, lease.fault_id, lease.fault, lease.plan.target, detail))


def platform_of(lease: Lease, here: Platform) -> Platform:
    """The platform that a lease hit. `here` has the ledger; it may be of another driver, or of another cluster."""
    driver = lease.reference.get("platform", here.driver)
    if driver == here.driver == "local":
        return here
    return select_platform({**lease.reference, "platform": driver, "state_dir": str(here.state_dir)})


def _require_time(ledger: Ledger, lease: Lease, now: Clock) -> None:
    """Between the written line and the act this process may have been stopped for minutes: the lease must still run."""
    if now() >= lease.deadline_at or not _is_open(ledger, lease):
        raise PlatformError(f"{lease.fault}: its lease was over before it could be applied: nothing was done")


def _is_open(ledger: Ledger, lease: Lease) -> bool:
    found = ledger.salvage()
    if found.unread:  # that is not to say that it was undone
        raise PlatformError(found.damage[0])
    windows = fault_windows(found.records)
    return any(fault.is_open for fault in windows if fault.fault_id == lease.fault_id)


def _heal(platform: Platform, lease: Lease, *, by: str, now: Clock) -> bool:
    ledger = Ledger(platform.state_dir)
    if not _is_open(ledger, lease):
        return False
    how = {}
    try:
        there = platform_of(lease, platform)
        fault_class(lease.fault, there.driver).undo(there, lease)
    except NotUp:
        if _some_of_it_lives(platform):  # it only seems to be down, e.g. since the clock was set
            raise
        how = {"how": "the platform is down"}  # the fault went with its processes
    note(ledger, lease, "fault_undone", now(), by=by, **how)
    return True


def _some_of_it_lives(platform: Platform) -> bool:
    """Whether there is a process of the platform, beside runs and their watchdog."""
    for found in marked(platform.state_dir, None):
        with contextlib.suppress(psutil.Error):
            if not _BESIDE.intersection(found.process.cmdline()):
                return True
    return False


def _give_up(platform: Platform, lease: Lease, error: BaseException, now: Clock) -> None:
    """Undo first, then write about it: on a full disk the one works and the other does not.

    What cannot be undone here stays open as given up, so the watchdog goes on trying at once; what cannot be written
    is undone again by whoever comes next.
    """
    ledger = Ledger(platform.state_dir)
    with interrupts_deferred(), contextlib.suppress(NotWritten):
        try:
            fault_class(lease.fault, platform.driver).undo(platform, lease)
        finally:
            note(ledger, lease, "fault_not_proven", now(), reason=str(error) or type(error).__name__)
        note(ledger, lease, "fault_undone", now(), by="run")
