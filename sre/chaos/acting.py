"""What every action of `sre.chaos.actions` does: find platform and run, inject or heal, speak Chaos Toolkit.

What the platform refuses or cannot prove raises ActivityFailed; Chaos Toolkit then goes on with the method, so the
verdict is drawn from the journal and the ledger (see `verdict.py`), never from the toolkit's exit code.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from chaoslib.exceptions import ActivityFailed

from sre.chaos.faults.catalogue import fault_class
from sre.chaos.lease import heal, inject, note
from sre.chaos.ledger import Ledger, fault_windows
from sre.chaos.records import Run, leases, open_leases, open_runs
from sre.chaos.watchdog import ensure_watchdog
from sre.errors import PlatformError, SreError
from sre.platforms.model import Platform
from sre.platforms.select import select_platform

Configuration = Mapping[str, Any]
Params = Mapping[str, Any]


def injected(name: str, params: Params, *, lease_s: float, configuration: Configuration | None) -> dict[str, Any]:
    """Inject the fault `name` for at most `lease_s` seconds; params that are None take the fault's own defaults."""
    try:
        platform = select_platform(configuration)
        run = registered_run(platform)
        fault = _made(name, params)
        done = inject(platform, fault, lease_s=lease_s, run=run, watched=lambda: ensure_watchdog(platform))
    except SreError as error:
        raise ActivityFailed(str(error)) from error
    lease = done.lease
    latest = datetime.fromtimestamp(lease.deadline_at, UTC).isoformat(timespec="seconds")
    return {"fault_id": lease.fault_id, "target": lease.plan.target, "proof": done.proof, "undone_at_latest": latest}


def healed(*, timeout_s: float, configuration: Configuration | None) -> dict[str, Any]:
    """Undo every open fault of this run, then wait until what it hit is well again. Quick with nothing to do."""
    try:
        platform = select_platform(configuration)
        return heal_run(platform, timeout_s=timeout_s)
    except SreError as error:
        raise ActivityFailed(str(error)) from error


def heal_run(platform: Platform, *, timeout_s: float) -> dict[str, Any]:
    """`healed` on a given platform. Raises SreError for what stays or does not recover in time."""
    ledger = Ledger(platform.state_dir)
    records = ledger.read()
    mine = {run.run_id for run in open_runs(records) if run.process.pid == os.getpid()}
    undone = [lease for lease in open_leases(records) if lease.run_id in mine]
    for lease in reversed(undone):
        heal(platform, lease, by="run")
    return {"undone": [lease.fault_id for lease in undone], "recovered": await_recovery(platform, mine, timeout_s)}


def await_recovery(platform: Platform, run_ids: set[str], timeout_s: float) -> dict[str, float]:
    """Seconds from the begin of each undone fault of these runs to its recovery, which is written down as its end."""
    ledger = Ledger(platform.state_dir)
    records = ledger.read()
    unended = {f.fault_id for f in fault_windows(records) if f.undone is not None and f.end is None and f.proven}
    deadline, took = time.monotonic() + timeout_s, {}
    for lease in leases(records):
        if lease.run_id in run_ids and lease.fault_id in unended:
            left = max(0.0, deadline - time.monotonic())
            since = fault_class(lease.fault).recovered(platform, lease, timeout_s=left)
            # what never went away has been well since before the fault: its effect is over now at the latest
            at = since if since > lease.begin else time.time()
            note(ledger, lease, "fault_end", at, how="well again")
            took[lease.fault_id] = round(at - lease.begin, 3)
    return took


def registered_run(platform: Platform) -> Run:
    """The run of this process. Raises PlatformError without one: nothing is broken outside a registered run."""
    for run in reversed(open_runs(Ledger(platform.state_dir).read())):
        if run.process.pid == os.getpid():
            return run
    raise PlatformError(
        "no run is registered, so nobody would watch over the fault: add the control sre.chaos.control to the file"
    )


def _made(name: str, params: Params) -> Any:
    cls = fault_class(name)
    try:
        return cls(**{key: value for key, value in params.items() if value is not None})
    except TypeError as error:
        raise SreError(f"{name}: {error}") from error
