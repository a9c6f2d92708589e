"""The life of a fault: written down, applied, proven, undone.

The order is the safety: the plan is on the disk before anything is touched, and the undo works from that line alone, so
whoever is left can do it. Applying and undoing exclude each other by a lock, and an undo is written down after it was
done: what dies in between is undone once more, which changes nothing.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sre.chaos.faults.catalogue import fault_class
from sre.chaos.faults.model import Fault, Lease
from sre.chaos.ledger import Ledger, LedgerRecord, new_fault_id
from sre.chaos.radius import require_within
from sre.chaos.records import Run, fault_begin, open_leases
from sre.errors import PlatformError, SreError
from sre.platforms.model import Platform

LOCK_FILE = "chaos.lock"
LOCK_WAIT_S = 10.0
_POLL_S = 0.02
Clock = Callable[[], float]


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
        plan = fault.plan(platform)
        held = open_leases(ledger.read())
        require_within(run.radius, plan, replicas=platform.replicas(), open_leases=held)
        lease = Lease(
            fault_id=new_fault_id(),
            fault=fault.name,
            plan=plan,
            deadline_at=min(at + lease_s, run.deadline_at),
            run=run.process,
            run_id=run.run_id,
            begin=at,
        )
        params = {key: value for key, value in asdict(fault).items() if value is not None}  # type: ignore[call-overload]
        ledger.append(fault_begin(lease, params=params, driver=platform.driver))
        try:
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


def heal(platform: Platform, lease: Lease, *, by: str, now: Clock = time.time) -> bool:
    """Undo one fault and write it down; False when that had been done before. Raises SreError when it stays.

    `by` says who: `action`, `rollback`, `run`, `guard`, `watchdog`, `sre chaos heal`, `sre`.
    """
    with alone(platform.state_dir):
        return _heal(platform, lease, by=by, now=now)


def note(ledger: Ledger, lease: Lease, event: str, at: float, **detail: Any) -> None:
    """Write down what became of a lease."""
    ledger.append(LedgerRecord(at, event, lease.fault_id, lease.fault, lease.plan.target, detail))


def _heal(platform: Platform, lease: Lease, *, by: str, now: Clock) -> bool:
    ledger = Ledger(platform.state_dir)
    if lease.fault_id not in {held.fault_id for held in open_leases(ledger.read())}:
        return False
    fault_class(lease.fault).undo(platform, lease)
    note(ledger, lease, "fault_undone", now(), by=by)
    return True


def _give_up(platform: Platform, lease: Lease, error: BaseException, now: Clock) -> None:
    """Undo first, then write about it: on a full disk the one works and the other does not."""
    fault_class(lease.fault).undo(platform, lease)
    ledger = Ledger(platform.state_dir)
    note(ledger, lease, "fault_not_proven", now(), reason=str(error) or type(error).__name__)
    note(ledger, lease, "fault_undone", now(), by="run")


@contextlib.contextmanager
def alone(state_dir: Path, *, wait_s: float = LOCK_WAIT_S) -> Iterator[None]:
    """Hold the lock under which faults are applied and undone. Raises PlatformError when somebody keeps it too long.

    The kernel frees it when its holder dies. The holder's pid is in the file.
    """
    path = state_dir / LOCK_FILE
    try:
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise PlatformError(f"{path}: cannot be opened ({error.strerror}): is a platform up here?") from error
    with file:
        _lock(file.fileno(), path, wait_s)
        with contextlib.suppress(OSError):  # a full disk must not keep a fault from being undone
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield


def _lock(descriptor: int, path: Path, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise PlatformError(
                    f"{path}: process {path.read_text('utf-8') or '?'} applies or undoes a fault for more than "
                    f"{wait_s:g} s: end it"
                ) from None
            time.sleep(_POLL_S)
        else:
            return
