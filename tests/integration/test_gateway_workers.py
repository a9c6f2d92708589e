"""Real Triton servers behind a gateway of two workers: a replica, a worker and the gateway itself are killed."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import aiohttp
import psutil
import pytest

from serving.engine.sampling import Sampling
from serving.engine.tokens import answer
from sre.errors import EnvironmentLacks
from sre.platforms.local import LocalPlatform, down, platform_spec, server_description, up
from sre.platforms.processes import marked

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
CLIENTS = 8
TOKENS = 96


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    try:
        server_description()
    except EnvironmentLacks as error:
        pytest.skip(str(error))
    state_dir = tmp_path_factory.mktemp("workers") / "state"
    spec = platform_spec(state_dir, port=0, replicas=2, prometheus="off", gateway_workers=2)
    try:
        yield up(spec, state_dir)
    finally:
        down(state_dir)
        assert marked(state_dir, None) == []


def gateway(platform: LocalPlatform) -> psutil.Process:
    ref = platform.state().gateway
    assert ref is not None
    return psutil.Process(ref.pid)


def count(platform: LocalPlatform, series: str) -> float:
    with urllib.request.urlopen(f"{platform.gateway_url}/metrics", timeout=5) as page:  # noqa: S310  (loopback)
        found = re.search(rf"^{re.escape(series)} (\S+)$", page.read().decode(), re.MULTILINE)
    assert found is not None, series
    return float(found[1])


async def client(url: str, number: int) -> str:
    """One streamed answer on a connection of its own: `ok` when every byte is the model's."""
    prompt = f"client {number} asks"
    body = {"model": "llm", "prompt": prompt, "max_tokens": TOKENS, "ignore_eos": True, "stream": True}
    text = ""
    try:
        async with aiohttp.ClientSession() as session, session.post(f"{url}/v1/completions", json=body) as response:
            async for line in response.content:
                if line.startswith(b"data: {"):
                    text += "".join(choice["text"] for choice in json.loads(line[6:]).get("choices", ()))
                elif line.startswith(b"data: [DONE]"):
                    whole = answer(prompt, Sampling(max_tokens=TOKENS, ignore_eos=True)).text()
                    return "ok" if text == whole else "wrong bytes"
    except aiohttp.ClientError:
        return "cut"
    return "no end"


def clients(platform: LocalPlatform) -> list[asyncio.Task[str]]:
    return [asyncio.create_task(client(platform.gateway_url, number)) for number in range(CLIENTS)]


def clients_of(worker: psutil.Process) -> int:
    """How many of this process's own connections a gateway worker holds."""
    ours = {connection.laddr for connection in psutil.Process().net_connections("tcp")}
    return sum(connection.raddr in ours for connection in worker.net_connections("tcp"))


async def soon(condition: Callable[[], bool], *, within_s: float = 60.0) -> None:
    async with asyncio.timeout(within_s):
        while not await asyncio.to_thread(condition):
            await asyncio.sleep(0.05)


async def streaming(platform: LocalPlatform) -> None:
    await soon(lambda: sum(platform.inflight().values()) == CLIENTS)


def all_serve(platform: LocalPlatform) -> bool:
    return all(replica.serving for replica in platform.replicas()) and len(gateway(platform).children()) == 2


async def test_a_killed_replica_is_not_noticed_by_the_clients_of_either_worker(platform: LocalPlatform) -> None:
    running = clients(platform)
    await streaming(platform)
    (victim,) = [replica for replica in platform.replicas() if replica.name == "llm-0"]
    assert victim.pid is not None
    os.kill(victim.pid, signal.SIGKILL)
    assert await asyncio.gather(*running) == ["ok"] * CLIENTS
    assert count(platform, 'sre_gateway_requests_total{outcome="ok"}') == CLIENTS
    await soon(lambda: all_serve(platform))


async def test_a_killed_worker_cuts_its_own_clients_and_nothing_it_counted_is_lost(platform: LocalPlatform) -> None:
    before = count(platform, 'sre_gateway_requests_total{outcome="ok"}')
    tokens = count(platform, 'sre_gateway_tokens_total{kind="generation"}')
    running = clients(platform)
    await streaming(platform)
    served = {worker.pid: clients_of(worker) for worker in gateway(platform).children()}
    assert sum(served.values()) == CLIENTS
    victim = max(served, key=lambda pid: served[pid])  # the kernel hands connections out as it likes
    cut, kept = served[victim], CLIENTS - served[victim]
    os.kill(victim, signal.SIGKILL)
    ends = await asyncio.gather(*running)
    assert sorted(ends) == ["cut"] * cut + ["ok"] * kept
    assert count(platform, 'sre_gateway_requests_total{outcome="ok"}') == before + kept
    lost = [count(platform, f'sre_gateway_requests_total{{outcome="{outcome}"}}') for outcome in ("truncated", "error")]
    assert sum(lost) == cut
    assert count(platform, 'sre_gateway_tokens_total{kind="generation"}') >= tokens + TOKENS * kept
    await soon(lambda: all_serve(platform))
    assert sum(platform.inflight().values()) == 0


async def test_a_killed_gateway_comes_back_with_new_workers_and_the_old_ones_are_gone(platform: LocalPlatform) -> None:
    dead = gateway(platform)
    orphans = dead.children()
    dead.kill()
    _, alive = await asyncio.to_thread(psutil.wait_procs, [dead, *orphans], timeout=10)
    assert alive == []
    events = Path(platform.state_dir / "events.jsonl")
    await soon(lambda: '"gateway_restarted"' in events.read_text())
    await soon(lambda: all_serve(platform))
    assert await asyncio.gather(*clients(platform)) == ["ok"] * CLIENTS
