"""What a client and the counters see when replicas fail."""

from __future__ import annotations

import asyncio

import pytest
from fake_triton import text_of


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("crash", "connect"), ("die", "connect"), ("stub", "error"), ("eof", "error"), ("junk", "error")],
)
async def test_a_request_without_a_token_goes_to_another_replica(start, fault, reason):
    world = await start(fault, "", idle_probe_s=60)
    events = [await world.stream("w3") for _ in range(2)]
    assert [e.text for e in events] == [text_of(3)] * 2
    tried = {e.headers["x-sre-replicas"] for e in events}
    assert "llm-0,llm-1" in tried
    assert world.outcomes() == {"ok": 2}
    assert world.value("retries_total", reason=reason) >= 1
    assert world.value("replica_requests_total", replica="llm-0", outcome="error") >= 1
    assert world.value("replica_requests_total", replica="llm-1", outcome="ok") == 2


async def test_a_replica_that_stays_silent_is_left_for_another(start):
    world = await start("hang", "", first_token_timeout_s=0.2)
    answers = [await world.post("w2") for _ in range(2)]
    assert [status for status, _, _ in answers] == [200, 200]
    assert world.value("retries_total", reason="timeout") >= 1
    await world.until(lambda: world.replicas[0].cancelled >= 1)


async def test_attempts_are_bounded(start):
    world = await start("stub", "stub", "stub", max_attempts=2)
    status, answer, headers = await world.post("w1")
    assert (status, answer["error"]["code"]) == (502, "replica_failed")
    assert len(headers["x-sre-replicas"].split(",")) == 2
    assert world.outcomes() == {"error": 1}
    assert world.value("goodput_eligible_total") == 1


async def test_the_deadline_bounds_all_attempts_together(start):
    world = await start("hang", "hang", "hang", first_token_timeout_s=0.2, deadline_s=0.3)
    status, answer, headers = await world.post("w1")
    assert (status, answer["error"]["code"]) == (504, "first_token_timeout")
    assert len(headers["x-sre-replicas"].split(",")) == 2


@pytest.mark.parametrize("fault", ["crash", "die", "stub", "eof", "junk"])
async def test_a_stream_cut_after_its_first_token_is_truncated_and_says_so(start, fault):
    world = await start("", "")
    events = await world.stream(f"w4 {fault}")
    assert events.status == 200
    assert not events.done
    assert events.text == text_of(4)
    assert events.finish_reasons == []
    assert set(events.data[-1]) == {"error"}
    assert events.data[-1]["error"]["code"] == "stream_cut"
    assert world.outcomes() == {"truncated": 1}
    assert world.value("wasted_tokens_total") == world.value("tokens_total", kind="generation") == 4
    assert world.value("tokens_total", kind="prompt") == 2
    assert sum(world.value("retries_total", reason=r) for r in ("connect", "error", "timeout")) == 0


async def test_a_stream_that_falls_silent_is_truncated(start):
    world = await start("", idle_timeout_s=0.2)
    events = await world.stream("w2 hang")
    assert (events.text, events.done) == (text_of(2), False)
    assert world.outcomes() == {"truncated": 1}
    await world.until(lambda: world.replicas[0].cancelled == 1)


async def test_a_body_that_cannot_be_completed_is_a_true_error(start):
    world = await start("", "")
    status, answer, _ = await world.post("w2 stub")
    assert (status, answer["error"]["type"]) == (502, "server_error")
    assert world.outcomes() == {"error": 1}
    assert world.value("wasted_tokens_total") == 2


async def test_without_a_healthy_replica_it_is_503_with_retry_after(start):
    world = await start("")
    await world.replicas[0].stop()
    status, answer, headers = await world.post("w1")
    assert (status, answer["error"]["code"], headers["x-sre-replicas"]) == (503, "replica_lost", "llm-0")
    status, answer, headers = await world.post("w1")
    assert (status, answer["error"]["code"], headers["x-sre-replicas"]) == (503, "no_healthy_replica", "")
    assert headers["Retry-After"] == "1"
    assert (await world.get("/ready"))[0] == 503
    assert (await world.get("/health"))[0] == 200
    assert world.outcomes() == {"error": 2}
    assert world.value("replica_up", replica="llm-0") == 0


async def test_a_replica_comes_back_only_after_an_inference(start):
    world = await start("", "")
    fallen = world.replicas[0]
    await fallen.stop()
    while "llm-0" in world.up():
        await world.post("w1")
    fallen.probe_script = "stub"
    await fallen.start()
    probes = fallen.probes
    await world.until(lambda: fallen.probes >= probes + 3)
    assert world.up() == ["llm-1"]
    fallen.probe_script = ""
    await world.until(lambda: world.up() == ["llm-0", "llm-1"])
    assert world.value("replica_up", replica="llm-0") == 1


