"""Owned child processes: each in its own session, marked in its environment, dying with the supervisor.

`kill -9` of the supervisor must leave nothing behind: children carry PR_SET_PDEATHSIG, and all they start in turn
carries the platform's mark in its environment, by which `sre down` finds it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psutil

if TYPE_CHECKING:
    import asyncio  # loaded where it is used, by the supervisor alone: every `sre` call reads the names below

PLATFORM_ID = "SRE_PLATFORM_ID"
STATE_DIR = "SRE_STATE_DIR"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_REAP_TIMEOUT_S = 2.0
_REAP_POLL_S = 0.01
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def at_parents_end(signum: signal.Signals) -> Callable[[], None] | None:
    """What a child runs between fork and exec so that the kernel sends it `signum` when we die; None without Linux."""
    libc = _LIBC
    if libc is None:
        return None
    parent = os.getpid()

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signum)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(143)

    return ask_kernel


def adopt_orphans() -> None:
    """Make this process the reaper of its descendants, so that a dead server's stubs stay in our tree (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def creation_time(pid: int) -> float | None:
    """Creation time of `pid` in Unix seconds; None when it is gone."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.Error:
        return None


class Process(Protocol):
    """What a keeper asks of a process it owns: `Child`, or a rehearsal's."""

    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def created(self) -> float | None: ...
    @property
    def returncode(self) -> int | None: ...
    async def wait(self) -> int: ...
    async def stop(self, *, grace_s: float) -> None: ...
    def kill_session(self) -> None: ...


class Child:
    """One running child process with its log file."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self.pid = process.pid
        self.created = creation_time(process.pid)
        self._session_ended = False

    @classmethod
    async def spawn(cls, name: str, argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> Child:
        """Start `argv` (no shell) in a session of its own, stdout and stderr appended to `log`."""
        import asyncio

        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                *argv,
                env=dict(env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                preexec_fn=at_parents_end(signal.SIGKILL),
            )
        return cls(name, process)

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end, then end what it left in its session. Returns its exit code."""
        returncode = await self._process.wait()
        await self._end_session()
        return returncode

    async def stop(self, *, grace_s: float) -> None:
        """SIGTERM, wait up to `grace_s`, then SIGKILL the whole session and wait for its end."""
        import asyncio

        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace_s)
        self.kill_session()
        await self.wait()

    def kill_session(self) -> None:
        """SIGKILL whatever still lives in the child's session (its process group has the child's pid).

        No effect once the session has ended: the number may be somebody else's by then.
        """
        if not self._session_ended:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    async def _end_session(self) -> None:
        """Kill what outlived the child and collect it: we are its reaper, and nobody else's `wait` asks for it."""
        import asyncio

        self.kill_session()
        self._session_ended = True
        deadline = time.monotonic() + _REAP_TIMEOUT_S
        while _orphans_left(self.pid) and time.monotonic() < deadline:
            await asyncio.sleep(_REAP_POLL_S)


def _orphans_left(group: int) -> bool:
    """Collect the dead of a process group that are our children; True while some of it still live."""
    try:
        while os.waitpid(-group, os.WNOHANG) != (0, 0):
            pass
    except ChildProcessError:
        return False
    return True


def last_lines(log: Path, count: int = 3, limit: int = 400) -> str:
    """The end of a log as one line, for an error message; empty when there is nothing."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 8192))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return " | ".join([line.strip() for line in lines if line.strip()][-count:])[-limit:]
