"""The client's own deadline, wherever it passes."""

from __future__ import annotations

import asyncio
import json
import time

import pytest
from fake_triton import _ERRORS, text_of


async def ask(world, prompt, limit_ms, **more):
    url, headers = f"{world.url}/v1/completions", {"x-request-timeout-ms": str(limit_ms)}
    async with world.session.post(url, json=world.body(prompt, **more), headers=headers) as response:
        return response.status, await response.text()


def expired(world):
    return {s: world.value("expired_total", stage=s) for s in ("queue", "engine", "stream")}


async def test_the_deadline_reaches_the_engine_as_unix_time(start):
    world = await start("")
    before = time.time()
    assert (await ask(world, "w1", 60_000))[0] == 200
    deadline_at = json.loads(world.replicas[0].samplings[0])["deadline_at"]
    assert before + 60 <= deadline_at <= time.time() + 60


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "soon", "", "3600001", "99999999999999999999", "\u0663"])
async def test_a_deadline_that_makes_no_sense_is_refused(start, value):
    world = await start("")
    status, text = await ask(world, "w1", value)
    assert status == 400
    assert json.loads(text)["error"]["param"] == "x-request-timeout-ms"
    assert world.replicas[0].prompts == []


async def test_what_expires_in_the_queue_never_reaches_a_replica(start):
    world = await start("", replica={"max_seqs": 1})
    held = asyncio.create_task(world.post("pause w1"))
    await world.until(lambda: len(world.replicas[0].prompts) == 1)
    status, text = await ask(world, "late", 50)
    assert (status, json.loads(text)["error"]["code"]) == (504, "deadline_exceeded")
    world.replicas[0].release()
    await held
    assert world.replicas[0].prompts == ["pause w1"]
    assert expired(world) == {"queue": 1, "engine": 0, "stream": 0}
    assert world.outcomes() == {"ok": 1, "error": 1}


async def test_what_expires_before_its_first_token_is_504_and_cancelled_on_the_replica(start):
    world = await start("", "")
    status, text = await ask(world, "hang", 100, stream=True)
    assert (status, json.loads(text)["error"]["code"]) == (504, "deadline_exceeded")
    assert expired(world)["engine"] == 1
    assert sum(len(r.prompts) for r in world.replicas) == 1, "no other replica can help"
    await world.until(lambda: sum(r.cancelled for r in world.replicas) == 1)


async def test_what_the_engine_drops_for_its_deadline_is_504_and_not_retried(start, monkeypatch):
    monkeypatch.setitem(_ERRORS, "stub", "DEADLINE_EXCEEDED: 5 ms ago")
    world = await start("", "")
    status, text = await ask(world, "stub", 60_000)
    assert (status, json.loads(text)["error"]["code"]) == (504, "deadline_exceeded")
    assert expired(world)["engine"] == 1
    assert sum(len(r.prompts) for r in world.replicas) == 1
    assert len(world.up()) == 2


async def test_a_stream_past_its_deadline_ends_with_an_error_event(start):
    world = await start("")
    status, text = await ask(world, "w2 hang", 300, stream=True)
    *_, last = [json.loads(e[6:]) for e in text.split("\n\n")[:-1]]
    assert status == 200
    assert last["error"]["code"] == "deadline_exceeded"
    assert "[DONE]" not in text
    assert expired(world) == {"queue": 0, "engine": 0, "stream": 1}
    assert world.outcomes() == {"truncated": 1}
    await world.until(lambda: world.replicas[0].cancelled == 1)


async def test_a_body_that_is_not_complete_at_the_deadline_is_504(start):
    world = await start("")
    status, text = await ask(world, "w2 hang", 300)
    assert (status, json.loads(text)["error"]["code"]) == (504, "deadline_exceeded")
    assert expired(world)["stream"] == 1
    assert world.outcomes() == {"error": 1}


async def test_a_deadline_that_is_kept_changes_nothing(start):
    world = await start("")
    status, text = await ask(world, "w3", 60_000)
    assert (status, json.loads(text)["choices"][0]["text"]) == (200, text_of(3))
    assert expired(world) == {"queue": 0, "engine": 0, "stream": 0}
