"""Keeps one Triton replica running: start, prove by a real inference, watch, restart with back-off."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serving.engine.triton import TritonLaunch
from serving.errors import ServingError
from serving.fleet.backoff import Backoff
from serving.fleet.journal import Journal
from serving.fleet.model import ReplicaInfo
from serving.fleet.process import Child, last_lines
from serving.fleet.shm import remove_segments

Probe = Callable[[str], Awaitable[None]]
PROBE_PAUSE_S = 0.15
STOP_GRACE_S = 6.0


@dataclass(slots=True)
class ReplicaKeeper:
    """Supervises one replica. `probe` does one real inference on a gRPC address and raises while it cannot."""

    info: ReplicaInfo
    launch: TritonLaunch
    marks: Mapping[str, str]
    shm_prefix: str
    log: Path
    journal: Journal
    probe: Probe
    now: Callable[[], float]
    start_timeout_s: float = 60.0
    backoff: Backoff = field(default_factory=Backoff)
    _child: Child | None = None

    async def run(self) -> None:
        """Loop until cancelled: one iteration is one life of the server process."""
        try:
            while True:
                served_s = await self._one_life()
                delay_s = self.backoff.next_delay(served_s=served_s)
                self.info.state = "backoff"
                self.journal.event("replica_restart_scheduled", replica=self.info.name, delay_s=delay_s)
                await asyncio.sleep(delay_s)
                self.info.restarts += 1
        finally:
            await self._stop()

    async def _one_life(self) -> float:
        """Start the server, wait for it to serve, then for its end. Returns the seconds it served."""
        child = await Child.spawn(self.info.name, self.launch.argv, env={**self.launch.env, **self.marks}, log=self.log)
        self._child = child
        self.info.state, self.info.pid, self.info.created = "starting", child.pid, child.created
        self.journal.event("replica_started", replica=self.info.name, pid=child.pid)
        ready = asyncio.create_task(self._until_ready(child))
        try:
            returncode = await child.wait()
        finally:
            ready.cancel()
            await asyncio.wait({ready})  # a stop that arrives here must not be taken for the end of `ready`
        if not ready.cancelled():
            ready.result()
        remove_segments(self.shm_prefix)
        served_s = 0.0 if self.info.ready_at is None else self.now() - self.info.ready_at
        self._record_exit(child, returncode)
        return served_s

    async def _until_ready(self, child: Child) -> None:
        deadline = self.now() + self.start_timeout_s
        while self.now() < deadline:
            try:
                await self.probe(self.info.grpc_address)
            except (ServingError, OSError, TimeoutError):
                await asyncio.sleep(PROBE_PAUSE_S)
                continue
            self.info.state = "ready"
            self.info.ready_at = self.now()
            self.journal.event("replica_ready", replica=self.info.name, pid=child.pid)
            return
        child.kill_session()  # a server that never serves is restarted rather than kept

    def _record_exit(self, child: Child, returncode: int) -> None:
        self.info.state, self.info.pid, self.info.created, self.info.ready_at = "stopped", None, None, None
        self._child = None
        self.journal.event("replica_exited", replica=self.info.name, pid=child.pid, returncode=returncode)

    async def _stop(self) -> None:
        child = self._child
        if child is None:
            return
        await child.stop(grace_s=STOP_GRACE_S)
        remove_segments(self.shm_prefix)
        self._record_exit(child, child.returncode if child.returncode is not None else -9)

    def last_words(self) -> str:
        return last_lines(self.log)
