"""Two workers are one gateway: one set of limits, one queue, one health, one page of metrics; and one may die."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from contextlib import asynccontextmanager

import aiohttp
import psutil
import pytest
from fake_triton import FakeTriton, text_of

from serving.errors import EnvironmentLacks
from serving.gateway.config import GatewayConfig
from serving.gateway.tenants import add_tenant
from serving.gateway.workers import coordinator
from serving.gateway.workers.coordinator import Coordinator

WITHIN_S = 15
CONTROL = {"port": 0, "token": "a-token-of-twenty-signs"}
TOKEN = {"Authorization": f"Bearer {CONTROL['token']}"}


@pytest.fixture
def workers():
    return 2


@pytest.fixture
async def serve(start, tmp_path):
    """As `start`, with tenants: the world, and their keys by name."""

    async def build(*scripts, tenants, **settings):
        path = tmp_path / "tenants.yaml"
        keys = {name: add_tenant(path, name, more) for name, more in tenants.items()}
        return await start(*scripts, tenants=str(path), **settings), keys

    return build


@asynccontextmanager
async def posted(world, prompt, key=None, **more):
    """A request on a connection of its own, hence at the worker with the fewest."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{world.url}/v1/completions", json=world.body(prompt, **more)) as response,
    ):
        yield response


@asynccontextmanager
async def streaming(world, *prompts, key=None):
    """Streams that have begun, spread over the workers."""
    begun = [begin(world, prompt, key) for prompt in prompts]
    streams = [await stream.__aenter__() for stream in begun]
    try:
        yield streams
    finally:
        for stream in begun:
            await stream.__aexit__(None, None, None)


@asynccontextmanager
async def begin(world, prompt, key):
    async with posted(world, prompt, key, stream=True) as response:
        first = await response.content.readuntil(b"\n\n")
        yield Stream(response, first)


class Stream:
    """What is read of a stream that has begun."""

    def __init__(self, response, first):
        self.response = response
        self.read = first

    async def text(self):
        """The whole answer."""
        async with asyncio.timeout(WITHIN_S):
            raw = self.read + await self.response.read()
        assert raw.endswith(b"data: [DONE]\n\n"), raw[-200:]
        return "".join(
            choice["text"]
            for event in raw.decode().split("\n\n")[:-2]
            for choice in json.loads(event.removeprefix("data: "))["choices"]
        )


async def ask(world, prompt="w1", key=None, **more):
    async with posted(world, prompt, key, **more) as response:
        return response.status, await response.json(), response.headers


def requests(world):
    return [seat.requests for seat in world.gateway.seats]


def kill(seat, number=signal.SIGKILL):
    os.kill(seat.pid, number)


async def test_connections_go_to_the_worker_with_the_fewest(start):
    world = await start("")
    async with streaming(world, *["w1 pause"] * 5):
        assert sorted(requests(world)) == [2, 3]
        world.replicas[0].release()


async def test_a_tenant_s_rate_limit_is_one_over_all_workers(serve):
    world, keys = await serve("", tenants={"a": {"requests_per_s": 0.1, "requests_burst": 2}})
    async with streaming(world, "w1 pause", "w1 pause", key=keys["a"]) as streams:
        assert requests(world) == [1, 1]
        left = [stream.response.headers["x-ratelimit-remaining-requests"] for stream in streams]
        assert left == ["1", "0"]
        for _ in range(2):
            status, _, headers = await ask(world, key=keys["a"])
            assert (status, headers["Retry-After"]) == (429, "10")
            assert headers["x-ratelimit-remaining-requests"] == "0"
        world.replicas[0].release()
    await world.settle()
    assert world.value("rejections_total", reason="rate_limit") == 2


@pytest.mark.parametrize("limit", [{"max_inflight": 2}, {}])
async def test_places_are_counted_over_all_workers(serve, limit):
    tenants = {"a": {} if limit else {"max_inflight": 2}}
    world, keys = await serve("", tenants=tenants, **limit)
    async with streaming(world, "w1 pause", "w1 pause", key=keys["a"]):
        assert requests(world) == [1, 1]
        status, _, headers = await ask(world, key=keys["a"])
        assert (status, "Retry-After" in headers) == (429, True)
        world.replicas[0].release()
    await world.until(lambda: requests(world) == [0, 0])
    assert (await ask(world, key=keys["a"]))[0] == 200


async def test_the_queue_is_one_and_ordered_by_priority(serve):
    tenants = {"gold": {"priority": -1}, "free": {"priority": 5}}
    world, keys = await serve("", tenants=tenants, replica={"max_seqs": 1})
    async with streaming(world, "w1 pause", key=keys["free"]):
        asked = []
        for depth, name in enumerate(("free", "gold", "free", "gold"), 1):
            asked.append(asyncio.create_task(ask(world, f"{name} {depth}", keys[name])))
            await world.until(lambda depth=depth: world.value("queue_depth") == depth)
        assert sorted(requests(world)) == [2, 3]
        world.replicas[0].release()
        assert [answer[0] for answer in await asyncio.gather(*asked)] == [200] * 4
    assert world.replicas[0].prompts[1:] == ["gold 2", "gold 4", "free 1", "free 3"]


