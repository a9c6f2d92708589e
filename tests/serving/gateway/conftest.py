"""A gateway with scripted Tritons behind it. Test folders are no packages, hence the load by path.

The gateway runs in this process or, where a module asks for more `workers`, as a coordinator here and worker processes.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from serving.gateway.app import Gateway
from serving.gateway.config import GatewayConfig
from serving.gateway.workers.coordinator import Coordinator

_WITHIN_S = 10.0
_NESTED = ("health", "failover", "admission", "routing")
_SECTIONS = {name: GatewayConfig.model_fields[name].annotation for name in _NESTED}
FAST = {"probe_interval_s": 0.05, "probe_timeout_s": 1.0, "drain_timeout_s": 2.0}


def _load_fake() -> Any:
    if "fake_triton" not in sys.modules:
        spec = importlib.util.spec_from_file_location("fake_triton", Path(__file__).with_name("fake_triton.py"))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["fake_triton"] = module
        spec.loader.exec_module(module)
    return sys.modules["fake_triton"]


fake_triton = _load_fake()


def nested(settings: dict[str, Any]) -> dict[str, Any]:
    """Settings as `GatewayConfig` takes them: one that belongs to a section is put there, so that tests stay short."""
    fields: dict[str, Any] = {}
    for key, value in settings.items():
        owner = next((name for name, section in _SECTIONS.items() if key in section.model_fields), None)
        if owner is None:
            fields[key] = value
        else:
            fields.setdefault(owner, {})[key] = value
    return fields


@dataclass
class Events:
    """A streamed answer as received: the events' data, and whether `[DONE]` came."""

    status: int
    headers: Any
    data: list[dict[str, Any]] = field(default_factory=list)
    done: bool = False

    @property
    def text(self) -> str:
        return "".join(c.get("text") or c.get("delta", {}).get("content") or "" for c in self.choices)

    @property
    def choices(self) -> list[dict[str, Any]]:
        return [choice for chunk in self.data for choice in chunk.get("choices", [])]

    @property
    def finish_reasons(self) -> list[str]:
        return [c["finish_reason"] for c in self.choices if c["finish_reason"] is not None]


@dataclass
class World:
    """The running gateway and its replicas, with the few things tests ask of them."""

    gateway: Gateway | Coordinator
    replicas: list[Any]
    session: aiohttp.ClientSession

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}"

    def body(self, prompt: str, **more: Any) -> dict[str, Any]:
        return {"model": "llm", "prompt": prompt, "max_tokens": 8, **more}

    async def post(self, prompt: str, **more: Any) -> tuple[int, dict[str, Any], Any]:
        """A completion without streaming: status, body, headers."""
        async with self.session.post(f"{self.url}/v1/completions", json=self.body(prompt, **more)) as response:
            answer = response.status, await response.json(), response.headers
        await self.settle()
        return answer

    async def post_raw(self, data: bytes, path: str = "/v1/completions") -> tuple[int, dict[str, Any]]:
        async with self.session.post(f"{self.url}{path}", data=data) as response:
            answer = response.status, await response.json()
        await self.settle()
        return answer

    async def stream(self, prompt: str, **more: Any) -> Events:
        """A streamed completion, read to its end."""
        body = self.body(prompt, stream=True, **more)
        async with self.session.post(f"{self.url}/v1/completions", json=body) as response:
            events = parse_events(response.status, response.headers, await response.text())
        await self.settle()
        return events

    def listening(self) -> list[Any]:
        """The sockets that connections come from."""
        if isinstance(self.gateway, Coordinator):
            return self.gateway._listener._sockets
        return [listener for site in self.gateway._runner.sites for listener in site._server.sockets]

    async def settle(self) -> None:
        """Bring home what workers have counted."""
        if isinstance(self.gateway, Coordinator):
            await self.gateway.settle()

    async def get(self, path: str) -> tuple[int, str]:
        async with self.session.get(f"{self.url}{path}") as response:
            return response.status, await response.text()

    def value(self, name: str, **labels: str) -> float:
        """A sample of the gateway's registry; it must exist."""
        value = self.gateway.metrics.registry.get_sample_value(f"sre_gateway_{name}", labels)
        assert value is not None, f"{name}{labels} does not exist"
        return value

    def outcomes(self) -> dict[str, float]:
        """The requests counted so far, without the zeros."""
        names = ("ok", "error", "truncated", "rejected", "cancelled", "invalid")
        counts = {name: self.value("requests_total", outcome=name) for name in names}
        return {name: count for name, count in counts.items() if count}

    def up(self) -> list[str]:
        return [replica.name for replica in self.gateway.pool if replica.up]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(_WITHIN_S):
            while not condition():
                await asyncio.sleep(0.01)
                await self.settle()


def parse_events(status: int, headers: Any, text: str) -> Events:
    assert re.fullmatch(r"(data: [^\n]+\n\n)+", text), "every event is one data line and a blank one"
    events = Events(status, headers)
    for line in text.split("\n\n")[:-1]:
        assert not events.done, "nothing follows [DONE]"
        payload = line.removeprefix("data: ")
        if payload == "[DONE]":
            events.done = True
        else:
            events.data.append(json.loads(payload))
    return events


@pytest.fixture
def workers() -> int:
    """How many processes carry the bytes; a module that overrides it runs its cases against such a gateway."""
    return 1


@pytest.fixture
async def start(workers: int) -> AsyncIterator[Callable[..., Any]]:
    """`await start("script of llm-0", "script of llm-1", max_attempts=2)`: a world with these replicas, all up."""
    worlds: list[World] = []

    async def build(*scripts: str, wait: bool = True, **settings: Any) -> World:
        replicas = [fake_triton.FakeTriton(script) for script in scripts]
        for replica in replicas:
            await replica.start()
        each = settings.pop("replica", {})
        config = GatewayConfig(
            port=0,
            workers=workers,
            replicas=[{"name": f"llm-{n}", "grpc_address": r.address} | each for n, r in enumerate(replicas)],
            **nested(FAST | settings),
        )
        gateway = Gateway(config) if workers == 1 else Coordinator(config)
        world = World(gateway, replicas, aiohttp.ClientSession())
        worlds.append(world)
        await world.gateway.start()
        if wait:
            await world.until(lambda: len(world.up()) == len(replicas))
        return world

    yield build
    for world in worlds:
        await world.session.close()
        for replica in world.replicas:
            await replica.stop()
        await world.gateway.stop()
