"""Replicas that die, freeze, err and are drained all the time, under load: no client notices."""

from __future__ import annotations

import asyncio
import random

import pytest
from fake_triton import text_of


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def workers(request):
    return request.param


SETTINGS = {
    "stall_min_s": 0.2,
    "stall_steps": 2,
    "probe_timeout_s": 0.3,
    "max_replays": 10,
    "max_attempts": 10,
    "budget_min_per_s": 1000.0,
}
PROMPT = "w2 slow w3 slow slow w2 slow w5"
ROUNDS = 10


async def trouble(world, chance):
    """One replica at a time: something bad happens to it, and is over after a while."""
    pool = world.gateway.pool
    for _ in range(ROUNDS):
        number = chance.randrange(len(world.replicas))
        replica, seen = world.replicas[number], pool.get(f"llm-{number}")
        kind = chance.choice(["kill", "freeze", "err", "drain"])
        if kind == "kill":
            await replica.kill()
        elif kind == "freeze":
            replica.freeze()
        elif kind == "err":
            replica.script = replica.probe_script = "stub"
        else:
            pool.drain(seen, 0.0)
        await asyncio.sleep(0.3)
        if kind == "kill":
            await replica.start()
        replica.thaw()
        replica.script = replica.probe_script = ""
        pool.undrain(seen)
        await asyncio.sleep(0.1)


async def load(world, until):
    """Requests one after the other; what each got."""
    seen = []
    while not until.done():
        seen.append(await world.stream(PROMPT, max_tokens=20))
    return seen


@pytest.mark.parametrize("seed", [1, 2])
async def test_no_client_notices_what_happens_to_the_replicas(start, seed):
    world = await start("", "", "", **SETTINGS)
    disturbance = asyncio.create_task(trouble(world, random.Random(seed)))
    loads = await asyncio.gather(*(load(world, disturbance) for _ in range(12)))
    await disturbance
    answers = [answer for seen in loads for answer in seen]
    assert all(answer.status == 200 for answer in answers)
    assert all(answer.done for answer in answers)
    assert {answer.text for answer in answers} == {text_of(12)}
    assert world.outcomes() == {"ok": len(answers)}
    assert world.value("replays_total", result="ok") > 0
    assert [replica.inflight for replica in world.gateway.pool] == [0, 0, 0]
    assert [replica.outstanding_tokens for replica in world.gateway.pool] == [0, 0, 0]
    await world.until(lambda: len(world.up()) == 3)