async def test_a_hung_replica_is_left_by_the_streams_of_all_workers(start):
    world = await start("", "", stall_min_s=0.3, stall_steps=2, probe_timeout_s=0.3)
    async with streaming(world, *["w3 slow slow slow slow w3"] * 4) as streams:
        assert requests(world) == [2, 2]
        assert [replica.inflight for replica in world.gateway.pool] == [2, 2]
        world.replicas[0].freeze()
        assert [await stream.text() for stream in streams] == [text_of(6)] * 4
    await world.until(lambda: world.value("ejections_total", replica="llm-0", reason="stall") == 1)
    await world.settle()
    assert world.value("replays_total", result="ok") == 2
    world.replicas[0].thaw()


async def test_a_drain_over_the_control_api_moves_the_streams_of_all_workers(start):
    world = await start("", "", control=CONTROL)
    async with streaming(world, *["w3 slow slow slow w3"] * 4) as streams:
        assert requests(world) == [2, 2]
        control = f"http://127.0.0.1:{world.gateway.control_port}/control/replicas/llm-0/drain"
        async with world.session.post(control, json={"grace_s": 0}, headers=TOKEN) as response:
            assert response.status == 200
        await world.until(lambda: [replica.inflight for replica in world.gateway.pool] == [0, 4])
        assert [await stream.text() for stream in streams] == [text_of(6)] * 4
    await world.settle()
    assert world.value("replays_total", result="ok") == 2
    assert world.value("replica_requests_total", replica="llm-0", outcome="error") == 0


async def test_a_replica_that_joins_with_another_address_serves_both_workers(start):
    world = await start("", control=CONTROL)
    await asyncio.gather(*(ask(world) for _ in range(2)))
    moved = FakeTriton()
    await moved.start()
    world.replicas.append(moved)
    control = f"http://127.0.0.1:{world.gateway.control_port}/control/replicas"
    replicas = {"replicas": [{"name": "llm-0", "grpc_address": moved.address}]}
    async with world.session.put(control, json=replicas, headers=TOKEN) as response:
        assert response.status == 200
    await world.until(lambda: world.up() == ["llm-0"])
    assert [status for status, _, _ in await asyncio.gather(*(ask(world) for _ in range(2)))] == [200, 200]
    assert len(moved.prompts) == 2


async def test_a_deadline_that_passes_in_the_queue_is_counted_there(start):
    world = await start("", replica={"max_seqs": 1})
    async with streaming(world, "w1 pause"):
        headers = {"x-request-timeout-ms": "50"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{world.url}/v1/completions", json=world.body("late")) as response,
        ):
            assert (response.status, (await response.json())["error"]["code"]) == (504, "deadline_exceeded")
        world.replicas[0].release()
    await world.until(lambda: world.value("expired_total", stage="queue") == 1)


async def test_what_is_refused_while_its_body_is_on_the_way_is_refused_at_once(start):
    world = await start("", max_inflight=1)
    async with streaming(world, "w1 pause"):
        reader, writer = await asyncio.open_connection("127.0.0.1", world.gateway.port)
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
        assert b" 429 " in await asyncio.wait_for(reader.readline(), WITHIN_S)
        writer.close()
        world.replicas[0].release()


async def test_a_bad_body_and_a_full_gateway_are_one_refusal(start):
    world = await start("", max_inflight=1)
    async with streaming(world, "w1 pause"):
        async with world.session.post(f"{world.url}/v1/completions", data=b"{") as response:
            assert response.status == 400
        world.replicas[0].release()
    await world.until(lambda: requests(world) == [0, 0])
    assert world.gateway.core.gate.inflight == 0


async def test_one_page_sums_what_all_workers_counted(start):
    world = await start("")
    answers = await asyncio.gather(*(ask(world, "w4") for _ in range(6)))
    assert [status for status, _, _ in answers] == [200] * 6
    for _ in range(2):
        async with aiohttp.ClientSession() as session, session.get(f"{world.url}/metrics") as response:
            page = await response.text()
        assert 'sre_gateway_requests_total{outcome="ok"} 6.0' in page
        assert 'sre_gateway_tokens_total{kind="generation"} 24.0' in page
        assert 'sre_gateway_e2e_seconds_bucket{le="+Inf"} 6.0' in page
        assert "sre_gateway_workers 2.0" in page
        assert len(re.findall("^# TYPE sre_gateway_requests_total ", page, re.MULTILINE)) == 1


