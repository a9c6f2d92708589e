"""A Chaos Toolkit control: asks the gate before a run, guards its method, and sees that nothing stays broken after it.

Chaos Toolkit swallows every exception of a control except InterruptExecution, and an absent control module entirely.
Hence any doubt here interrupts (fail closed), and the `run_begin` record in the ledger is the proof that we were asked.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from chaoslib.exceptions import InterruptExecution

from sre.chaos.guard.starting import guard_of
from sre.chaos.guard.watching import Guard
from sre.chaos.leases.ledger import Ledger, LedgerRecord
from sre.chaos.runs.admission import Admitted, admit
from sre.chaos.runs.failing import fail
from sre.chaos.runs.leaving import leave_on_sigterm
from sre.errors import SreError
from sre.platforms.select import select_platform

__all__ = [
    "after_experiment_control",
    "after_method_control",
    "before_experiment_control",
    "before_method_control",
    "before_rollback_control",
]


@dataclass(slots=True)
class _InHand:
    """The run that goes on in this process."""

    admitted: Admitted
    guard: Guard | None = None


_in_hand: list[_InHand] = []
"""At most one: the toolkit hands nothing of ours on from one call of a control to the next."""


def before_experiment_control(
    context: Mapping[str, Any], configuration: dict[str, Any] | None = None, **_: Any
) -> None:
    """Refuse the start (InterruptExecution, one line) unless the gate lets the run in; then register it."""
    while _in_hand:  # a run that never came to its end
        _in_hand.pop().admitted.lock.release()
    try:
        admitted = admit(select_platform(configuration), context, configuration or {})
    except SreError as error:
        raise _refusal(configuration, context, str(error)) from error
    except Exception as error:
        raise _refusal(configuration, context, f"{type(error).__name__}: {error}") from error
    _in_hand.append(_InHand(admitted))
    leave_on_sigterm()


def before_method_control(context: Mapping[str, Any], **_: Any) -> None:
    """Start the guard. Interrupts when there is none: then nothing is broken."""
    del context
    if not _in_hand:
        raise InterruptExecution("the gate has not let this run in: is sre.chaos.control declared for the experiment?")
    run = _in_hand[0]
    try:
        run.guard = guard_of(run.admitted)
        run.guard.start()
    except Exception as error:
        raise InterruptExecution(f"the guard does not start ({type(error).__name__}: {error})") from error


def after_method_control(context: Mapping[str, Any], **_: Any) -> None:
    """The guard goes on watching what is still broken, but has nothing left to interrupt."""
    del context
    if _in_hand and _in_hand[0].guard is not None:
        _in_hand[0].guard.method_is_over()


def before_rollback_control(context: Mapping[str, Any], **_: Any) -> None:
    """Stop the guard: from here on the rollbacks are played, and the watchdog keeps the deadline."""
    del context
    if _in_hand and _in_hand[0].guard is not None:
        _in_hand[0].guard.stop()


def after_experiment_control(
    context: dict[str, Any],
    state: MutableMapping[str, Any] | None = None,
    configuration: dict[str, Any] | None = None,
    secrets: dict[str, Any] | None = None,
    **_: Any,
) -> None:
    """Heal, look at the steady state again, record the end, judge. `state` is the journal; a bad end fails it."""
    if not _in_hand:  # it was refused
        return
    run, journal = _in_hand.pop(), {} if state is None else state
    try:
        from sre.chaos.runs.aftermath import Aftermath  # the guard's thread has loaded it while the method was played

        Aftermath(run.admitted, run.guard, context, configuration or {}, secrets or {}).conclude(journal)
    except BaseException as error:  # noqa: BLE001  (a signal that left from here would cost the journal)
        fail(journal, "error", problems=[f"{type(error).__name__}: {error}"])
    finally:
        run.admitted.lock.release()


def _refusal(configuration: dict[str, Any] | None, context: Mapping[str, Any], reason: str) -> InterruptExecution:
    """The refusal to raise, also noted in the ledger where there is a state directory to hold one."""
    detail = {"pid": os.getpid(), "title": str(context.get("title")), "reason": reason}
    with contextlib.suppress(SreError, OSError):  # the log has the reason anyway; no state directory is made for it
        platform = select_platform(configuration)
        Ledger(platform.state_dir).append(LedgerRecord(time.time(), "run_refused", detail=detail))
    return InterruptExecution(f"the experiment was refused: {reason}")
