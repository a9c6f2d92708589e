"""The processes that watch or steer the platform without serving a request: recorder, Prometheus, autoscaler.

None of them is worth a platform: the end of one is recorded, and the autoscaler is started again.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from serving.backoff import Backoff
from serving.fleet import observers
from serving.fleet.journal import Journal, write_atomically
from serving.fleet.model import AutoscalerInfo, PlatformSpec, ProcessInfo, StateFiles
from serving.fleet.plan import port_of
from serving.fleet.process import Child

GRACE_S = 3.0

Spawn = Callable[[str, Sequence[str]], Awaitable[Child]]


@dataclass(slots=True)
class Observing:
    """Owns them. `spawn(name, argv)` starts a marked child whose log is named after it; `now` is Unix time."""

    files: StateFiles
    journal: Journal
    spawn: Spawn
    now: Callable[[], float]
    _children: list[Child] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def start(self) -> None:
        """Start the sidecars and Prometheus; the targets are written already."""
        state = self.journal.state
        for sidecar in state.spec.sidecars:
            child = await self._start(sidecar.name, sidecar.argv)
            if sidecar.name == "recorder":
                state.recorder = ProcessInfo("recorder", "ready", child.pid, child.created)
        binary = observers.find_prometheus()
        if state.prometheus is not None and binary is not None:
            directory = self.files.prometheus
            text = observers.prometheus_config(interval_s=state.spec.scrape_interval_s)
            (directory / "prometheus.yml").write_text(text, encoding="utf-8")
            argv = observers.prometheus_argv(binary, directory=directory, port=port_of(state.prometheus.url))
            child = await self._start("prometheus", argv)
            state.prometheus.pid, state.prometheus.created, state.prometheus.state = child.pid, child.created, "ready"
        self.journal.save()

    def start_autoscaler(self, info: AutoscalerInfo) -> None:
        """Run it until `stop`, however often it ends."""
        self._tasks.append(asyncio.create_task(self._keep_autoscaler(info), name="autoscaler"))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(child.stop(grace_s=GRACE_S) for child in self._children), return_exceptions=True)

    def dead(self) -> Child | None:
        """One that has ended, or None: while the platform starts, that is a wrong installation."""
        return next((child for child in self._children if child.returncode is not None), None)

    async def _start(self, name: str, argv: Sequence[str]) -> Child:
        child = await self.spawn(name, argv)
        self._children.append(child)
        self._tasks.append(asyncio.create_task(self._record_end(child)))
        return child

    async def _record_end(self, child: Child) -> None:
        returncode = await child.wait()
        for info in (self.journal.state.prometheus, self.journal.state.recorder):
            if info is not None and info.pid == child.pid:
                info.state = "stopped"
        self.journal.event("observer_exited", pid=child.pid, process=child.name, returncode=returncode)

    async def _keep_autoscaler(self, info: AutoscalerInfo) -> None:
        config = self.files.root / "autoscale.json"
        write_atomically(config, autoscale_config(info, self.journal.state.spec, self.files))
        backoff = Backoff(first_s=1.0)
        while True:
            began = self.now()
            child = await self.spawn("autoscaler", (sys.executable, "-m", "serving.autoscale", "--config", str(config)))
            info.state, info.pid, info.created = "ready", child.pid, child.created
            self.journal.event("autoscaler_started", pid=child.pid, policy=info.policy)
            try:
                returncode = await child.wait()
            except asyncio.CancelledError:
                await child.stop(grace_s=GRACE_S)
                raise
            info.state, info.pid, info.created = "backoff", None, None
            self.journal.event("observer_exited", pid=child.pid, process="autoscaler", returncode=returncode)
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
