"""Runs one local platform from its first process to its last: replicas, gateway, observers, control API.

The supervisor is the only parent, so nothing outlives it: an orderly stop ends every child, and a `kill -9` takes them
along (see `process.py`). It tells others what happens through `state.json` and `events.jsonl`, and is told through its
control API. Who does what: `membership.py` the set of replicas, `replica.py` one of them, `gateway_keeper.py` the
gateway, `rotation.py` the comparison of the two, `observing.py` the rest.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from serving.errors import EnvironmentLacks, ServingError
from serving.fleet.control import control_api
from serving.fleet.critical import Critical
from serving.fleet.journal import Journal
from serving.fleet.launching import start_timeout_s
from serving.fleet.membership import Membership
from serving.fleet.model import PlatformSpec, PlatformState, StateFiles
from serving.fleet.plan import plan
from serving.fleet.process import PLATFORM_ID, adopt_orphans, last_lines
from serving.fleet.routes import Routes
from serving.fleet.wiring import Parts, wire

READY_POLL_S = 0.1
START_MARGIN_S = 30.0  # beyond one replica's own time: several share the machine, and the gateway proves them again


class Wire(Protocol):
    def __call__(
        self,
        files: StateFiles,
        spec: PlatformSpec,
        journal: Journal,
        *,
        critical: Critical,
        now: Callable[[], float],
    ) -> Parts: ...


Listen = Callable[[StateFiles, PlatformState, Membership, Routes], AbstractAsyncContextManager[str]]


@dataclass(slots=True)
class Supervisor:
    """One platform's life. `now` is Unix time in seconds. `wire` puts its parts together and `listen` opens its control
    API: a rehearsal has its own of both.
    """

    files: StateFiles
    spec: PlatformSpec
    now: Callable[[], float] = time.time
    wire: Wire = wire
    listen: Listen = control_api
    _critical: Critical = field(default_factory=Critical)

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, serve until `stop` is set or the platform cannot go on, stop everything.

        Raises ServingError when it cannot start or go on; the state file then says why.
        """
        adopt_orphans()
        platform_id = os.environ.get(PLATFORM_ID) or uuid.uuid4().hex[:8]
        state = plan(self.spec, platform_id=platform_id, started_at=self.now())
        journal = Journal(self.files, state, now=self.now)
        journal.event("platform_starting")
        try:
            async with AsyncExitStack() as stack:
                try:
                    await self.live(journal, stop, stack)
                except (ServingError, OSError) as error:
                    state.phase, state.error = "failed", str(error)
                    raise
                finally:
                    if state.phase != "failed":
                        state.phase = "stopping"
                    journal.event("platform_stopping")  # the stack is undone also when the disk is full
        finally:
            if state.phase != "failed":
                state.phase = "stopped"
            journal.event("platform_stopped")

    async def live(self, journal: Journal, stop: asyncio.Event, stack: AsyncExitStack) -> None:
        """Start the planned platform and serve; what is to be undone is on the stack. Raises like `run`."""
        parts = self.wire(self.files, self.spec, journal, critical=self._critical, now=self.now)
        await self._start(parts, journal, stack)
        await self._until_ready(parts, journal, stop)
        if stop.is_set():
            return
        journal.state.phase = "ready"
        journal.event("platform_ready")
        if journal.state.autoscaler is not None:
            parts.observing.start_autoscaler(journal.state.autoscaler)
        await self._until_any(stop)

    async def _start(self, parts: Parts, journal: Journal, stack: AsyncExitStack) -> None:
        """What is put on the stack is undone last to first: the gateway ends before the replicas it needs to drain."""
        stack.push_async_callback(_both, parts.members.stop, parts.observing.stop)
        stack.push_async_callback(parts.gateway.stop)
        parts.members.start()
        loops = (
            (parts.gateway.run(), "gateway"),
            (parts.watch.run(), "rotation watch"),
            (parts.routes.run(), "routes"),
        )
        for work, name in loops:
            stack.push_async_callback(_cancelled, self._critical.start(work, name=name))
        parts.write_targets()
        await parts.observing.start()
        await stack.enter_async_context(self.listen(self.files, journal.state, parts.members, parts.routes))

    async def _until_ready(self, parts: Parts, journal: Journal, stop: asyncio.Event) -> None:
        state = journal.state
        timeout_s = start_timeout_s(self.spec) + START_MARGIN_S
        deadline = self.now() + timeout_s
        while not stop.is_set():
            self._raise_if_dead(parts)
            if all(r.state == "ready" for r in state.replicas) and parts.watch.serving() >= len(state.replicas):
                state.gateway.state = "ready"
                journal.event("gateway_ready", pid=state.gateway.pid)
                return
            if self.now() > deadline:
                late = parts.members.late()
                what = (
                    f"not serving: {', '.join(late)}" if late else f"gateway {state.gateway.url} sees too few replicas"
                )
                raise EnvironmentLacks(f"platform not ready after {timeout_s:g} s: {what}")
            await asyncio.sleep(READY_POLL_S)

    async def _until_any(self, stop: asyncio.Event) -> None:
        """Wait for `stop`, or for the end of something that cannot be done without."""
        ends = {asyncio.create_task(stop.wait()), asyncio.create_task(self._critical.failure())}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in ends:
            task.cancel()
        if not stop.is_set():
            self._critical.raise_failure()

    def _raise_if_dead(self, parts: Parts) -> None:
        self._critical.raise_failure()
        dead = parts.observing.dead()
        if dead is not None:
            words = last_lines(self.files.logs / f"{dead.name}.log")
            raise EnvironmentLacks(f"{dead.name} exited with {dead.returncode}: {words}")


async def _both(*stops: Callable[[], Coroutine[Any, Any, None]]) -> None:
    await asyncio.gather(*(stop() for stop in stops), return_exceptions=True)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait({task})


def state_files(spec_path: Path) -> StateFiles:
    """The state directory that holds `spec_path`."""
    return StateFiles(spec_path.resolve().parent)
