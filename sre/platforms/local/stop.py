"""Ends a local platform and everything it started, in whatever condition it is.

An orderly stop is the supervisor's own work. What it leaves behind (because it was killed, because its state file is
gone, because a stub outlived its server) is found by the marks in each process's environment and by the platform id in
shared-memory names. Evidence (logs, events, ledger, samples) stays; only what would confuse the next start is removed.
"""

from __future__ import annotations

import itertools
import os
import re
import time
from pathlib import Path

import psutil

from serving.fleet.shm import remove_segments
from sre.errors import PlatformError
from sre.platforms.model import DownReport
from sre.platforms.processes import MarkedProcess, find, kill_all, marked, wait_gone
from sre.platforms.state import STATE_FILE, LocalState, NotUp, read_state

STALE_FILES = (STATE_FILE, "spec.json", "gateway.json", "recorder.json", "control.json", "autoscale.json")
LOCK_FILE = "up.lock"
SUPERVISOR_MODULE = "serving.fleet"
WATCHDOG_MODULE = "sre.chaos.leases.watchdog"
WATCHDOG_LEAVES_S = 10.0
_SAFE_ID = re.compile(r"[A-Za-z0-9]{6,32}")
_ROUNDS = 5


def down(state_dir: Path, *, timeout_s: float = 20.0) -> DownReport:
    """Stop the platform in `state_dir`; idempotent. `timeout_s` is the supervisor's time for an orderly stop.

    Raises PlatformError when a process of ours survives SIGKILL.
    """
    state_dir = state_dir.resolve()
    state, notes = _last_known(state_dir)
    platform_id = None if state is None else state.platform_id
    found = marked(state_dir, platform_id)
    ids = {p.platform_id for p in found} | ({platform_id} if platform_id else set())
    _dismiss([p.process for p in found if _runs(p.process, WATCHDOG_MODULE)])
    supervisors = _supervisors(state, found)
    notes.extend(_stop_orderly(supervisors, timeout_s=timeout_s))
    orphans = _kill_marked(state_dir, platform_id)
    ids.update(p.platform_id for p in orphans)
    segments = [name for mark in sorted(ids) if _SAFE_ID.fullmatch(mark) for name in remove_segments(f"sre-{mark}-")]
    if is_state_dir(state_dir):
        for name in STALE_FILES:
            (state_dir / name).unlink(missing_ok=True)
    was_up = bool(supervisors or found)
    return DownReport(was_up, tuple(p.label for p in orphans), tuple(segments), tuple(notes))


def is_state_dir(directory: Path) -> bool:
    """Whether `up` once used this directory: only then may files in it be removed by name."""
    return (directory / LOCK_FILE).exists()


def _last_known(state_dir: Path) -> tuple[LocalState | None, list[str]]:
    try:
        return read_state(state_dir), []
    except NotUp:
        return None, []
    except PlatformError as error:
        return None, [f"state ignored, processes searched by their marks instead: {error}"]


def _supervisors(state: LocalState | None, found: list[MarkedProcess]) -> list[psutil.Process]:
    """The noted supervisor if it lives, else whoever among the marked processes runs the supervisor's module."""
    noted = find(state.supervisor) if state is not None else None
    if noted is not None:
        return [noted]
    return [p.process for p in found if _runs(p.process, SUPERVISOR_MODULE)]


def _runs(process: psutil.Process, module: str) -> bool:
    try:
        argv = process.cmdline()
    except psutil.Error:
        return False
    return any(pair == ("-m", module) for pair in itertools.pairwise(argv))


def _dismiss(watchdogs: list[psutil.Process]) -> None:
    """Ask them to leave while the platform is still there: they undo first what is open. Who stays is an orphan."""
    for process in watchdogs:
        try:
            process.terminate()
        except psutil.Error:
            continue
    deadline = time.monotonic() + WATCHDOG_LEAVES_S
    for process in watchdogs:
        wait_gone(process, timeout_s=max(0.0, deadline - time.monotonic()))
        _collect(process.pid)


def _stop_orderly(supervisors: list[psutil.Process], *, timeout_s: float) -> list[str]:
    for process in supervisors:
        try:
            process.terminate()
        except psutil.Error:
            continue
    deadline = time.monotonic() + timeout_s
    late = [p for p in supervisors if wait_gone(p, timeout_s=max(0.0, deadline - time.monotonic())) is None]
    kill_all(late)
    for process in supervisors:
        _collect(process.pid)
    return [f"supervisor ({p.pid}) did not stop within {timeout_s:g} s and was killed" for p in late]


def _collect(pid: int) -> None:
    """Take the exit status of our own child, so that no zombie stays for as long as we live."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _kill_marked(state_dir: Path, platform_id: str | None) -> list[MarkedProcess]:
    """Kill until a scan finds nothing: a process may start another between being seen and being killed."""
    killed: list[MarkedProcess] = []
    for _ in range(_ROUNDS):
        found = marked(state_dir, platform_id)
        if not found:
            return killed
        kill_all(p.process for p in found)
        killed.extend(found)
    left = ", ".join(p.label for p in marked(state_dir, platform_id))
    if left:
        raise PlatformError(f"{state_dir}: still running after SIGKILL: {left}: see their state in `ps`")
    return killed
