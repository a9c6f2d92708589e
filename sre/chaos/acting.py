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
from sre.chaos.leases.healing import heal_each, require_healed
from sre.chaos.leases.lease import inject
from sre.chaos.leases.ledger import Ledger
from sre.chaos.leases.records import Run, open_runs
from sre.chaos.leases.recovery import end_when_well
from sre.chaos.leases.standing import standing
from sre.chaos.leases.watchdog import ensure_watchdog
from sre.errors import PlatformError, SreError
from sre.platforms.model import Platform, Unsupported
from sre.platforms.select import select_platform

Configuration = Mapping[str, Any]
Params = Mapping[str, Any]


def injected(name: str, params: Params, *, lease_s: float, configuration: Configuration | None) -> dict[str, Any]:
    """Inject the fault `name` for at most `lease_s` seconds; params that are None take the fault's own defaults."""
    try:
        platform = select_platform(configuration)
        run = registered_run(platform)
        fault = _made(name, params, platform.driver)
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


def heal_run(platform: Platform, *, timeout_s: float, by: str = "run") -> dict[str, Any]:
    """`healed` on a given platform. Raises SreError for what stays or does not recover in time."""
    now = standing(platform.state_dir)
    mine = {run.run_id for run in now.runs if run.process.pid == os.getpid()}
    done = heal_each(platform, [lease for lease in now.open if lease.run_id in mine], by=by)
    require_healed(done)
    recovered = await_recovery(platform, mine, timeout_s)
    return {"undone": [lease.fault_id for lease in done.undone], "recovered": recovered}


def await_recovery(platform: Platform, run_ids: set[str], timeout_s: float) -> dict[str, float]:
    """Seconds from the begin of each undone fault of these runs to its recovery, which is written down as its end.

    Raises PlatformError for those that are not well after `timeout_s` in all; the others are written down all the same.
    """
    deadline = time.monotonic() + timeout_s
    took, ill = {}, []
    for lease in standing(platform.state_dir).unended:
        if lease.run_id not in run_ids:
            continue
        try:
            at = end_when_well(platform, lease, timeout_s=max(0.0, deadline - time.monotonic()))
            took[lease.fault_id] = round(at - lease.begin, 3)
        except SreError as error:
            ill.append(str(error))
    if ill:
        raise PlatformError("; ".join(ill))
    return took


def registered_run(platform: Platform) -> Run:
    """The run of this process. Raises PlatformError without one: nothing is broken outside a registered run."""
    for run in reversed(open_runs(Ledger(platform.state_dir).read())):
        if run.process.pid == os.getpid():
            return run
    raise PlatformError(
        "no run is registered, so nobody would watch over the fault: add the control sre.chaos.control to the file"
    )


def _made(name: str, params: Params, driver: str) -> Any:
    cls = fault_class(name, driver)
    if driver not in cls.platforms:
        raise Unsupported(f"{name}: platform {driver} cannot have it: it is for {' and '.join(cls.platforms)}")
    try:
        return cls(**{key: value for key, value in params.items() if value is not None})
    except TypeError as error:
        raise SreError(f"{name}: {error}") from error