async def test_a_killed_worker_takes_its_own_streams_with_it_and_no_others(start):
    world = await start("")
    first, second = world.gateway.seats
    await asyncio.gather(*(ask(world, "w2") for _ in range(2)))
    await world.until(lambda: first.connections == second.connections == 0)  # else luck decides who gets the next
    pids = [first.pid, second.pid]
    async with streaming(world, "w3 pause w3", "w3 pause w3") as (lost, kept):
        assert requests(world) == [1, 1]
        await world.until(lambda: world.value("tokens_total", kind="generation") == 10)
        kill(first)
        with pytest.raises(aiohttp.ClientError):
            await lost.response.read()
        await world.until(lambda: requests(world) == [0, 1])
        assert [replica.inflight for replica in world.gateway.pool] == [1]
        world.replicas[0].release()
        assert await kept.text() == text_of(6)
    await world.until(lambda: first.serves)
    assert [seat.pid for seat in world.gateway.seats] != pids
    assert second.pid == pids[1]
    assert world.outcomes() == {"ok": 3, "truncated": 1}
    assert world.value("tokens_total", kind="generation") == 13
    assert world.value("wasted_tokens_total") == 3
    assert world.value("worker_exits_total") == 1
    assert world.gateway.core.gate.inflight == 0
    assert (await asyncio.gather(*(ask(world) for _ in range(2))))[0][0] == 200


async def test_what_a_killed_worker_had_not_begun_to_answer_is_an_error_and_its_charge_is_given_back(serve):
    world, keys = await serve("", tenants={"a": {"tokens_per_min": 1, "tokens_burst": 100}}, replica={"max_seqs": 1})
    async with streaming(world, "w1 pause", key=keys["a"]) as (held,):
        queued = asyncio.create_task(ask(world, key=keys["a"], max_tokens=50))
        await world.until(lambda: world.value("queue_depth") == 1)
        kill(world.gateway.seats[1])
        with pytest.raises(aiohttp.ClientError):
            await queued
        await world.until(lambda: world.value("queue_depth") == 0)
        world.replicas[0].release()
        assert await held.text() == text_of(1)
    await world.until(lambda: world.outcomes() == {"ok": 1, "error": 1})
    assert world.value("tenant_requests_total", tenant="a", outcome="error") == 1
    _, _, headers = await ask(world, key=keys["a"], max_tokens=50)
    assert headers["x-ratelimit-remaining-tokens"] == "46"


async def test_without_any_worker_clients_wait_for_the_next(start):
    world = await start("")
    for seat in world.gateway.seats:
        kill(seat)
    await world.until(lambda: not any(seat.serves for seat in world.gateway.seats))
    async with asyncio.timeout(WITHIN_S):
        assert (await ask(world))[0] == 200


async def test_a_worker_that_is_late_itself_is_not_held_against_the_replicas(start):
    world = await start("", "", stall_min_s=0.4, stall_steps=2)
    async with streaming(world, "forever", "forever") as streams:
        kill(world.gateway.seats[0], signal.SIGSTOP)
        await asyncio.sleep(1.5)
        kill(world.gateway.seats[0], signal.SIGCONT)
        await asyncio.sleep(0.5)
        for replica in world.replicas:
            replica.release()
        for stream in streams:
            await stream.text()
    assert world.up() == ["llm-0", "llm-1"]
    assert {world.value("ejections_total", replica=r, reason="stall") for r in ("llm-0", "llm-1")} == {0}
    await world.until(lambda: world.outcomes() == {"ok": 2})


async def test_a_worker_that_hangs_is_replaced(start, monkeypatch):
    monkeypatch.setattr(coordinator, "_SILENT_BEATS", 20)
    world = await start("")
    seat = world.gateway.seats[0]
    hung = seat.pid
    kill(seat, signal.SIGSTOP)
    await world.until(lambda: seat.serves and seat.pid != hung)
    assert not psutil.pid_exists(hung)


async def test_a_replica_that_comes_back_is_used_by_all_workers_at_once(start):
    world = await start("")
    await asyncio.gather(*(ask(world) for _ in range(2)))
    await world.replicas[0].kill()
    await world.until(lambda: not world.up())
    await world.replicas[0].start()
    await world.until(lambda: world.up() == ["llm-0"])
    assert [status for status, _, _ in await asyncio.gather(*(ask(world) for _ in range(2)))] == [200, 200]
    assert world.value("ejections_total", replica="llm-0", reason="connect") == 1


async def test_a_worker_that_cannot_start_ends_the_gateway_with_the_reason(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    gateway = Coordinator(GatewayConfig(port=0, workers=2, replicas=[]))
    with pytest.raises(EnvironmentLacks, match="exited with 1 before it served"):
        await gateway.start()


async def test_stopping_leaves_no_process(start):
    world = await start("")
    pids = [seat.pid for seat in world.gateway.seats]
    await world.gateway.stop()
    assert not any(psutil.pid_exists(pid) for pid in pids)
