"""Letting a run in: its terms read, the gate asked, the lock held, a watchdog beside it, its name in the ledger.

Nothing is broken here. In this order, so that a run which is refused leaves nothing behind but the refusal.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from sre.chaos.gate.checks import Gate
from sre.chaos.gate.lock import RunLock, take_lock
from sre.chaos.leases.ledger import Ledger, LedgerRecord
from sre.chaos.leases.records import Run, run_begin
from sre.chaos.leases.watchdog import start_watchdog, watches
from sre.chaos.probes import slo_directory
from sre.chaos.section.terms import Terms, terms_of
from sre.chaos.sight import Sight, sight_of
from sre.errors import PlatformError
from sre.platforms.model import Platform
from sre.platforms.processes import ProcessRef

OVERRIDE = "SRE_CHAOS_OVERRIDE"
"""A reason in words: what the policy says against a run (budget, incidents, calendar) is then noted, not heeded."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A run that was let in. It holds the lock until it is over."""

    platform: Platform
    run: Run
    terms: Terms
    slo_dir: Path
    lock: RunLock
    sight: Sight


def admit(platform: Platform, experiment: Mapping[str, Any], configuration: Mapping[str, Any]) -> Admitted:
    """Raises SreError with everything that stands against the run, in one line."""
    platform.replicas()  # with no platform up the rest does not matter
    terms, slo_dir, title = terms_of(experiment), slo_directory(dict(configuration)), str(experiment.get("title"))
    sight = sight_of(configuration, state_dir=platform.state_dir)
    gate = Gate(platform, terms, slo_dir.resolve().parent, slo_dir, sight)
    asked = _ask_policy(gate)
    try:
        lock = take_lock(platform.state_dir, title)
    except PlatformError as error:  # what the other run does to the platform is its own business: no more is looked at
        raise PlatformError("; ".join([str(error), *asked.refusals])) from error
    try:
        refusals = [*gate.safety(), *asked.refusals]
        if refusals:
            raise PlatformError("; ".join(refusals))
        run = _registered(platform, title, terms, asked)
    except BaseException:
        lock.release()
        raise
    return Admitted(platform, run, terms, slo_dir, lock, sight)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the policy said: `refusals` that hold, or those that were `overridden` because of `why`."""

    refusals: list[str]
    notes: list[str]
    overridden: list[str]
    why: str


def _ask_policy(gate: Gate) -> _Asked:
    against, notes = gate.policy()
    why = os.environ.get(OVERRIDE, "").strip()
    return _Asked([], notes, against, why) if why else _Asked(against, notes, [], "")


def _registered(platform: Platform, title: str, terms: Terms, asked: _Asked) -> Run:
    if not watches(platform.state_dir):
        start_watchdog(platform)
    me, ledger = psutil.Process(), Ledger(platform.state_dir)
    process = ProcessRef(me.pid, me.create_time())
    run = Run(f"r-{uuid.uuid4().hex[:8]}", process, title, terms.radius, time.time() + terms.deadline_s)
    ledger.append(run_begin(run, at=time.time()))
    whose = {"run": run.run_id, "pid": me.pid}
    if asked.overridden:
        detail = {**whose, "reason": asked.why, "refusals": asked.overridden}
        ledger.append(LedgerRecord(time.time(), "gate_overridden", detail=detail))
    if asked.notes:
        ledger.append(LedgerRecord(time.time(), "gate_passed", detail={**whose, "notes": asked.notes}))
    return run
