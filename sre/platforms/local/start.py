"""Starts a local platform and follows it until every replica serves, or until it is clear that it will not."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from serving.fleet.model import PlatformSpec
from sre.errors import EnvironmentLacks, PlatformError, SreError
from sre.platforms.interrupts import interrupts_held
from sre.platforms.local.describe import require_port, start_limit_s
from sre.platforms.local.platform import LocalPlatform
from sre.platforms.local.stop import LOCK_FILE, SUPERVISOR_MODULE, down, is_state_dir
from sre.platforms.processes import PLATFORM_ID, STATE_DIR, find, marked
from sre.platforms.spawn import last_lines, spawn
from sre.platforms.state import EVENTS_FILE, EventTail, LocalState, NotUp, read_state

Progress = Callable[[str], None]
PREVIOUS = "previous"
EVIDENCE = (EVENTS_FILE, "chaos.jsonl", "samples", "logs", "prometheus")
WRONG_USE = 2
_POLL_S = 0.1


def up(
    spec: PlatformSpec,
    state_dir: Path,
    *,
    on_progress: Progress = lambda _: None,
    timeout_s: float | None = None,
    detached: bool = True,
) -> LocalPlatform:
    """Start the platform and return when it serves. On failure or Ctrl-C nothing is left running.

    A detached platform outlives us; otherwise the kernel ends it with us (start it from the main thread then). The
    evidence of the platform before this one is kept in `previous/`. `timeout_s` None is what its engine may take.
    Raises PlatformError when one is up already,
    EnvironmentLacks when the port is taken or the platform does not come up.
    """
    state_dir = state_dir.resolve()
    _require_ours_or_empty(state_dir)
    _make(state_dir)
    with _alone(state_dir):
        _require_none_up(state_dir)
        require_port(spec.port)
        _put_evidence_aside(state_dir)
        (state_dir / "spec.json").write_text(spec.to_json(), encoding="utf-8")
        log = state_dir / "logs" / "supervisor.log"
        supervisor = _spawn_supervisor(state_dir, log=log, detached=detached)
        try:
            _follow(supervisor, state_dir, log=log, on_progress=on_progress, timeout_s=timeout_s or start_limit_s(spec))
        except BaseException:
            with interrupts_held():
                down(state_dir)
                supervisor.wait()
            raise
    supervisor.returncode = 0  # from here on its life is followed through state.json; keeps Popen from warning about it
    return LocalPlatform(state_dir)


def _make(state_dir: Path) -> None:
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(
            f"{state_dir}: no folder can be made there ({error.strerror}): choose another --state-dir"
        ) from error


@contextlib.contextmanager
def _alone(state_dir: Path) -> Iterator[None]:
    """Hold the state directory's start lock; the kernel frees it when we die."""
    with (state_dir / LOCK_FILE).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise PlatformError(f"{state_dir}: a platform is being started here right now: wait for it") from error
        yield


def _require_none_up(state_dir: Path) -> None:
    """Refuse when a supervisor lives; clear away what a crashed one left (its marks prove that it is ours)."""
    try:
        state: LocalState | None = read_state(state_dir)
    except PlatformError:
        state = None
    if state is not None and find(state.supervisor) is not None:
        raise PlatformError(
            f"{state_dir}: a platform is up already ({state.phase}, {state.gateway_url}): stop it with `sre down`, "
            "or choose another --state-dir"
        )
    if state is not None or marked(state_dir, None):
        down(state_dir)


def _require_ours_or_empty(state_dir: Path) -> None:
    """Evidence is moved by name, so a directory with such names that `up` never used is somebody else's."""
    foreign = [name for name in (*EVIDENCE, PREVIOUS) if (state_dir / name).exists()]
    if foreign and not is_state_dir(state_dir):
        raise PlatformError(
            f"{state_dir}: not a state directory of ours, yet it holds {', '.join(foreign)}: choose another --state-dir"
        )


def _put_evidence_aside(state_dir: Path) -> None:
    previous = state_dir / PREVIOUS
    present = [name for name in EVIDENCE if (state_dir / name).exists()]
    if not present:
        return
    shutil.rmtree(previous, ignore_errors=True)
    previous.mkdir()
    for name in present:
        (state_dir / name).rename(previous / name)


def supervisor_command(spec: Path) -> tuple[str, ...]:
    return (sys.executable, "-m", SUPERVISOR_MODULE, "--spec", str(spec))


def _spawn_supervisor(state_dir: Path, *, log: Path, detached: bool) -> subprocess.Popen[bytes]:
    env = {**os.environ, PLATFORM_ID: uuid.uuid4().hex[:8], STATE_DIR: str(state_dir)}
    return spawn(
        supervisor_command(state_dir / "spec.json"), env=env, log=log, dies_with_us=None if detached else signal.SIGTERM
    )


def _follow(
    supervisor: subprocess.Popen[bytes], state_dir: Path, *, log: Path, on_progress: Progress, timeout_s: float
) -> None:
    events = EventTail(state_dir)
    started = time.monotonic()
    while True:
        ended = supervisor.poll() is not None
        for event in events.new():
            line = _progress_line(event, time.monotonic() - started)
            if line:
                on_progress(line)
        state = _state_or_none(state_dir)
        if state is not None and state.phase == "ready" and not ended:
            return
        if ended:
            raise _failure(state, supervisor.returncode, log)
        if time.monotonic() - started > timeout_s:
            waiting = ", ".join(f"{r.name} {r.state}" for r in state.replicas) if state else "no state written"
            raise EnvironmentLacks(
                f"platform not ready after {timeout_s:g} s ({waiting}): see {state_dir / 'logs'}, or give it more time"
            )
        time.sleep(_POLL_S)


def _state_or_none(state_dir: Path) -> LocalState | None:
    try:
        return read_state(state_dir)
    except NotUp:
        return None


def _failure(state: LocalState | None, returncode: int, log: Path) -> SreError:
    """The supervisor's own reason, from its state file or else the end of its log. Exit code 2 means wrong use."""
    said = state.error if state is not None and state.error else None
    reason = said or last_lines(log, count=1).removeprefix(f"{SUPERVISOR_MODULE}: ") or "it said nothing"
    message = f"platform did not start (supervisor ended with {returncode}): {reason}; logs in {log.parent}"
    return SreError(message) if returncode == WRONG_USE else EnvironmentLacks(message)


def _progress_line(event: dict[str, Any], elapsed_s: float) -> str | None:
    name, replica = event.get("event"), event.get("replica")
    detail = event.get("detail") or {}
    lines = {
        "replica_started": f"{replica} started (pid {event.get('pid')})",
        "replica_ready": f"{replica} answers after {elapsed_s:.1f} s",
        "replica_exited": f"{replica} exited ({detail.get('returncode')})",
        "replica_restart_scheduled": f"{replica} starts again in {detail.get('delay_s', 0):g} s",
        "gateway_exited": f"gateway exited ({detail.get('returncode')})",
        "gateway_ready": f"gateway routes to every replica after {elapsed_s:.1f} s",
    }
    return lines.get(str(name))
