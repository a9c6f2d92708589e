"""What can be seen of and done to a rehearsed platform: `model.VirtualPlatform` over the parts of a `Site`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp

from serving.engine.faults import Faults
from serving.errors import BadInput
from serving.fleet.membership import Membership
from serving.gateway.model import Job
from serving.loadgen.model import RequestRecord
from serving.loadgen.sse import error_message
from serving.rehearsal.exchange import VirtualSession
from serving.rehearsal.model import (
    Condition,
    Event,
    Inference,
    NetworkRules,
    Offer,
    Offered,
    PageMode,
    Part,
    ReplicaView,
)
from serving.rehearsal.server import Server
from serving.rehearsal.site import AUTOSCALER, Site
from serving.rehearsal.storms import Storm
from serving.rehearsal.ways import Ways


class Levers:
    """`records` are the drill's requests so far."""

    def __init__(self, site: Site, records: Callable[[], Sequence[RequestRecord]]) -> None:
        self._site = site
        self._records = records
        self._ways = Ways(site, self._inflight)
        self._storms: list[Storm] = []

    # what is seen

    def now(self) -> float:
        return self._site.clock.unix()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def replicas(self) -> tuple[ReplicaView, ...]:
        zones, inflight = self._site.spec.zones, self._inflight()
        return tuple(
            ReplicaView(
                info.name,
                info.state,
                info.rotation,
                info.serving,
                inflight.get(info.name, 0),
                zones.get(info.name, ""),
                info.restarts,
                info.ready_at,
            )
            for info in self._site.state.replicas
        )

    def desired_replicas(self) -> int:
        return self._site.state.desired_replicas

    def events(self) -> tuple[Event, ...]:
        return tuple(self._site.chronicle.events)

    def records(self) -> tuple[RequestRecord, ...]:
        return tuple(self._records())

    def condition(self, name: str, part: Part = "server") -> Condition:
        server = self._site.replicas.server(name)
        if server is None:
            return "gone"
        if part == "server" or server.condition() == "gone":
            return server.condition()
        return "gone" if server.stub is None else server.stub.condition

    def gateway_ready(self) -> bool:
        gateway = self._site.control.gateway
        return gateway is not None and gateway.is_ready

    def page(self, target: str) -> str | None:
        return self._site.pages.read(self._ways.page_url(target))

    async def infer(
        self, name: str, prompt: str, *, max_tokens: int = 8, deadline_at: float | None = None, timeout_s: float = 2.0
    ) -> Inference:
        sampling: dict[str, Any] = {
            "max_tokens": max_tokens,
            "ignore_eos": True,
            "priority": -1,
        }  # ahead of users' work, as live
        if deadline_at is not None:
            sampling["deadline_at"] = deadline_at
        job = Job("direct", "llm", prompt, sampling, max_tokens, len(prompt.split()))
        return await self._site.replicas.infer(name, job, timeout_s=timeout_s, is_heard=False)

    async def ask(self, prompt: str, *, max_tokens: int = 8, timeout_s: float = 20.0) -> Inference:
        began = self.now()
        body = json.dumps({"model": "llm", "prompt": prompt, "max_tokens": max_tokens}).encode()
        text, error = "", None
        try:
            async with asyncio.timeout(timeout_s), self.session().post("", data=body) as response:
                answer = await response.read()
                if response.status == 200:
                    text = str(json.loads(answer)["choices"][0]["text"])
                else:
                    error = f"HTTP {response.status}: {error_message(answer)}"
        except TimeoutError:
            error = f"no answer within {timeout_s:g} s"
        except (aiohttp.ClientError, OSError) as broken:
            error = str(broken) or type(broken).__name__
        return Inference(text, self.now() - began, error)

    def session(self) -> VirtualSession:
        """Clients of the gateway."""
        spec = self._site.spec
        return VirtualSession(self._site.reach, trip_s=2 * spec.latencies.client_s, headers=spec.client_headers)

    # processes

    def crash(self, name: str, part: Part = "server") -> None:
        server = self._living(name)
        if part == "server":
            server.kill_session()
        elif server.stub is not None:
            server.stub.kill()

    def freeze(self, name: str, part: Part = "server") -> None:
        server = self._living(name)
        if part == "server":
            server.freeze()
        elif server.stub is not None:
            server.stub.stop()

    def thaw(self, name: str, part: Part = "server") -> None:
        server = self._site.replicas.server(name)
        if server is not None and part == "server":
            server.thaw()
        elif server is not None:
            server.thaw_stub()

    def hold_restart(self, name: str) -> None:
        self._site.replicas.seat(name).may_start.clear()

    def release_restart(self, name: str) -> None:
        self._site.replicas.seat(name).may_start.set()

    def kill_gateway(self) -> None:
        if self._site.control.gateway is not None:
            self._site.control.gateway.kill_session()

    def stop_autoscaler(self) -> None:
        self._site.observer(AUTOSCALER).freeze()

    def start_autoscaler(self) -> None:
        self._site.observer(AUTOSCALER).thaw()

    def kill_autoscaler(self) -> None:
        self._site.observer(AUTOSCALER).kill_session()

    # engines and their network

    def faults(self, name: str) -> Faults:
        return self._site.replicas.seat(name).faults

    def set_faults(self, name: str, faults: Faults) -> None:
        seat = self._site.replicas.seat(name)
        seat.faults = faults
        server = seat.place.server
        if server is not None and server.stub is not None:
            server.stub.look_for_faults()

    def network(self, name: str, rules: NetworkRules | None) -> None:
        self._ways.network(name, rules)

    # observers

    def metrics(self, target: str, mode: PageMode, *, factor: float = 1.0, prefix: str = "") -> None:
        self._ways.metrics(target, mode, factor=factor, prefix=prefix)

    # load and size

    def offer(self, offer: Offer) -> Offered:
        storm = Storm(offer, self.session(), self._finished)
        self._storms.append(storm)
        return storm

    async def scale(self, replicas: int, *, reason: str = "") -> int:
        return await self._members().scale(replicas, reason=reason)

    async def drain(self, name: str, *, grace_s: float = 30.0, restart: bool = False, force: bool = False) -> None:
        await self._members().drain(name, grace_s=grace_s, restart=restart, force=force)

    async def undrain(self, name: str) -> None:
        await self._members().undrain(name)

    def end(self) -> None:
        """Nothing of a lever goes on."""
        self._ways.end()
        for storm in self._storms:
            storm.stop()

    # who is meant

    def _inflight(self) -> dict[str, int]:
        gateway = self._site.control.gateway
        core = gateway.core if gateway is not None and gateway.listens else None
        return {} if core is None else {replica.name: replica.inflight for replica in core.pool}

    def _finished(self) -> float:
        """Requests that the gateway has finished."""
        gateway = self._site.control.gateway
        return 0.0 if gateway is None or gateway.core is None else gateway.core.metrics.finished_requests

    def _living(self, name: str) -> Server:
        server = self._site.replicas.server(name)
        if server is None or server.returncode is not None:
            raise BadInput(f"replica {name!r} has no process now: wait until it has")
        return server

    def _members(self) -> Membership:
        if self._site.members is None:
            raise RuntimeError("the platform is not wired")
        return self._site.members