async def test_a_replica_with_a_dead_stub_is_taken_out_by_the_probe_its_error_causes(start):
    world = await start("stub", "", idle_probe_s=60)
    world.replicas[0].probe_script = "stub"
    for _ in range(2):
        assert (await world.post("w1"))[0] == 200
    await world.until(lambda: world.up() == ["llm-1"])


async def test_one_bad_answer_does_not_take_a_sound_replica_out(start):
    world = await start("", idle_probe_s=60)
    probes = world.replicas[0].probes
    assert (await world.post("stub"))[0] == 502
    await world.until(lambda: world.replicas[0].probes > probes)
    await world.until(lambda: not next(iter(world.gateway.pool)).suspect)
    assert world.up() == ["llm-0"]
    assert (await world.post("w1"))[0] == 200


async def test_a_silently_hung_replica_is_found_without_traffic(start):
    world = await start("", "", idle_probe_s=0.1, probe_timeout_s=0.2)
    world.replicas[1].probe_script = "hang"
    await world.until(lambda: world.up() == ["llm-0"])
    world.replicas[1].probe_script = ""
    await world.until(lambda: world.up() == ["llm-0", "llm-1"])


async def test_every_request_under_a_crash_is_counted_once(start):
    world = await start("", "", idle_probe_s=60)
    prompts = ["w2 slow slow slow w2"] * 10 + ["slow slow w3"] * 10
    requests = [asyncio.create_task(world.stream(prompt)) for prompt in prompts]
    await world.until(lambda: world.value("tokens_total", kind="generation") >= 20)
    await world.replicas[0].stop()
    events = await asyncio.gather(*requests)
    cut = [e for e in events if not e.done]
    assert cut
    assert all("stream_cut" in str(e.data[-1]) for e in cut)
    assert world.outcomes() == {"ok": 20.0 - len(cut), "truncated": float(len(cut))}
    assert all(e.text in {text_of(4), text_of(3)} for e in events if e.done)
    assert world.value("goodput_eligible_total") == 20
    received = sum(len(e.choices) - len(e.finish_reasons) for e in events)
    assert world.value("tokens_total", kind="generation") == received


FROZEN = {"first_token_timeout_s": 30, "stall_probe_s": 0.1, "probe_timeout_s": 0.3, "idle_probe_s": 60}


async def first_token_waits_on(world, replica, prompt="w2"):
    """A request that waits for its first token on `replica`, which is frozen from now on, probes and all."""
    replica.script = replica.probe_script = "hang"
    seen = len(replica.prompts)
    while True:
        request = asyncio.create_task(world.post(prompt))
        await asyncio.sleep(0.05)
        if len(replica.prompts) > seen:
            return request
        await request


async def test_a_request_leaves_a_frozen_replica_when_the_probe_takes_it_down(start):
    world = await start("", "", **FROZEN)
    request = await first_token_waits_on(world, world.replicas[0])
    async with asyncio.timeout(5):
        status, _, headers = await request
    assert (status, headers["x-sre-replicas"]) == (200, "llm-0,llm-1")
    assert world.up() == ["llm-1"]
    assert world.value("retries_total", reason="timeout") == 1
    assert world.value("replica_requests_total", replica="llm-0", outcome="error") == 1
    assert world.value("replica_inflight", replica="llm-0") == 0
    assert "error" not in world.outcomes()


async def test_a_frozen_replica_gets_no_more_work_while_the_probe_decides(start):
    world = await start("", "", **FROZEN | {"probe_timeout_s": 30})
    request = await first_token_waits_on(world, world.replicas[0])
    frozen = next(iter(world.gateway.pool))
    await world.until(lambda: frozen.suspect)
    for _ in range(4):
        _, _, headers = await world.post("w1")
        assert headers["x-sre-replicas"] == "llm-1"
    request.cancel()


async def test_with_nowhere_to_go_a_request_waits_on_at_its_replica(start):
    """A lone replica that was only slow must not turn every waiting request into an error."""
    world = await start("", **FROZEN)
    replica = world.replicas[0]
    replica.probe_script = "hang"
    request = asyncio.create_task(world.post("pause w2"))
    await world.until(lambda: not world.up())
    replica.release()
    status, _, headers = await request
    assert (status, headers["x-sre-replicas"]) == (200, "llm-0")


async def test_a_stream_with_tokens_stays_with_a_replica_that_is_taken_down(start):
    world = await start("", "", **FROZEN)
    for replica in world.replicas:
        replica.probe_script = "hang"
    stream = asyncio.create_task(world.stream("w2 pause w2"))
    await world.until(lambda: len(world.up()) == 1)
    for replica in world.replicas:
        replica.release()
    events = await stream
    assert (events.text, events.done) == (text_of(4), True)
