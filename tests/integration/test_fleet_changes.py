"""A platform of real Triton servers that changes while clients stream: scaled, drained, frozen, its gateway killed."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from sre.cost.allocation import replica_use
from sre.cost.model import ReplicaUse
from sre.errors import EnvironmentLacks, PlatformError
from sre.incidents.evidence import parse_platform_events, read_jsonl
from sre.metrics.files import RecordedSamples
from sre.metrics.model import Matcher, Selector
from sre.platforms.local import LocalPlatform, down, drain, platform_spec, scale, server_description, undrain, up
from sre.platforms.processes import marked

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
CLIENTS = 4
TOKENS = 48
UNHEALTHY_S = 3.0


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    try:
        server_description()
    except EnvironmentLacks as error:
        pytest.skip(str(error))
    state_dir = tmp_path_factory.mktemp("fleet") / "state"
    spec = platform_spec(state_dir, port=0, replicas=2, unhealthy_restart_s=UNHEALTHY_S, max_replicas=4)
    try:
        yield up(spec, state_dir)
    finally:
        down(state_dir)
        assert marked(state_dir, None) == []


@asynccontextmanager
async def light_load(url: str) -> AsyncIterator[Counter[str]]:
    """Clients that stream one answer after the other; the counter says how each ended."""
    seen: Counter[str] = Counter()
    stop = asyncio.Event()

    async def client(session: aiohttp.ClientSession, number: int) -> None:
        turn = 0
        while not stop.is_set():
            turn += 1
            seen[await _one(session, url, f"client {number} asks for the {turn}th time")] += 1

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session:
        tasks = [asyncio.create_task(client(session, number)) for number in range(CLIENTS)]
        try:
            yield seen
        finally:
            stop.set()
            await asyncio.gather(*tasks)


async def _one(session: aiohttp.ClientSession, url: str, prompt: str) -> str:
    body = {"model": "llm", "prompt": prompt, "max_tokens": TOKENS, "ignore_eos": True, "stream": True}
    words = 0
    try:
        async with session.post(f"{url}/v1/completions", json=body) as response:
            if response.status != 200:
                return f"HTTP {response.status} {await response.text()}"
            async for line in response.content:
                if line.startswith(b"data: {"):
                    event = json.loads(line[6:])
                    if "error" in event:
                        return f"cut: {event['error']}"
                    words += sum(len(choice["text"].split()) for choice in event.get("choices", ()))
                elif line.startswith(b"data: [DONE]"):
                    return "ok" if words == TOKENS else f"{words} tokens"
    except (aiohttp.ClientError, TimeoutError) as error:
        return type(error).__name__
    return "no end"


async def soon(condition: Callable[[], bool], *, within_s: float = 30.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.1)


def names(platform: LocalPlatform) -> list[str]:
    return sorted(replica.name for replica in platform.replicas())


def events(platform: LocalPlatform, name: str) -> list[dict[str, Any]]:
    lines = (platform.state_dir / "events.jsonl").read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == name]


def billed(platform: LocalPlatform) -> Sequence[ReplicaUse]:
    records = read_jsonl(platform.state_dir / "events.jsonl")
    return replica_use(parse_platform_events(records), end=time.time() + 3600)


def up_of(platform: LocalPlatform, replica: str, *, since: float) -> list[float]:
    found = RecordedSamples(platform.state_dir / "samples").series(
        Selector("up", (Matcher("replica", "=", replica),)), start=since, end=time.time() + 1
    )
    return [value for series in found for value in series.values.tolist()]


def in_prometheus(platform: LocalPlatform) -> set[str]:
    url = f"{platform.state().prometheus_url}/api/v1/targets?state=active"
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  (loopback)
        targets = json.load(answer)["data"]["activeTargets"]
    return {target["labels"]["replica"] for target in targets if "replica" in target["labels"]}


async def test_a_platform_changes_its_size_without_an_error_for_a_client(platform: LocalPlatform) -> None:
    async with light_load(platform.gateway_url) as seen:
        await asyncio.to_thread(scale, platform, 3)
        assert names(platform) == ["llm-0", "llm-1", "llm-2"]
        await soon(lambda: 1.0 in up_of(platform, "llm-2", since=0))
        await soon(lambda: platform.inflight().get("llm-2", 0) > 0)
        done = await asyncio.to_thread(drain, platform, "llm-0", grace_s=10)
        assert done.inflight_left == 0
        await asyncio.to_thread(undrain, platform, "llm-0")
        await asyncio.to_thread(scale, platform, 2)
        left_at = time.time()
        assert names(platform) == ["llm-0", "llm-1"]
        await asyncio.sleep(2.5)
    assert set(seen) == {"ok"}, seen
    assert seen["ok"] > 20
    assert up_of(platform, "llm-2", since=left_at + 1.5) == []
    assert 1.0 in up_of(platform, "llm-0", since=left_at)
    (life,) = [use for use in billed(platform) if use.replica == "llm-2"]
    assert life.end < left_at, "a replica that left is not paid for any more"
    if platform.state().prometheus_url:
        await soon(lambda: in_prometheus(platform) == {"llm-0", "llm-1"})


async def test_what_a_drain_cannot_finish_in_its_grace_goes_on_elsewhere(platform: LocalPlatform) -> None:
    async with light_load(platform.gateway_url) as seen:
        await soon(lambda: platform.inflight().get("llm-1", 0) > 0)
        await asyncio.to_thread(drain, platform, "llm-1", grace_s=0, restart=True)
    assert set(seen) == {"ok"}, seen
    assert [r.state for r in platform.replicas()] == ["ready", "ready"]


async def test_the_last_replica_that_serves_is_kept(platform: LocalPlatform) -> None:
    await asyncio.to_thread(drain, platform, "llm-0", grace_s=5)
    with pytest.raises(PlatformError, match="llm-1 is the last one that serves"):
        platform.drain("llm-1")
    await asyncio.to_thread(undrain, platform, "llm-0")


async def test_a_frozen_replica_is_replaced_while_its_clients_go_on(platform: LocalPlatform) -> None:
    async with light_load(platform.gateway_url) as seen:
        await soon(lambda: platform.inflight().get("llm-1", 0) > 0)
        (frozen,) = [r for r in platform.replicas() if r.name == "llm-1"]
        assert frozen.pid is not None
        os.kill(frozen.pid, signal.SIGSTOP)
        await soon(lambda: _replica(platform, "llm-1").serving is False, within_s=15)
        assert _replica(platform, "llm-1").state == "ready", "its process lives, so only `serving` may say otherwise"
        await soon(lambda: bool(events(platform, "replica_unhealthy")), within_s=30)
        await soon(lambda: _replica(platform, "llm-1").serving is True, within_s=60)
    assert set(seen) == {"ok"}, seen
    (told,) = events(platform, "replica_unhealthy")
    assert (told["replica"], told["pid"]) == ("llm-1", frozen.pid)
    assert told["detail"]["down_s"] >= UNHEALTHY_S
    assert _replica(platform, "llm-1").pid != frozen.pid


async def test_a_killed_gateway_is_back_on_its_port(platform: LocalPlatform) -> None:
    url, process = platform.gateway_url, platform.state().gateway
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    await soon(lambda: bool(events(platform, "gateway_restarted")))
    assert platform.gateway_url == url
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            if (answer := await _one(session, url, "are you back")) == "ok":
                break
            await asyncio.sleep(0.1)
    assert answer == "ok"
    assert platform.state().phase == "ready"


async def test_every_start_says_where_its_time_went(platform: LocalPlatform) -> None:
    for event in events(platform, "replica_ready"):
        phases = event["detail"]["phases"]
        assert next(iter(phases)) == "server_start"
        assert list(phases)[-1] == "first_inference"
        started = max(
            e["at"] for e in events(platform, "replica_started") if e["pid"] == event["pid"] and e["at"] < event["at"]
        )
        assert sum(phases.values()) == pytest.approx(event["at"] - started, abs=0.75)


def _replica(platform: LocalPlatform, name: str) -> Any:
    return next(replica for replica in platform.replicas() if replica.name == name)


def test_secrets_are_readable_by_their_owner_alone(platform: LocalPlatform) -> None:
    for name in ("control.json", "gateway.json"):
        assert Path(platform.state_dir / name).stat().st_mode & 0o077 == 0
