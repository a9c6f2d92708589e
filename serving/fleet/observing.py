"""The processes that watch or steer the platform without serving a request: recorder, Prometheus, autoscaler.

None of them is worth a platform: the end of one is recorded, and it is started again, ever more slowly while it goes on
ending. Only while the platform starts is an end a reason to give up: the installation is wrong then.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from serving.backoff import Backoff
from serving.fleet import observers
from serving.fleet.journal import Journal, write_atomically
from serving.fleet.model import AutoscalerInfo, PlatformSpec, ProcessInfo, StateFiles
from serving.fleet.plan import port_of
from serving.fleet.process import Process

GRACE_S = 3.0
FIRST_BACKOFF_S, MOST_BACKOFF_S, FORGIVEN_AFTER_S = 0.5, 5.0, 30.0

Spawn = Callable[[str, Sequence[str]], Awaitable[Process]]


@dataclass(slots=True)
class Observing:
    """Owns them. `spawn(name, argv)` starts a marked child whose log is named after it; `now` is Unix time.

    `write` leaves the autoscaler its configuration.
    """

    files: StateFiles
    journal: Journal
    spawn: Spawn
    now: Callable[[], float]
    write: Callable[[Path, str], None] = write_atomically
    _children: dict[str, Process] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _dead: Process | None = None

    async def start(self) -> None:
        """Start the sidecars and Prometheus; the targets are written already."""
        state = self.journal.state
        for sidecar in state.spec.sidecars:
            info = ProcessInfo(sidecar.name)
            if sidecar.name == "recorder":
                state.recorder = info
            await self._start(info, sidecar.argv)
        binary = observers.find_prometheus()
        if state.prometheus is not None and binary is not None:
            directory = self.files.prometheus
            text = observers.prometheus_config(interval_s=state.spec.scrape_interval_s)
            (directory / "prometheus.yml").write_text(text, encoding="utf-8")
            argv = observers.prometheus_argv(binary, directory=directory, port=port_of(state.prometheus.url))
            await self._start(state.prometheus, argv)
        self.journal.save()

    def start_autoscaler(self, info: AutoscalerInfo) -> None:
        """Run it until `stop`, however often it ends."""
        self._tasks.append(asyncio.create_task(self._keep_autoscaler(info), name="autoscaler"))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(
            *(child.stop(grace_s=GRACE_S) for child in self._children.values()), return_exceptions=True
        )

    def dead(self) -> Process | None:
        """One that has ended while the platform starts, or None: that is a wrong installation."""
        return self._dead

    async def _start(self, info: ProcessInfo, argv: Sequence[str]) -> None:
        """Its first life begins here: what cannot be started at all is an error of the platform's start."""
        await self._begin(info, argv)
        self._tasks.append(asyncio.create_task(self._keep(info, argv), name=info.name))

    async def _keep(self, info: ProcessInfo, argv: Sequence[str]) -> None:
        backoff = Backoff(first_s=FIRST_BACKOFF_S, cap_s=MOST_BACKOFF_S, forgive_after_s=FORGIVEN_AFTER_S)
        while True:
            began = self.now()
            await self._until_end(info)
            if self.journal.state.phase == "starting":
                self._dead = self._children[info.name]
            await asyncio.sleep(backoff.next_delay(served_s=self.now() - began))
            await self._begin(info, argv)
            self.journal.event("observer_restarted", pid=info.pid, process=info.name)

    async def _begin(self, info: ProcessInfo, argv: Sequence[str]) -> None:
        child = self._children[info.name] = await self.spawn(info.name, argv)
        info.state, info.pid, info.created = "ready", child.pid, child.created

    async def _until_end(self, info: ProcessInfo) -> None:
        child = self._children[info.name]
        returncode = await child.wait()
        info.state, info.pid, info.created = "backoff", None, None
        self.journal.event("observer_exited", pid=child.pid, process=info.name, returncode=returncode)

    async def _keep_autoscaler(self, info: AutoscalerInfo) -> None:
        config = self.files.root / "autoscale.json"
        self.write(config, autoscale_config(info, self.journal.state.spec, self.files))
        backoff = Backoff(first_s=1.0)
        while True:
            began = self.now()
            await self._begin(info, (sys.executable, "-m", "serving.autoscale", "--config", str(config)))
            self.journal.event("autoscaler_started", pid=info.pid, policy=info.policy)
            await self._until_end(info)
            await asyncio.sleep(backoff.next_delay(served_s=self.now() - began))
            info.restarts += 1


def autoscale_config(info: AutoscalerInfo, spec: PlatformSpec, files: StateFiles) -> str:
    """The content of `autoscale.json` (`serving.autoscale.config`)."""
    return json.dumps(
        {
            "policy": info.policy,
            "control": str(files.control),
            "metrics_port": port_of(info.url),
            "scrape_interval_s": spec.scrape_interval_s,
            "clock_factor": spec.autoscale_clock_factor,
        },
        indent=1,
    )
