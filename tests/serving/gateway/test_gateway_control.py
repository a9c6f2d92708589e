"""The control API, and what clients notice of it: nothing."""

from __future__ import annotations

import asyncio

import pytest
from fake_triton import FakeTriton, text_of

TOKEN = "a-token-of-twenty-signs"  # noqa: S105
CONTROL = {"control": {"port": 0, "token": TOKEN}}


async def call(world, method, path="", *, token=TOKEN, **body):
    url = f"http://127.0.0.1:{world.gateway.control_port}/control/replicas{path}"
    headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
    async with world.session.request(method, url, headers=headers, **body) as response:
        return response.status, await response.json()


def entry(triton, name, **more):
    return {"name": name, "grpc_address": triton.address, **more}


async def states(world):
    _, answer = await call(world, "GET")
    return {replica["name"]: replica["state"] for replica in answer["replicas"]}


async def begun(world, prompt, tokens):
    """A stream that produced some tokens, and the number of its replica."""
    before = world.value("tokens_total", kind="generation")
    task = asyncio.create_task(world.stream(prompt, max_tokens=1000))
    await world.until(lambda: world.value("tokens_total", kind="generation") >= before + tokens)
    return task, next(n for n, replica in enumerate(world.replicas) if prompt in replica.prompts)


async def test_the_replicas_are_listed_with_what_a_supervisor_needs(start):
    world = await start("", **CONTROL)
    status, answer = await call(world, "GET")
    assert status == 200
    (replica,) = answer["replicas"]
    assert replica == entry(world.replicas[0], "llm-0") | {
        "state": "up",
        "inflight": 0,
        "outstanding_tokens": 0,
        "silent_s": 0,
        "down_s": 0,
    }


async def test_down_s_grows_while_a_replica_is_down(start):
    world = await start("", idle_probe_s=0.05, **CONTROL)
    await world.replicas[0].kill()
    await world.until(lambda: not world.up())
    await asyncio.sleep(0.05)
    _, answer = await call(world, "GET")
    assert answer["replicas"][0]["state"] == "down"
    assert answer["replicas"][0]["down_s"] >= 0.05


@pytest.mark.parametrize("token", [None, "", "a-token-of-twenty-signz", TOKEN + "x", "ключ"])
async def test_without_the_token_nothing_is_said_or_done(start, token):
    world = await start("", **CONTROL)
    assert (await call(world, "GET", token=token and token.encode().decode("latin-1")))[0] == 401
    status, answer = await call(world, "PUT", token=None, json={"replicas": []})
    assert (status, answer["error"]["code"]) == (401, "unauthorized")
    assert len(world.gateway.pool) == 1


async def test_the_public_listener_knows_no_control_api(start):
    world = await start("", **CONTROL)
    assert (await world.get("/control/replicas"))[0] == 404


async def test_without_a_control_section_there_is_no_such_listener(start):
    world = await start("")
    assert world.gateway.control_port == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("PUT", "", {"data": b"{"}, 400, "Invalid JSON"),
        ("PUT", "", {"json": {"replicas": [{"name": "a"}]}}, 400, "give either grpc_address"),
        ("PUT", "", {"json": {"replicas": [{"name": "a", "url": "http://127.0.0.1:1"}] * 2}}, 400, "unique"),
        ("POST", "/llm-0/drain", {"json": {"grace_s": -1}}, 400, "grace_s"),
        ("POST", "/llm-0/drain", {"json": {"grace": 1}}, 400, "grace: Extra"),
        ("POST", "/llm-9/drain", {}, 404, "no replica 'llm-9'"),
        ("POST", "/llm-9/undrain", {}, 404, "no replica 'llm-9'"),
        ("DELETE", "", {}, 405, "Method Not Allowed"),
    ],
)
async def test_a_wrong_call_gets_an_error_in_openais_shape(start, method, path, body, status, words):
    world = await start("", **CONTROL)
    got, answer = await call(world, method, path, **body)
    assert got == status
    assert words in answer["error"]["message"]
    assert len(world.up()) == 1


async def test_a_gateway_without_replicas_starts_and_gets_them_later(start):
    world = await start(**CONTROL)
    assert (await world.get("/ready"))[0] == 503
    triton = FakeTriton()
    await triton.start()
    world.replicas.append(triton)
    status, answer = await call(world, "PUT", json={"replicas": [entry(triton, "late", max_seqs=4)]})
    assert (status, answer["replicas"][0]["state"]) == (200, "down")
    await world.until(lambda: world.up() == ["late"])
    assert (await world.post("w1"))[0] == 200
    assert world.value("replica_up", replica="late") == 1


