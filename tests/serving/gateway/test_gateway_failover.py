"""Replicas that fail after tokens were sent: the client's stream goes on, byte for byte."""

from __future__ import annotations

import asyncio
import json

import pytest
from fake_triton import text_of


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def workers(request):
    return request.param


def replays(world):
    return {result: world.value("replays_total", result=result) for result in ("ok", "failed", "refused")}


def serving(world, prompt):
    """The replica that got `prompt`."""
    return next(replica for replica in world.replicas if prompt in replica.prompts)


async def begun(world, prompt, tokens, **more):
    """A stream of which `tokens` tokens were produced, as a task."""
    before = world.value("tokens_total", kind="generation")
    task = asyncio.create_task(world.stream(prompt, **more))
    await world.until(lambda: world.value("tokens_total", kind="generation") >= before + tokens)
    return task


@pytest.mark.parametrize("fault", ["crash", "die", "stub", "eof", "junk"])
async def test_a_stream_goes_on_elsewhere_without_loss_or_repetition(start, fault):
    world = await start("", "")
    events = await world.stream(f"w4 {fault} w3")
    assert [c["text"] for c in events.choices] == [text_of(n)[len(text_of(n - 1)) :] for n in range(1, 8)] + [""]
    assert (events.finish_reasons, events.done) == (["length"], True)
    assert world.outcomes() == {"ok": 1}
    assert replays(world) == {"ok": 1, "failed": 0, "refused": 0}
    assert world.value("replayed_tokens_total", kind="prompt") == 3
    assert world.value("replayed_tokens_total", kind="generation") == 4
    assert world.value("tokens_total", kind="generation") == 7
    assert world.value("wasted_tokens_total") == 0


async def test_usage_is_that_of_an_unbroken_answer(start):
    world = await start("", "")
    events = await world.stream("w4 stub w3", stream_options={"include_usage": True})
    assert events.data[-1]["usage"] == {"prompt_tokens": 3, "completion_tokens": 7, "total_tokens": 10}


async def test_an_answer_without_streaming_is_continued_too(start):
    world = await start("", "")
    status, body, _ = await world.post("w2 stub w2")
    assert (status, body["choices"][0]["text"]) == (200, text_of(4))
    assert body["usage"]["completion_tokens"] == 4


async def test_what_was_sent_travels_with_the_replay(start):
    world = await start("", "")
    await world.stream("w4 stub w1")
    sampling = next(json.loads(s) for replica in world.replicas for s in replica.samplings if "resume" in s)
    assert sampling["resume"] == {"output_tokens": 4, "text": text_of(4)}
    assert sampling["priority"] == -1, "ahead of requests that have nothing yet"


async def test_an_answer_that_lacks_nothing_but_its_end_is_ended_without_a_replay(start):
    world = await start("", "")
    events = await world.stream("w8 stub", max_tokens=8)
    assert (events.text, events.finish_reasons, events.done) == (text_of(8), ["length"], True)
    assert not any(replica.resumed for replica in world.replicas)


async def test_two_deaths_in_a_row_cost_two_replays(start):
    world = await start("", "", "")
    events = await world.stream("w2 die w2 die w2")
    assert (events.text, events.done) == (text_of(6), True)
    assert replays(world)["ok"] == 2


async def test_a_replica_that_died_may_serve_again_once_it_came_up_anew(start):
    world = await start("", "")
    stream = await begun(world, "w2 pause w2 slow stub w2", 2)
    first = serving(world, "w2 pause w2 slow stub w2")
    other = next(replica for replica in world.replicas if replica is not first)
    await first.kill()
    await world.until(lambda: other.resumed == [2])
    await first.start()
    await world.until(lambda: len(world.up()) == 2)
    other.release()
    first.release()
    events = await stream
    assert (events.text, events.done) == (text_of(6), True)
    assert first.resumed == [4]


async def test_with_every_replica_dead_a_stream_waits_for_one_to_return(start):
    world = await start("", "")
    stream = await begun(world, "w3 pause w3", 3)
    for replica in world.replicas:
        await replica.kill()
    await world.until(lambda: not world.up())
    for replica in world.replicas:
        replica.release()
    await world.replicas[0].start()
    events = await stream
    assert (events.text, events.done) == (text_of(6), True)


async def test_a_stream_no_replica_takes_over_in_time_is_truncated_and_says_so(start):
    world = await start("", idle_timeout_s=0.2)
    events = await world.stream("w4 die")
    assert (events.status, events.text, events.done, events.finish_reasons) == (200, text_of(4), False, [])
    assert events.data[-1]["error"]["code"] == "stream_cut"
    assert "no other replica came up in time" in events.data[-1]["error"]["message"]
    assert world.outcomes() == {"truncated": 1}
    assert world.value("wasted_tokens_total") == world.value("tokens_total", kind="generation") == 4
    assert replays(world) == {"ok": 0, "failed": 1, "refused": 0}


async def test_an_answer_without_streaming_that_cannot_be_completed_is_a_true_error(start):
    world = await start("", max_replays=0)
    status, answer, _ = await world.post("w2 stub")
    assert (status, answer["error"]["type"]) == (502, "server_error")
    assert world.outcomes() == {"error": 1}
    assert world.value("wasted_tokens_total") == 2


async def test_replays_of_one_request_are_bounded(start):
    world = await start("", "", max_replays=2)
    events = await world.stream("w1 stub w1 stub w1 stub w1")
    assert (events.text, events.done) == (text_of(3), False)
    assert "continued 2 times already" in events.data[-1]["error"]["message"]
    assert replays(world) == {"ok": 2, "failed": 0, "refused": 1}


