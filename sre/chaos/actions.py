"""Faults and their undoing, for the `method` and `rollbacks` of an experiment.

Each fault is written to the ledger before it is applied, proven from outside after, and ended when its effect is over.
What the platform refuses or cannot prove raises ActivityFailed; Chaos Toolkit then goes on with the method, so the
verdict is drawn from the journal and the ledger (see `verdict.py`), never from the toolkit's exit code.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from chaoslib.exceptions import ActivityFailed

from sre.chaos.ledger import Ledger, LedgerFault, LedgerRecord, new_fault_id
from sre.errors import PlatformError, SreError
from sre.platforms.model import Platform, Replica
from sre.platforms.select import select_platform
from sre.platforms.selection import choose

__all__ = ["crash_replica", "restore_replicas", "wait_recovered"]

REPLICA_CRASH = "replica-crash"
Configuration = dict[str, Any]


def crash_replica(
    replica: str = "busiest", min_healthy: int = 1, seed: int = 0, configuration: Configuration | None = None
) -> dict[str, Any]:
    """Kill -9 one replica's server process.

    `replica` is `busiest` (most requests in flight), `any`, `random` (by `seed`), or a name. Refused when fewer than
    `min_healthy` ready replicas would be left; the last ready replica is never killed.
    """
    with_platform = select_platform(configuration)
    return _failing_as_activity(lambda: crash(with_platform, replica, min_healthy=min_healthy, seed=seed))


def wait_recovered(timeout_s: float = 30.0, configuration: Configuration | None = None) -> dict[str, Any]:
    """Wait until the replica hit by the latest open fault serves a real inference again, and end the fault.

    Without an open fault (the action before it was refused) there is nothing to wait for.
    """
    platform = select_platform(configuration)
    return _failing_as_activity(lambda: recover(platform, timeout_s=timeout_s))


def restore_replicas(timeout_s: float = 30.0, configuration: Configuration | None = None) -> dict[str, Any]:
    """Undo: wait until every replica serves and end every open fault. Quick when there is nothing to undo."""
    platform = select_platform(configuration)
    return _failing_as_activity(lambda: restore(platform, timeout_s=timeout_s))


def crash(
    platform: Platform, selector: str, *, min_healthy: int = 1, seed: int = 0, now: Callable[[], float] = time.time
) -> dict[str, Any]:
    """`crash_replica` on a given platform. Raises PlatformError when refused or not proven."""
    target = _target(platform, selector, min_healthy=min_healthy, seed=seed)
    ledger = Ledger(platform.state_dir)
    fault_id = new_fault_id()

    def note(event: str, at: float, **detail: Any) -> None:
        ledger.append(LedgerRecord(at, event, fault_id, REPLICA_CRASH, target.name, detail))

    note("fault_begin", now(), selector=selector, pid=target.pid)
    try:
        proof = platform.kill_replica(target.name)
    except PlatformError as error:
        note("fault_not_proven", now(), reason=str(error))
        raise
    note("fault_proven", proof.gone_at, pid=proof.pid, killed_at=proof.killed_at, how=proof.how)
    return {"fault_id": fault_id, "replica": target.name, "pid": proof.pid, "proof": proof.how}


def recover(platform: Platform, *, timeout_s: float) -> dict[str, Any]:
    """`wait_recovered` on a given platform. Raises PlatformError on timeout."""
    ledger = Ledger(platform.state_dir)
    faults = ledger.open_faults()
    if not faults:
        return {"fault_id": None, "replica": None, "recovered_after_s": None}
    fault = faults[-1]
    ready_at = platform.wait_ready(fault.target, timeout_s=timeout_s)
    _end(ledger, fault, ready_at)
    return {"fault_id": fault.fault_id, "replica": fault.target, "recovered_after_s": round(ready_at - fault.begin, 3)}


def restore(platform: Platform, *, timeout_s: float, now: Callable[[], float] = time.time) -> dict[str, Any]:
    """`restore_replicas` on a given platform. A platform that is down has nothing to restore unless a fault is open."""
    ledger = Ledger(platform.state_dir)
    faults = ledger.open_faults()
    try:
        replicas = platform.replicas()
    except PlatformError:
        if faults:
            raise
        return {"ended": [], "ready": []}
    deadline = now() + timeout_s
    ready_at = {r.name: platform.wait_ready(r.name, timeout_s=max(0.0, deadline - now())) for r in replicas}
    for fault in faults:
        recovered = ready_at.get(fault.target, now())
        # a replica that never went away has served since before the fault: its effect is over now at the latest
        _end(ledger, fault, recovered if recovered > fault.begin else now())
    return {"ended": [fault.fault_id for fault in faults], "ready": sorted(ready_at)}


def _target(platform: Platform, selector: str, *, min_healthy: int, seed: int) -> Replica:
    replicas = platform.replicas()
    inflight = platform.inflight() if selector == "busiest" else {}
    target = choose(selector, replicas, inflight=inflight, seed=seed)
    left = sum(1 for r in replicas if r.state == "ready") - 1
    needed = max(1, min_healthy)
    if left < needed:
        raise PlatformError(
            f"blast radius: killing {target.name} would leave {left} ready replica(s), at least {needed} must stay: "
            "start more replicas, or wait until all are ready"
        )
    return target


def _end(ledger: Ledger, fault: LedgerFault, at: float) -> None:
    ledger.append(LedgerRecord(at, "fault_end", fault.fault_id, fault.fault, fault.target, {"how": "serves again"}))


def _failing_as_activity(act: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return act()
    except SreError as error:
        raise ActivityFailed(str(error)) from error