async def test_a_replica_removed_mid_stream_hands_its_stream_over(start):
    world = await start("", "", budget_ratio=0.0, budget_min_per_s=0.0, **CONTROL)
    task, removed = await begun(world, "w2 forever", 3)
    stays = 1 - removed
    await call(world, "PUT", json={"replicas": [entry(world.replicas[stays], f"llm-{stays}")]})
    await world.until(lambda: bool(world.replicas[stays].resumed))
    world.replicas[stays].release()
    events = await task
    assert (events.done, events.text) == (True, text_of(len(events.choices) - 1))
    assert await states(world) == {f"llm-{stays}": "up"}
    text = (await world.get("/metrics"))[1]
    assert f'sre_gateway_replica_up{{replica="llm-{removed}"}}' not in text
    await world.until(lambda: world.replicas[removed].cancelled == 1)


async def test_a_draining_replica_gets_no_new_work_and_finishes_what_it_has(start):
    world = await start("", "", **CONTROL)
    task, drained = await begun(world, "w2 pause w2", 2)
    status, _ = await call(world, "POST", f"/llm-{drained}/drain", json={"grace_s": 30})
    assert status == 200
    assert (await states(world))[f"llm-{drained}"] == "draining"
    answers = [await world.post("w1") for _ in range(4)]
    assert {headers["x-sre-replicas"] for _, _, headers in answers} == {f"llm-{1 - drained}"}
    world.replicas[drained].release()
    events = await task
    assert (events.done, events.text) == (True, text_of(4))
    assert world.value("replays_total", result="ok") == 0


async def test_what_does_not_finish_within_the_grace_moves_on_without_an_error_or_a_charge(start):
    world = await start("", "", budget_ratio=0.0, budget_min_per_s=0.0, max_replays=0, max_attempts=1, **CONTROL)
    streams = [await begun(world, f"w{n} forever", n) for n in range(1, 7)]
    held = asyncio.create_task(world.post("hang w1"))
    await world.until(lambda: any("hang w1" in replica.prompts for replica in world.replicas))
    drained = next(n for n, replica in enumerate(world.replicas) if "hang w1" in replica.prompts)
    await call(world, "POST", f"/llm-{drained}/drain", json={"grace_s": 0})
    await world.until(lambda: world.value("replica_inflight", replica=f"llm-{drained}") == 0)
    held.cancel()
    for replica in world.replicas:
        replica.release()
    events = [await task for task, _ in streams]
    assert all(e.done for e in events)
    assert [e.text for e in events] == [text_of(len(e.choices) - 1) for e in events]
    assert world.value("replays_total", result="ok") == sum(replica == drained for _, replica in streams)
    assert world.outcomes().keys() <= {"ok", "cancelled"}
    assert world.value("replica_requests_total", replica=f"llm-{drained}", outcome="error") == 0


async def test_undrain_gives_it_work_again(start):
    world = await start("", **CONTROL)
    await call(world, "POST", "/llm-0/drain")
    assert (await world.get("/ready"))[0] == 503
    await call(world, "POST", "/llm-0/drain", json={"grace_s": 1})
    _, answer = await call(world, "POST", "/llm-0/undrain", json={})
    assert answer["replicas"][0]["state"] == "up"
    assert (await world.post("w1"))[0] == 200


async def test_a_replica_removed_while_it_is_probed_leaves_the_watcher_alive(start):
    world = await start("", "", idle_probe_s=0.05, **CONTROL)
    world.replicas[1].freeze()
    seen = world.replicas[1].probes
    await world.until(lambda: world.replicas[1].probes > seen)
    await call(world, "PUT", json={"replicas": [entry(world.replicas[0], "llm-0")]})
    await asyncio.sleep(0.3)
    await world.replicas[0].kill()
    await world.until(lambda: not world.up())
    await world.replicas[0].start()
    await world.until(lambda: world.up() == ["llm-0"])


async def test_a_token_that_is_no_text_is_a_wrong_token(start):
    world = await start("", **CONTROL)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.gateway.control_port)
    writer.write(b"GET /control/replicas HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer \xff\r\n\r\n")
    assert b" 401 " in await reader.readline()
    writer.close()


async def test_a_body_in_a_wrong_encoding_is_refused(start):
    world = await start("", **CONTROL)
    url = f"http://127.0.0.1:{world.gateway.control_port}/control/replicas"
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Encoding": "gzip"}
    async with world.session.put(url, data=b"no gzip", headers=headers) as response:
        assert response.status == 400
        assert "cannot be decoded" in (await response.json())["error"]["message"]
