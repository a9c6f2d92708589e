"""A Chaos Toolkit control: no experiment starts against a platform that is not up or not watched; runs are recorded.

Chaos Toolkit swallows every exception of a control except InterruptExecution, and an absent control module entirely.
Hence any doubt here interrupts (fail closed), and the `run_begin` record in the ledger is the proof that we were asked.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import Any

from chaoslib.exceptions import InterruptExecution

from sre.chaos.ledger import Ledger, LedgerRecord
from sre.errors import PlatformError, SreError
from sre.platforms.model import Platform
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
        _record(platform, "run_begin", title=str(context.get("title")))
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
    journal = state or {}
    _record(
        select_platform(configuration),
        "run_end",
        title=str(context.get("title")),
        status=journal.get("status"),
        deviated=journal.get("deviated"),
    )


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
