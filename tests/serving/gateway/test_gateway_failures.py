"""What a client and the counters see when replicas fail before a first token, and how replicas come back."""

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


async def test_without_a_healthy_replica_it_is_503_with_retry_after(start):
    world = await start("", idle_timeout_s=0.1, no_replica_wait_s=0.1)
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


async def test_a_request_waits_for_a_replica_that_is_about_to_come_back(start):
    world = await start("")
    await world.replicas[0].kill()
    request = asyncio.create_task(world.post("w2"))
    await world.until(lambda: not world.up())
    await world.replicas[0].start()
    status, answer, headers = await request
    assert (status, answer["choices"][0]["text"]) == (200, text_of(2))
    assert headers["x-sre-replicas"] == "llm-0,llm-0"
    assert world.value("retries_total", reason="connect") == 1


async def test_without_retry_budget_the_first_failure_is_final(start):
    world = await start("stub", "stub", budget_ratio=0.0, budget_min_per_s=0.0)
    status, answer, headers = await world.post("w1")
    assert (status, answer["error"]["code"], headers["Retry-After"]) == (503, "retry_budget_exhausted", "1")
    assert "," not in headers["x-sre-replicas"]


async def test_consecutive_errors_open_the_circuit(start):
    world = await start("stub", "", error_threshold=3, probe_timeout_s=5)
    world.replicas[0].probe_script = "pause"
    await asyncio.gather(*(world.post("w1") for _ in range(8)))
    await world.until(lambda: world.up() == ["llm-1"])
    assert world.value("ejections_total", replica="llm-0", reason="error") == 1
    assert world.outcomes() == {"ok": 8}


async def test_a_replica_comes_back_half_open_and_closes_after_its_successes(start):
    world = await start("", "", half_open_requests=1, idle_probe_s=60)
    fallen = world.replicas[0]
    await fallen.kill()
    while "llm-0" in world.up():
        await world.post("w1")
    fallen.probe_script = "w1"
    await fallen.start()
    await world.until(lambda: world.value("replica_state", replica="llm-0", state="half_open") == 1)
    await world.until(lambda: world.value("replica_state", replica="llm-0", state="up") == 1)
    assert world.value("replica_state", replica="llm-0", state="down") == 0
