"""A platform put together for a rehearsal: the supervisor's own parts, with virtual processes for them to keep."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from serving.errors import BadInput
from serving.fleet import observers
from serving.fleet.critical import Critical
from serving.fleet.gateway import Capacity, ControlAddress, gateway_config
from serving.fleet.gateway_keeper import GatewayKeeper
from serving.fleet.journal import Journal
from serving.fleet.launching import start_timeout_s
from serving.fleet.membership import Membership
from serving.fleet.model import PlatformSpec, PlatformState, Sidecar, StateFiles
from serving.fleet.observing import Observing, autoscale_config
from serving.fleet.plan import plan
from serving.fleet.process import Process
from serving.fleet.rotation import RotationWatch
from serving.fleet.routes import Routes
from serving.fleet.wiring import Parts
from serving.gateway.config import GatewayConfig, ReplicaConfig, parse_config
from serving.rehearsal.chronicle import Chronicle
from serving.rehearsal.clock import VirtualClock
from serving.rehearsal.gateway import ControlCalls, Gateway
from serving.rehearsal.model import OnScrape, VirtualSpec
from serving.rehearsal.observers import Around, AutoscalerProcess, Idle, Recorder, parse_autoscale_config
from serving.rehearsal.pages import Pages
from serving.rehearsal.replicas import Replicas
from serving.rehearsal.wire import Wire

_FILES = StateFiles(Path("rehearsal"))
_FIRST_PID, _FIRST_PORT = 1000, 20_000
_CONTROL = ControlAddress(1, "0" * 32)
RECORDER, AUTOSCALER = "recorder", "autoscaler"


class Site:
    """Create it in the virtual loop; `Supervisor` wires and runs it. `failed` is told of errors that are ours."""

    def __init__(
        self, spec: VirtualSpec, clock: VirtualClock, *, on_scrape: OnScrape, failed: Callable[[BaseException], None]
    ) -> None:
        self.spec = spec
        self.clock = clock
        self.platform = _rehearsed(spec.platform)
        self.pages = Pages()
        self.control = ControlCalls(clock)
        self.autoscaler_log: list[Mapping[str, Any]] = []
        self._pids, self._ports, self._ids = (itertools.count(first) for first in (_FIRST_PID, _FIRST_PORT, 1))
        self._on_scrape = on_scrape
        self._failed = failed
        self._processes: dict[str, Idle | Recorder | AutoscalerProcess] = {}
        self._targets: Sequence[observers.ScrapeTarget] = ()
        self.state = plan(self.platform, platform_id="rehearsal", started_at=clock.unix(), pick=self.pick)
        self.chronicle = Chronicle(_FILES, self.state, now=clock.unix)
        self.replicas = Replicas(spec, self.chronicle, self.pages, clock=clock, pids=self._pids)
        self.members: Membership | None = None
        self.routes: Routes | None = None

    def pick(self, count: int) -> list[int]:
        """Ports nobody has had."""
        return list(itertools.islice(self._ports, count))

    def wire(
        self,
        files: StateFiles,
        spec: PlatformSpec,
        journal: Journal,
        *,
        critical: Critical,
        now: Callable[[], float],
    ) -> Parts:
        """The parts of `serving.fleet.wiring`, over virtual processes."""
        holds = self.replicas.capacity()
        self.members = members = Membership(
            journal,
            keeper_of=self.replicas.keeper,
            gateway=self.control,
            capacity=holds,
            critical=critical,
            on_targets=self._retarget,
            pick=self.pick,
        )
        self.routes = Routes(journal, tell_gateway=members.tell_gateway, on_targets=self._retarget, now=now)
        return Parts(
            members=members,
            gateway=self._gateway_keeper(journal, holds, now),
            observing=Observing(files, journal, self._spawn, now, write=_not),
            watch=RotationWatch(
                journal, self.control, members, spec.unhealthy_restart_s, now, start_limit_s=start_timeout_s(spec)
            ),
            routes=self.routes,
            write_targets=self._retarget,
        )

    def observer(self, name: str) -> Idle | Recorder | AutoscalerProcess:
        """The recorder or the autoscaler. Raises BadInput when the platform has none."""
        if name not in self._processes:
            raise BadInput(f"rehearsal: the platform has no {name}")
        return self._processes[name]

    def reach(self) -> Gateway:
        """The gateway, as a client finds it. Raises OSError while nobody listens."""
        gateway = self.control.gateway
        if gateway is None or not gateway.listens:
            raise ConnectionRefusedError(111, f"Cannot connect to {self.state.gateway.url}")
        return gateway

    def _retarget(self) -> None:
        if self.members is not None:
            self._targets = observers.scrape_targets(self.state, self.members.scraped())

    # the gateway

    def _gateway_keeper(self, journal: Journal, holds: Capacity, now: Callable[[], float]) -> GatewayKeeper:
        async def answers(_url: str) -> bool:
            return self.control.gateway is not None and self.control.gateway.listens

        async def spawn() -> Process:
            gateway = self.control.gateway = self._gateway(self._gateway_config(holds))
            self.pages.put(f"{self.state.gateway.url}/metrics", gateway.page)
            return gateway

        return GatewayKeeper(
            self.state.gateway, journal=journal, spawn=spawn, last_words=lambda: "", now=now, ask=answers
        )

    def _gateway_config(self, holds: Capacity) -> GatewayConfig:
        written = parse_config(gateway_config(self.state, control=_CONTROL, capacity=holds), path="gateway.json")
        merged = {**written.model_dump(exclude_unset=True), **self.spec.gateway}
        return parse_config(json.dumps(merged), path="gateway of the rehearsal")

    def _gateway(self, config: GatewayConfig) -> Gateway:
        return Gateway(
            config,
            self._connect,
            pid=next(self._pids),
            clock=self.clock,
            start_s=self.spec.starts.gateway_start_s,
            ids=self._ids,
            failed=self._failed,
        )

    def _connect(self, config: ReplicaConfig) -> Wire:
        return self.replicas.connect(config.grpc_address or "")

    # observers

    async def _spawn(self, name: str, argv: Sequence[str]) -> Process:
        process: Idle | Recorder | AutoscalerProcess
        pid = next(self._pids)
        if name == AUTOSCALER:
            process = self._autoscaler(pid)
        elif name == RECORDER:
            process = Recorder(
                name,
                pid,
                self.clock,
                targets=lambda: self._targets,
                pages=self.pages,
                start_s=self.spec.starts.recorder_start_s,
                interval_s=self.platform.scrape_interval_s,
                on_scrape=self._on_scrape,
            )
        else:
            process = Idle(name, pid, self.clock)
        self._processes[name] = process
        return process

    def _autoscaler(self, pid: int) -> AutoscalerProcess:
        info = self.state.autoscaler
        if info is None:
            raise BadInput("rehearsal: the platform has no autoscaler")
        config = parse_autoscale_config(autoscale_config(info, self.platform, _FILES))
        process = AutoscalerProcess(
            pid,
            self.clock,
            config=config,
            start_s=self.spec.starts.autoscaler_start_s,
            around=self._around,
            log=self.autoscaler_log.append,
        )
        self.pages.put(f"{info.url}/metrics", process.page)
        return process

    def _around(self, goes_on: asyncio.Event) -> Around:
        async def scale(replicas: int, reason: str) -> int:
            if self.members is None:
                raise RuntimeError("the platform is not wired")
            return await self.members.scale(replicas, reason=reason)

        return Around(
            state=self.state.to_json, scale=scale, pages=self.pages, is_slow=self.replicas.is_silent, goes_on=goes_on
        )


def _rehearsed(spec: PlatformSpec) -> PlatformSpec:
    """The platform as it can be rehearsed: observed by a recorder, without Prometheus. Raises BadInput."""
    if spec.engine != "emulated":
        raise BadInput(f"rehearsal: engine is {spec.engine}: only the emulated engine can be rehearsed")
    has_recorder = any(sidecar.name == RECORDER for sidecar in spec.sidecars)
    sidecars = spec.sidecars if has_recorder else (*spec.sidecars, Sidecar(RECORDER, (RECORDER,)))
    return replace(spec, port=0, prometheus="off", gateway_workers=1, sidecars=sidecars)


def _not(_path: Path, _text: str) -> None:
    """Nobody reads it."""


@asynccontextmanager
async def no_listener(
    files: StateFiles, state: PlatformState, members: Membership, routes: Routes
) -> AsyncIterator[str]:
    """Levers call the parts themselves."""
    yield ""
