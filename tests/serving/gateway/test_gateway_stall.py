"""Replicas that fail no call and only keep silent: found by missing progress, left, and taken back."""

from __future__ import annotations

import asyncio

from fake_triton import text_of

QUICK = {"stall_min_s": 0.2, "stall_steps": 2, "probe_timeout_s": 0.3, "idle_probe_s": 60}


async def busy(world, prompt, tokens=2):
    """A stream that produced `tokens` tokens, and the replica it runs on."""
    before = world.value("tokens_total", kind="generation")
    task = asyncio.create_task(world.stream(prompt, max_tokens=1000))
    await world.until(lambda: world.value("tokens_total", kind="generation") >= before + tokens)
    return task, next(n for n, replica in enumerate(world.replicas) if prompt in replica.prompts)


async def test_a_frozen_replica_is_ejected_and_its_stream_goes_on_elsewhere(start):
    world = await start("", "", **QUICK)
    task, frozen = await busy(world, "w2 forever")
    world.replicas[frozen].freeze()
    await world.until(lambda: world.value("ejections_total", replica=f"llm-{frozen}", reason="stall") == 1)
    world.replicas[1 - frozen].release()
    events = await task
    assert events.done
    assert events.text == text_of(len(events.choices) - 1)
    assert world.up() == [f"llm-{1 - frozen}"]
    assert world.value("replica_inflight", replica=f"llm-{frozen}") == 0
    assert world.value("replays_total", result="ok") == 1
    assert world.outcomes() == {"ok": 1}


async def test_a_request_leaves_a_frozen_replica_before_its_first_token(start):
    world = await start("", "", **QUICK)
    for replica in world.replicas:
        replica.freeze()
    task = asyncio.create_task(world.post("w2"))
    await world.until(lambda: any(replica.prompts for replica in world.replicas))
    frozen = next(n for n, replica in enumerate(world.replicas) if replica.prompts)
    world.replicas[1 - frozen].thaw()
    status, _, headers = await task
    assert (status, headers["x-sre-replicas"]) == (200, f"llm-{frozen},llm-{1 - frozen}")
    assert world.value("retries_total", reason="timeout") == 1
    assert world.value("replica_requests_total", replica=f"llm-{frozen}", outcome="error") == 1


async def test_a_thawed_replica_comes_back_by_a_real_inference(start):
    world = await start("", "", **QUICK)
    task, frozen = await busy(world, "w2 forever")
    world.replicas[frozen].freeze()
    await world.until(lambda: len(world.up()) == 1)
    world.replicas[1 - frozen].release()
    await task
    world.replicas[frozen].thaw()
    await world.until(lambda: len(world.up()) == 2)


async def test_the_last_replica_is_never_ejected_for_silence_but_found_by_its_probe(start):
    """Out of rotation, so that nobody new waits for it; what runs stays, as there is nowhere to go."""
    world = await start("", **QUICK)
    task, _ = await busy(world, "w2 forever")
    world.replicas[0].freeze()
    await world.until(lambda: not world.up())
    assert world.value("ejections_total", replica="llm-0", reason="stall") == 0
    assert world.value("ejections_total", replica="llm-0", reason="probe") == 1
    world.replicas[0].thaw()
    world.replicas[0].release()
    events = await task
    assert (events.done, events.text) == (True, text_of(len(events.choices) - 1))
    assert world.value("replays_total", result="ok") == 0


async def test_jobs_of_a_silent_last_replica_move_when_another_comes_up(start):
    world = await start("", "", **QUICK)
    await world.replicas[1].kill()
    while len(world.up()) == 2:
        await world.post("w1")
    task, _ = await busy(world, "w2 forever")
    world.replicas[0].freeze()
    await world.until(lambda: not world.up())
    world.replicas[1].release()
    await world.replicas[1].start()
    events = await task
    assert (events.done, events.text) == (True, text_of(len(events.choices) - 1))
    assert world.replicas[1].resumed


async def test_a_probe_that_times_out_beside_flowing_tokens_proves_nothing(start):
    world = await start("", "", **QUICK | {"error_threshold": 100, "probe_timeout_s": 0.1})
    task, served_by = await busy(world, "w2 forever")
    replica = world.replicas[served_by]
    replica.probe_script = "hang"
    probes = replica.probes
    while replica.probes == probes:
        await world.post("stub w1")
    await asyncio.sleep(0.25)
    assert len(world.up()) == 2
    replica.release()
    assert (await task).done


async def test_a_client_that_reads_slowly_makes_no_replica_look_silent(start):
    world = await start("", "", **QUICK)
    async with world.session.post(f"{world.url}/v1/completions", json=world.body("w2000", stream=True)) as response:
        await asyncio.sleep(0.5)
        text = await response.text()
    assert text.endswith("data: [DONE]\n\n")
    assert len(world.up()) == 2
    assert sum(world.value("ejections_total", replica=f"llm-{n}", reason="stall") for n in (0, 1)) == 0
