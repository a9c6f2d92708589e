"""Runs one local platform: replicas, gateway, Prometheus, sidecars; from the first process to the last.

The supervisor is the only parent, so nothing outlives it: an orderly stop ends every child, and a `kill -9` takes them
along (see `process.py`). It speaks to others through `state.json` and `events.jsonl` alone.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from serving.engine import triton
from serving.engine.inference import probe
from serving.errors import EnvironmentLacks, ServingError
from serving.fleet import observers
from serving.fleet.gateway import GATEWAY_DRAIN_S, gateway_config
from serving.fleet.journal import Journal
from serving.fleet.model import EndpointInfo, PlatformSpec, PlatformState, ProcessInfo, ReplicaInfo, StateFiles
from serving.fleet.ports import HOST, free_ports, require_free
from serving.fleet.process import (
    PLATFORM_ID,
    STATE_DIR,
    Child,
    adopt_orphans,
    creation_time,
    last_lines,
)
from serving.fleet.replica import ReplicaKeeper

PROBE_TIMEOUT_S = 2.0
READY_POLL_S = 0.1
GATEWAY_GRACE_S = GATEWAY_DRAIN_S + 2.0  # else it is killed before it has counted what it had to cut
OBSERVER_GRACE_S = 3.0


def plan(spec: PlatformSpec, *, platform_id: str, started_at: float) -> PlatformState:
    """Choose ports and lay out the state of a platform that has not started yet."""
    if spec.port:
        require_free(spec.port)
    ports = [port for port in free_ports(spec.replicas * 3 + 3) if port != spec.port]
    gateway_port = spec.port or ports.pop()
    state = PlatformState(
        platform_id=platform_id,
        started_at=started_at,
        supervisor=ProcessInfo("supervisor", "ready", os.getpid(), creation_time(os.getpid())),
        gateway=EndpointInfo("gateway", url=f"http://{HOST}:{gateway_port}"),
        spec=spec,
    )
    for index in range(spec.replicas):
        http, grpc, metrics = ports.pop(), ports.pop(), ports.pop()
        state.replicas.append(
            ReplicaInfo(
                f"llm-{index}",
                http_url=f"http://{HOST}:{http}",
                grpc_address=f"{HOST}:{grpc}",
                metrics_url=f"http://{HOST}:{metrics}/metrics",
            )
        )
    if spec.prometheus == "auto" and observers.find_prometheus():
        state.prometheus = EndpointInfo("prometheus", url=f"http://{HOST}:{ports.pop()}")
    return state


@dataclass(slots=True)
class Supervisor:
    """One platform's life. `now` is Unix time in seconds."""

    files: StateFiles
    spec: PlatformSpec
    now: Callable[[], float] = time.time
    start_timeout_s: float = 90.0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _keepers: list[ReplicaKeeper] = field(default_factory=list)
    _children: list[tuple[Child, float]] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, serve until `stop` is set or the gateway dies, stop everything.

        Raises ServingError when the platform cannot start or the gateway dies; the state file then says why.
        """
        adopt_orphans()
        platform_id = os.environ.get(PLATFORM_ID) or uuid.uuid4().hex[:8]
        state = plan(self.spec, platform_id=platform_id, started_at=self.now())
        journal = Journal(self.files, state, now=self.now)
        journal.event("platform_starting")
        try:
            await self._start(journal, stop)
            if not stop.is_set():
                state.phase = "ready"
                journal.event("platform_ready")
                await self._serve(journal, stop)
        except (ServingError, OSError) as error:
            state.phase, state.error = "failed", str(error)
            raise
        finally:
            await self._stop_all(journal)

    async def _start(self, journal: Journal, stop: asyncio.Event) -> None:
        state = journal.state
        self._keepers = self._make_keepers(journal)
        self._tasks = [asyncio.create_task(keeper.run(), name=keeper.info.name) for keeper in self._keepers]
        await self._start_gateway(journal)
        await self._start_observers(journal)
        deadline = self.now() + self.start_timeout_s
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2.0)) as session:
            while not stop.is_set():
                self._raise_if_dead(*(child for child, _ in self._children))
                replicas_up = all(r.state == "ready" for r in state.replicas)
                if replicas_up and await _replicas_in_rotation(session, state.gateway.url) >= len(state.replicas):
                    state.gateway.state = "ready"
                    journal.event("gateway_ready", pid=state.gateway.pid)
                    return
                if self.now() > deadline:
                    raise EnvironmentLacks(self._why_late(state))
                await asyncio.sleep(READY_POLL_S)

    def _make_keepers(self, journal: Journal) -> list[ReplicaKeeper]:
        install = triton.find_triton()
        backends = triton.prepare_backends(install, self.files.root / "backends")
        state = journal.state
        keepers = []
        for info in state.replicas:
            repository = triton.write_model_repository(
                self.files.root / "models" / info.name,
                profile=self.spec.profile,
                time_scale=self.spec.time_scale,
                replica=info.name,
            )
            shm_prefix = f"sre-{state.platform_id}-{info.name}-"  # llm-1 must not be a prefix of llm-10
            launch = triton.launch(
                install,
                name=info.name,
                http_port=_port(info.http_url),
                grpc_port=_port(info.grpc_address),
                metrics_port=_port(info.metrics_url.removesuffix("/metrics")),
                repository=repository,
                backends=backends,
                shm_prefix=shm_prefix,
            )
            keepers.append(
                ReplicaKeeper(
                    info=info,
                    launch=launch,
                    marks=self._marks(state),
                    shm_prefix=shm_prefix,
                    log=self.files.logs / f"{info.name}.log",
                    journal=journal,
                    probe=_probe,
                    now=self.now,
                )
            )
        return keepers

    async def _start_gateway(self, journal: Journal) -> None:
        state = journal.state
        config = self.files.root / "gateway.json"
        config.write_text(gateway_config(state), encoding="utf-8")
        child = await self._spawn(state, "gateway", (sys.executable, "-m", "serving.gateway", "--config", str(config)))
        state.gateway.pid, state.gateway.created = child.pid, child.created
        self._children.append((child, GATEWAY_GRACE_S))

    async def _start_observers(self, journal: Journal) -> None:
        state = journal.state
        targets = observers.scrape_targets(state)
        interval_s = self.spec.scrape_interval_s
        config = observers.recorder_config(targets, directory=self.files.samples, interval_s=interval_s)
        (self.files.root / "recorder.json").write_text(config, encoding="utf-8")
        for sidecar in self.spec.sidecars:
            child = await self._spawn(state, sidecar.name, sidecar.argv)
            if sidecar.name == "recorder":
                state.recorder = ProcessInfo("recorder", "ready", child.pid, child.created)
            self._children.append((child, OBSERVER_GRACE_S))
        binary = observers.find_prometheus()
        if state.prometheus is not None and binary is not None:
            directory = self.files.root / "prometheus"
            directory.mkdir(exist_ok=True)
            text = observers.prometheus_config(targets, interval_s=interval_s)
            (directory / "prometheus.yml").write_text(text, encoding="utf-8")
            argv = observers.prometheus_argv(binary, directory=directory, port=_port(state.prometheus.url))
            child = await self._spawn(state, "prometheus", argv)
            state.prometheus.pid, state.prometheus.created, state.prometheus.state = child.pid, child.created, "ready"
            self._children.append((child, OBSERVER_GRACE_S))
        journal.save()

    async def _serve(self, journal: Journal, stop: asyncio.Event) -> None:
        """Wait for `stop`. A dead gateway ends the platform with an error, as does a replica that can no longer be
        supervised; a dead observer is only recorded.
        """
        gateway, *watchers = (child for child, _ in self._children)
        observers_end = [asyncio.create_task(self._record_end(journal, child)) for child in watchers]
        ends = {asyncio.create_task(stop.wait()), asyncio.create_task(_wait(gateway))}
        await asyncio.wait({*ends, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in [*ends, *observers_end]:
            task.cancel()
        if not stop.is_set():
            self._raise_if_dead(gateway)

    async def _record_end(self, journal: Journal, child: Child) -> None:
        returncode = await child.wait()
        for info in (journal.state.prometheus, journal.state.recorder):
            if info is not None and info.pid == child.pid:
                info.state = "stopped"
        journal.event("observer_exited", pid=child.pid, process=child.name, returncode=returncode)

    def _raise_if_dead(self, *children: Child) -> None:
        for child in children:
            if child.returncode is not None:
                words = last_lines(self.files.logs / f"{child.name}.log")
                raise EnvironmentLacks(f"{child.name} exited with {child.returncode}: {words}")
        for task in self._tasks:
            if task.done() and (error := task.exception()) is not None:
                raise EnvironmentLacks(f"{task.get_name()} could not be supervised: {error}") from error

    def _why_late(self, state: PlatformState) -> str:
        late = [f"{k.info.name} ({k.last_words()})" for k in self._keepers if k.info.state != "ready"]
        what = f"not serving: {', '.join(late)}" if late else f"gateway at {state.gateway.url} sees too few replicas"
        return f"platform not ready after {self.start_timeout_s:g} s: {what}"

    async def _stop_all(self, journal: Journal) -> None:
        failed = journal.state.phase == "failed"
        if not failed:
            journal.state.phase = "stopping"
        try:
            journal.event("platform_stopping")
        finally:  # also when the disk is full
            await self._stop_processes()
        if not failed:
            journal.state.phase = "stopped"
        journal.event("platform_stopped")

    async def _stop_processes(self) -> None:
        for child, grace_s in self._children[:1]:  # the gateway first: it finishes what is in flight
            await child.stop(grace_s=grace_s)
        for task in self._tasks:
            task.cancel()
        observers_end = [child.stop(grace_s=grace_s) for child, grace_s in self._children[1:]]
        await asyncio.gather(*self._tasks, *observers_end, return_exceptions=True)

    async def _spawn(self, state: PlatformState, name: str, argv: tuple[str, ...]) -> Child:
        env = {**os.environ, **self._marks(state)}
        return await Child.spawn(name, argv, env=env, log=self.files.logs / f"{name}.log")

    def _marks(self, state: PlatformState) -> dict[str, str]:
        return {PLATFORM_ID: state.platform_id, STATE_DIR: str(self.files.root)}


async def _probe(grpc_address: str) -> None:
    await probe(grpc_address, PROBE_TIMEOUT_S)


async def _replicas_in_rotation(session: aiohttp.ClientSession, gateway_url: str) -> int:
    """How many replicas the gateway routes to now, by its own gauge; 0 while it does not answer."""
    try:
        async with session.get(f"{gateway_url}/metrics") as response:
            text = await response.text()
    except (aiohttp.ClientError, TimeoutError):
        return 0
    return sum(1 for line in text.splitlines() if line.startswith("sre_gateway_replica_up{") and line.endswith(" 1.0"))


async def _wait(child: Child) -> None:
    await child.wait()


def _port(address: str) -> int:
    return int(address.rsplit(":", 1)[1])


def state_files(spec_path: Path) -> StateFiles:
    """The state directory that holds `spec_path`."""
    return StateFiles(spec_path.resolve().parent)
