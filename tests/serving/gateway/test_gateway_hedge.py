"""Second attempts for late first tokens."""

from __future__ import annotations

import asyncio

import pytest
from fake_triton import text_of

from serving.gateway.hedge import race
from serving.gateway.model import Piece

HEDGED = {"hedge_after_s": 0.05}


def hedges(world):
    return {result: world.value("hedges_total", result=result) for result in ("won", "lost")}


async def test_the_quicker_second_attempt_wins_and_the_first_is_cancelled(start):
    world = await start("hang", "", **HEDGED)
    events = [await world.stream("w3") for _ in range(2)]
    assert [e.text for e in events] == [text_of(3)] * 2
    assert "llm-0,llm-1" in {e.headers["x-sre-replicas"] for e in events}
    assert hedges(world)["won"] >= 1
    await world.until(lambda: world.replicas[0].cancelled >= 1)
    assert world.value("replica_inflight", replica="llm-0") == 0
    assert world.value("replica_requests_total", replica="llm-0", outcome="error") == 0
    assert world.outcomes() == {"ok": 2}


async def test_a_first_attempt_that_answers_after_all_wins_over_a_slower_second(start):
    world = await start("slow slow slow", "hang", **HEDGED)
    events = await world.stream("w3")
    assert (events.text, events.headers["x-sre-replicas"]) == (text_of(3), "llm-0,llm-1")
    assert hedges(world) == {"won": 0, "lost": 1}
    await world.until(lambda: world.replicas[1].cancelled == 1)
    assert sum(replica.inflight for replica in world.gateway.pool) == 0


async def test_a_quick_first_token_is_not_hedged(start):
    world = await start("", "", hedge_after_s=5.0)
    await world.stream("w3")
    assert hedges(world) == {"won": 0, "lost": 0}


async def test_when_the_first_fails_the_second_goes_on_alone(start):
    world = await start("slow slow stub", "slow slow slow slow", **HEDGED)
    events = [await world.stream("w3") for _ in range(2)]
    assert [e.text for e in events] == [text_of(3)] * 2
    assert world.value("replica_requests_total", replica="llm-0", outcome="error") >= 1


@pytest.mark.parametrize("settings", [{"budget_ratio": 0.0, "budget_min_per_s": 0.0}, {"max_attempts": 1}])
async def test_without_budget_or_attempts_there_is_no_second(start, settings):
    world = await start("slow slow slow", "slow slow slow", **HEDGED | settings)
    events = await world.stream("w3")
    assert events.text == text_of(3)
    assert "," not in events.headers["x-sre-replicas"]


async def test_a_client_that_leaves_ends_both_attempts(start):
    world = await start("hang", "hang", **HEDGED)
    request = asyncio.create_task(world.post("w1"))
    await world.until(lambda: all(replica.prompts for replica in world.replicas))
    request.cancel()
    await world.until(lambda: all(replica.cancelled for replica in world.replicas))
    assert sum(replica.inflight for replica in world.gateway.pool) == 0


async def test_what_the_model_refuses_is_not_asked_twice(start):
    world = await start("slow slow", "slow slow", **HEDGED)
    status, _, _ = await world.post("bad")
    assert status == 400
    assert world.outcomes() == {"invalid": 1}


class Contender:
    """An attempt that answers at once or never, and takes its time to end when cancelled."""

    def __init__(self, *, answers):
        self.answers = answers
        self.abandoned = False

    async def read(self):
        if self.answers:
            return Piece("a", None)
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.05)

    def abandon(self):
        self.abandoned = True


async def test_a_client_that_leaves_while_the_loser_ends_leaves_nothing_behind():
    first, second = Contender(answers=False), Contender(answers=True)

    async def hedge():
        return second

    running = asyncio.create_task(race(first, 0.0, hedge, lambda attempt, failure: None))
    await asyncio.sleep(0.03)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert first.abandoned
    assert second.abandoned
    await asyncio.sleep(0.05)


async def test_a_second_attempt_that_fails_too_has_not_won(start):
    world = await start("slow slow stub", "slow slow slow stub", max_attempts=2, **HEDGED)
    assert (await world.post("w3"))[0] == 502
    assert hedges(world) == {"won": 0, "lost": 1}
