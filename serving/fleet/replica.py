"""Keeps one Triton replica running: start, prove by a real inference, watch, restart with back-off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from serving.backoff import Backoff
from serving.engine.triton import TritonLaunch
from serving.errors import ServingError
from serving.fleet.cold_start import Check, StartChecks, Timeline, phases
from serving.fleet.journal import Journal
from serving.fleet.model import ProcessState, ReplicaInfo
from serving.fleet.process import Child, Process, last_lines
from serving.fleet.shm import remove_segments

ASK_PAUSE_S = 0.1
STOP_GRACE_S = 6.0


class Program(Protocol):
    """What a keeper runs, life after life."""

    async def spawn(self) -> Process: ...
    def clean(self) -> None:
        """Remove what a dead life left behind."""

    def last_words(self) -> str:
        """The end of its log, for an error message."""


@dataclass(frozen=True, slots=True)
class TritonProgram:
    """A Triton server: how it is launched, by which marks it is found, what its shared memory is named after."""

    name: str
    launch: TritonLaunch
    marks: Mapping[str, str]
    shm_prefix: str
    log: Path

    async def spawn(self) -> Process:
        return await Child.spawn(self.name, self.launch.argv, env={**self.launch.env, **self.marks}, log=self.log)

    def clean(self) -> None:
        remove_segments(self.shm_prefix)

    def last_words(self) -> str:
        return last_lines(self.log)


@dataclass(slots=True)
class ReplicaKeeper:
    """Supervises one replica. `draining` says that its end is wanted: then it is not restarted."""

    info: ReplicaInfo
    program: Program
    journal: Journal
    checks: StartChecks
    now: Callable[[], float]
    start_timeout_s: float = 60.0
    backoff: Backoff = field(default_factory=Backoff)
    draining: bool = False
    _child: Process | None = None

    async def run(self) -> None:
        """Loop until cancelled, or until a life ends while draining: one iteration is one life of the server."""
        try:
            while True:
                served_s = await self._one_life()
                if self.draining:
                    return
                delay_s = self.backoff.next_delay(served_s=served_s)
                self._enter("backoff")
                self.journal.event("replica_restart_scheduled", replica=self.info.name, delay_s=delay_s)
                await asyncio.sleep(delay_s)
                self.info.restarts += 1
        finally:
            await self._stop()

    def kill(self) -> None:
        """End the server and all it started, now (SIGKILL reaches a frozen one as well); `run` restarts it."""
        if self._child is not None:
            self._child.kill_session()

    def leave(self) -> None:
        """Show the replica as draining from now on, whatever its process does."""
        self.draining, self.info.state = True, "draining"

    def stay(self) -> None:
        """Take `leave` back."""
        self.draining, self.info.state = False, "starting" if self.info.ready_at is None else "ready"

    async def _one_life(self) -> float:
        """Start the server, wait for it to serve, then for its end. Returns the seconds it served."""
        spawned_at = self.now()
        child = self._child = await self.program.spawn()
        self.info.pid, self.info.created = child.pid, child.created
        self._enter("starting")
        self.journal.event("replica_started", replica=self.info.name, pid=child.pid)
        ready = asyncio.create_task(self._until_ready(child, spawned_at))
        try:
            returncode = await child.wait()
        finally:
            ready.cancel()
            await asyncio.wait({ready})  # a stop that arrives here must not be taken for the end of `ready`
        if not ready.cancelled():
            ready.result()
        self.program.clean()
        served_s = 0.0 if self.info.ready_at is None else self.now() - self.info.ready_at
        self._record_exit(child, returncode)
        return served_s

    async def _until_ready(self, child: Process, spawned_at: float) -> None:
        try:
            async with asyncio.timeout(self.start_timeout_s):
                live_at = await self._once(self.checks.live)
                stub_at = self.checks.stub_created(child.pid)
                ready_at = await self._once(self.checks.answers)
        except TimeoutError:
            child.kill_session()  # a server that never serves is restarted rather than kept
            return
        engine = await self.checks.engine_phases(self.info)
        self.info.ready_at = ready_at
        self._enter("ready")
        timed = phases(Timeline(spawned_at, stub_at, live_at, ready_at), engine)
        self.journal.event("replica_ready", replica=self.info.name, pid=child.pid, phases=timed)

    async def _once(self, check: Check) -> float:
        """Repeat the check until it holds; returns when it did."""
        while True:
            try:
                await check(self.info)
            except (ServingError, OSError):
                await asyncio.sleep(ASK_PAUSE_S)
            else:
                return self.now()

    def _enter(self, state: ProcessState) -> None:
        self.info.state = "draining" if self.draining else state

    def _record_exit(self, child: Process, returncode: int) -> None:
        self.info.pid, self.info.created, self.info.ready_at = None, None, None
        self._enter("stopped")
        self.info.routed(None)
        self._child = None
        self.journal.event("replica_exited", replica=self.info.name, pid=child.pid, returncode=returncode)

    async def _stop(self) -> None:
        child = self._child
        if child is None:
            return
        await child.stop(grace_s=STOP_GRACE_S)
        self.program.clean()
        self._record_exit(child, child.returncode if child.returncode is not None else -9)

    def last_words(self) -> str:
        return self.program.last_words()