async def test_an_empty_retry_budget_refuses_the_replay(start):
    world = await start("", "", budget_ratio=0.0, budget_min_per_s=0.0)
    events = await world.stream("w2 stub w2")
    assert (events.text, events.done) == (text_of(2), False)
    assert "the retry budget is used up" in events.data[-1]["error"]["message"]
    assert replays(world)["refused"] == 1
    assert world.value("retry_budget") == 0


async def test_a_replay_spends_from_the_budget(start):
    world = await start("", "", budget_ratio=0.0, budget_min_per_s=0.0005, budget_window_s=3600.0)
    assert (await world.stream("w2 stub w2")).done
    assert not (await world.stream("w2 stub w2")).done


async def test_a_replica_that_refuses_to_go_on_ends_the_stream(start):
    world = await start("", "")
    events = await world.stream("w2 stub bad")
    assert not events.done
    assert "refused to go on" in events.data[-1]["error"]["message"]
    assert replays(world)["failed"] == 1
    assert world.outcomes() == {"truncated": 1}


async def test_a_replay_that_fails_at_once_is_tried_again(start):
    world = await start("", "")
    task = await begun(world, "w2 pause w2", 2)
    first = serving(world, "w2 pause w2")
    other = next(replica for replica in world.replicas if replica is not first)
    other.script = "slow slow stub"
    await first.kill()
    await world.until(lambda: replays(world)["failed"] == 1)
    other.script = ""
    other.release()
    events = await task
    assert (events.text, events.done) == (text_of(4), True)


async def test_a_stream_that_falls_silent_alone_goes_on_elsewhere(start):
    """Its replica serves others, so nothing is wrong with that but this stream."""
    world = await start("", "", idle_timeout_s=0.3)
    events = await world.stream("w2 hang w2")
    assert (events.text, events.done) == (text_of(4), True)
    assert sum(replica.cancelled for replica in world.replicas) == 1


async def test_every_request_under_a_crash_is_served(start):
    world = await start("", "", idle_probe_s=60)
    prompts = ["w2 slow slow slow w2"] * 10 + ["slow slow w3"] * 10
    requests = [asyncio.create_task(world.stream(prompt)) for prompt in prompts]
    await world.until(lambda: world.value("tokens_total", kind="generation") >= 20)
    await world.replicas[0].kill()
    events = await asyncio.gather(*requests)
    assert all(e.done for e in events)
    assert [e.text for e in events] == [text_of(4)] * 10 + [text_of(3)] * 10
    assert world.outcomes() == {"ok": 20}
    assert replays(world)["ok"] >= 1
    assert world.value("tokens_total", kind="generation") == 70


async def test_a_client_that_leaves_during_a_replay_cancels_it(start):
    world = await start("", "")
    response = await world.session.post(f"{world.url}/v1/completions", json=world.body("w2 stub hang", stream=True))
    await world.until(lambda: any(replica.resumed for replica in world.replicas))
    response.close()
    await world.until(lambda: sum(replica.cancelled for replica in world.replicas) == 1)
    await world.until(lambda: world.outcomes() == {"cancelled": 1})
    assert sum(replica.inflight for replica in world.gateway.pool) == 0


SAMPLED = {"temperature": 0.7}


async def test_a_sampled_answer_of_a_real_engine_is_continued_unless_policy_says_no(start):
    continued = await start("", "", engine="vllm")
    events = await continued.stream("w2 stub w2", **SAMPLED)
    assert (events.done, events.headers["x-sre-replay"]) == (True, "continuation")
    failed = await start("", "", engine="vllm", unreplayable="fail")
    events = await failed.stream("w2 stub w2", **SAMPLED)
    assert not events.done
    assert "not continued elsewhere" in events.data[-1]["error"]["message"]
    assert replays(failed) == {"ok": 0, "failed": 0, "refused": 1}


async def test_the_policy_leaves_greedy_answers_alone(start):
    world = await start("", "", engine="vllm", unreplayable="fail")
    events = await world.stream("w2 stub w2", temperature=0)
    assert (events.done, events.headers["x-sre-replay"]) == (True, "exact")


async def test_before_the_first_token_every_request_may_move(start):
    world = await start("stub", "", engine="vllm", unreplayable="fail")
    assert [(await world.stream("w2", **SAMPLED)).done for _ in range(2)] == [True, True]


async def test_a_stream_that_cannot_be_continued_stays_on_a_draining_replica(start):
    world = await start("", "", engine="vllm", unreplayable="fail")
    task = await begun(world, "w2 pause w2", 2, **SAMPLED)
    pool = world.gateway.pool
    busy = next(replica for replica in pool if replica.inflight)
    pool.drain(busy, 0.0)
    await world.until(lambda: busy.leaving is not None)
    for replica in world.replicas:
        replica.release()
    assert (await task).text == text_of(4)
    assert replays(world) == {"ok": 0, "failed": 0, "refused": 0}


async def test_a_stream_goes_back_to_a_replica_that_erred_rather_than_wait_for_a_dead_one(start):
    world = await start("", "", idle_timeout_s=1.0)
    first, second = world.replicas
    first.script = "stub"
    task = asyncio.create_task(world.stream("w2 pause w4"))
    await world.until(lambda: world.value("tokens_total", kind="generation") == 2)
    first.script = ""
    assert (len(first.prompts), len(second.prompts)) == (1, 1)
    await second.kill()
    first.release()
    events = await task
    assert (events.text, events.done) == (text_of(6), True)
