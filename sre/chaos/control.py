"""A Chaos Toolkit control: no experiment starts against a platform that is not up or not watched; runs are recorded.

Chaos Toolkit swallows every exception of a control except InterruptExecution, and an absent control module entirely.
Hence any doubt here interrupts (fail closed), and the `run_begin` record in the ledger is the proof that we were asked.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Mapping
from typing import Any

import psutil
from chaoslib.exceptions import InterruptExecution

from sre.chaos.drill import EXTENSION
from sre.chaos.lease import heal
from sre.chaos.ledger import Ledger, LedgerRecord
from sre.chaos.model import BlastRadius
from sre.chaos.records import Run, open_leases, open_runs, run_begin
from sre.chaos.watchdog import start_watchdog
from sre.errors import BadDocument, PlatformError, SreError
from sre.platforms.model import Platform
from sre.platforms.processes import ProcessRef
from sre.platforms.select import select_platform

__all__ = ["after_experiment_control", "before_experiment_control"]

SAMPLES = "samples"


def before_experiment_control(
    context: Mapping[str, Any], configuration: dict[str, Any] | None = None, **_: Any
) -> None:
    """Refuse the start (InterruptExecution) unless the platform is up and its samples are recorded."""
    try:
        platform = select_platform(configuration)
        require_watched(platform)
        start_watchdog(platform)
        Ledger(platform.state_dir).append(run_begin(_run_of(context), at=time.time()))
    except SreError as error:
        raise _refusal(configuration, context, str(error)) from error
    except Exception as error:
        raise _refusal(configuration, context, f"{type(error).__name__}: {error}") from error


def after_experiment_control(
    context: Mapping[str, Any],
    state: Mapping[str, Any] | None = None,
    configuration: dict[str, Any] | None = None,
    **_: Any,
) -> None:
    """Record the end. `state` is the journal."""
    journal, platform = state or {}, select_platform(configuration)
    records = Ledger(platform.state_dir).read()
    mine = [run for run in open_runs(records) if run.process.pid == os.getpid()]
    for lease in reversed(open_leases(records)):
        if lease.run_id in {run.run_id for run in mine}:
            heal(platform, lease, by="control")
    for run in mine:
        _record(
            platform,
            "run_end",
            run=run.run_id,
            title=run.title,
            status=journal.get("status"),
            deviated=journal.get("deviated"),
        )


def _run_of(context: Mapping[str, Any]) -> Run:
    """The run as its file states it. Raises BadDocument without blast radius and deadline."""
    section: Mapping[str, Any] = next((e for e in context.get("extensions") or () if e.get("name") == EXTENSION), {})
    try:
        stated = section["blast_radius"]
        radius = BlastRadius(
            int(stated["max_replicas"]), int(stated["min_healthy"]), tuple(stated.get("components") or ())
        )
        deadline_s = float(section["deadline_s"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadDocument(
            [f"extensions: {EXTENSION}: blast_radius and deadline_s cannot be read ({error!r}): state both"]
        ) from error
    me = psutil.Process()
    process = ProcessRef(me.pid, me.create_time())
    return Run(f"r-{uuid.uuid4().hex[:8]}", process, str(context.get("title")), radius, time.time() + deadline_s)


def require_watched(platform: Platform) -> None:
    """Raises PlatformError unless the platform is up and its recorder has written something."""
    platform.replicas()
    samples = platform.state_dir / SAMPLES
    if not any(path.stat().st_size > 0 for path in samples.glob("*.jsonl")):
        raise PlatformError(f"{samples}: no samples, the steady state could not be judged: start with `sre up`")


def _refusal(configuration: dict[str, Any] | None, context: Mapping[str, Any], reason: str) -> InterruptExecution:
    """The refusal to raise, also noted in the ledger where there is a state directory to hold one."""
    with contextlib.suppress(SreError, OSError):  # the log has the reason anyway; no state directory is made for it
        _record(select_platform(configuration), "run_refused", title=str(context.get("title")), reason=reason)
    return InterruptExecution(f"the experiment was refused: {reason}")


def _record(platform: Platform, event: str, **detail: Any) -> None:
    record = LedgerRecord(time.time(), event, detail={"pid": os.getpid(), **detail})
    Ledger(platform.state_dir).append(record)
