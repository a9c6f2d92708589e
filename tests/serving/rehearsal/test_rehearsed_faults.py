"""Each lever's effect, in a sentence: what the live platform does to that fault, it does here."""

import pytest

from serving.engine.faults import NO_FAULTS, Faults
from serving.errors import BadInput
from tests.serving.rehearsal.rehearsed import busiest, sample, schedule


def after(seconds, *acts):
    """A script: `acts` on the platform, so many seconds apart; each gets the platform and the victim's name."""

    async def script(platform):
        victim = busiest(platform)
        for act in acts:
            outcome = act(platform, victim)
            if outcome is not None and hasattr(outcome, "__await__"):
                await outcome
            await platform.sleep(seconds)

    return script


def test_a_crashed_replica_loses_no_request_and_is_started_again(rehearse):
    crashed = rehearse(after(8, lambda p, name: p.crash(name)))
    (down,) = crashed.log("replica_down")
    assert down["reason"] == "connect"
    assert crashed.events("replica_restart_scheduled", down["replica"]) == [0.0]
    (ready_s,) = crashed.events("replica_ready", down["replica"])
    assert 2 < ready_s < 4
    assert crashed.log("replica_up", down["replica"])[0]["state"] == "half_open"
    assert set(crashed.outcomes) == {"ok"}


def test_a_dead_model_process_leaves_green_health_over_requests_that_fail(rehearse):
    seen = {}

    async def script(platform):
        victim = busiest(platform)
        platform.crash(victim, "stub")
        seen["parts"] = platform.condition(victim), platform.condition(victim, "stub")
        seen["answer"] = await platform.infer(victim, "are you there")
        seen["page"] = platform.page(victim)
        await platform.sleep(3)

    crashed = rehearse(script)
    assert seen["parts"] == ("running", "gone")
    assert "not healthy" in seen["answer"].error
    assert seen["answer"].seconds == pytest.approx(1.0, abs=0.1)
    assert "vllm:num_requests_running" in seen["page"]
    assert crashed.log("replica_down")[0]["reason"] in {"stall", "error", "probe"}
    assert set(crashed.outcomes) == {"ok"}


def test_a_frozen_server_answers_nothing_is_ejected_for_its_silence_and_goes_on_where_it_was(rehearse):
    seen = {}

    async def script(platform):
        victim = busiest(platform)
        platform.freeze(victim)
        await platform.sleep(3)
        seen["condition"], seen["page"] = platform.condition(victim), platform.page(victim)
        seen["answer"] = await platform.infer(victim, "are you there", timeout_s=1.0)
        platform.thaw(victim)
        await platform.sleep(4)
        seen["after"] = await platform.infer(victim, "are you there")

    frozen = rehearse(script)
    assert (seen["condition"], seen["page"]) == ("stopped", None)
    assert seen["answer"].error == "no answer within 1 s"
    assert seen["after"].error is None
    assert frozen.log("replica_down")[0]["reason"] == "stall"
    assert frozen.log("replica_up")
    assert frozen.events("replica_exited") == []
    assert frozen.longest_gap_s > 1.0
    assert set(frozen.outcomes) == {"ok"}


def test_a_replica_that_stays_frozen_is_replaced(rehearse):
    frozen = rehearse(after(12, lambda p, name: p.freeze(name)), unhealthy_restart_s=4.0)
    (told_s,) = frozen.events("replica_unhealthy")
    assert 4 < told_s < 6
    assert frozen.events("replica_exited") == [told_s]
    assert frozen.events("replica_ready")


def test_a_server_whose_model_process_hung_aborts_when_that_wakes(rehearse):
    seen = {}

    async def script(platform):
        victim = busiest(platform)
        platform.freeze(victim, "stub")
        seen["parts"] = platform.condition(victim), platform.condition(victim, "stub")
        seen["answer"] = await platform.infer(victim, "are you there")
        platform.thaw(victim, "stub")
        seen["after"] = platform.condition(victim)
        await platform.sleep(4)

    woken = rehearse(script)
    assert seen["parts"] == ("running", "stopped")
    assert "not healthy" in seen["answer"].error
    assert seen["after"] == "gone"
    assert woken.events("replica_ready")


def test_a_slow_engine_takes_so_many_times_longer(rehearse):
    times = {}

    async def script(platform):
        for factor in (1.0, 3.0):
            platform.set_faults("llm-0", Faults(slow_factor=factor))
            await platform.sleep(1)
            times[factor] = (await platform.infer("llm-0", "how long", max_tokens=64)).seconds

    rehearse(script, load=schedule(rate_rps=0.2))
    assert times[3.0] == pytest.approx(3 * times[1.0], rel=0.15)


def test_a_hung_engine_comes_back_when_the_fault_ends(rehearse):
    hung = rehearse(after(3, lambda p, n: p.set_faults(n, Faults(hang=True)), lambda p, n: p.set_faults(n, NO_FAULTS)))
    assert hung.log("replica_down")[0]["reason"] == "stall"
    assert hung.log("replica_up")
    assert set(hung.outcomes) == {"ok"}


def test_an_engine_short_of_kv_cache_lets_its_requests_wait(rehearse):
    seen = {}

    async def script(platform):
        platform.set_faults("llm-0", Faults(kv_blocks=0))
        await platform.sleep(2)
        seen["answer"] = await platform.infer("llm-0", "is there room", timeout_s=1.0)
        seen["waiting"] = sample(platform.page("llm-0"), "vllm:num_requests_waiting")

    rehearse(script)
    assert seen["answer"].error == "no answer within 1 s"
    assert seen["waiting"] >= 1


@pytest.mark.parametrize(("deadline_s", "behind"), [(1.0, None), (None, "no answer within 3 s")])
def test_what_does_not_fit_holds_up_all_behind_it_until_its_deadline(rehearse, deadline_s, behind):
    seen = {}

    async def script(platform):
        platform.set_faults("llm-0", Faults(kv_blocks=4))
        await platform.sleep(1)
        deadline_at = None if deadline_s is None else platform.now() + deadline_s
        answer = await platform.infer("llm-0", "memory " * 100, deadline_at=deadline_at, timeout_s=2.0)
        seen["dropped"] = "deadline" in answer.error, answer.seconds
        seen["behind"] = await platform.infer("llm-0", "a small one", max_tokens=1, timeout_s=3.0)

    rehearse(script, load=schedule(rate_rps=0.2))
    assert seen["dropped"] == (deadline_s is not None, pytest.approx(deadline_s or 2.0, abs=0.1))
    assert seen["behind"].error == behind


def test_a_lost_gpu_kills_the_engine_and_every_start_until_it_is_back(rehearse):
    seen = {}

    async def script(platform):
        victim = busiest(platform)
        platform.set_faults(victim, Faults(xid=79))
        await platform.sleep(1)
        seen["stub"] = platform.condition(victim, "stub")
        seen["page"] = platform.page(victim)
        platform.crash(victim)
        await platform.sleep(5)
        platform.set_faults(victim, NO_FAULTS)
        await platform.sleep(6)

    lost = rehearse(script)
    assert seen["stub"] == "gone"
    assert 'DCGM_FI_DEV_XID_ERRORS{model_name="llm",gpu="0"} 79.0' in seen["page"]
    exits = [event["detail"]["returncode"] for event in lost.played.events if event["event"] == "replica_exited"]
    assert exits[:2] == [-9, 1]
    assert len(lost.events("replica_ready")) == 1


def test_a_contained_gpu_error_costs_single_requests_which_go_elsewhere(rehearse):
    contained = rehearse(after(5, lambda p, name: p.set_faults(name, Faults(xid=94, error_every=2))))
    _, page = contained.scrapes("gateway")[-1]
    assert sample(page, 'sre_gateway_retries_total{reason="error"}') > 0
    assert set(contained.outcomes) == {"ok"}


def test_a_poison_prompt_kills_two_replicas_and_is_refused_then(rehearse):
    seen = {}

    async def script(platform):
        for replica in platform.replicas():
            platform.set_faults(replica.name, Faults(poison="arsenic"))
        await platform.sleep(0.5)
        seen["answer"] = await platform.ask("arsenic and lace")
        seen["dead"] = [r.name for r in platform.replicas() if platform.condition(r.name, "stub") == "gone"]

    poisoned = rehearse(script)
    assert len(seen["dead"]) == 2
    assert seen["answer"].error.startswith("HTTP 500")
    assert poisoned.log("prompt_quarantined")


def test_a_model_that_does_not_load_is_tried_again_ever_more_slowly(rehearse):
    def fail(platform, name):
        platform.set_faults(name, Faults(fail_load=True))
        platform.crash(name)

    failed = rehearse(after(14, fail))
    delays = [e["detail"]["delay_s"] for e in failed.played.events if e["event"] == "replica_restart_scheduled"]
    assert delays[:4] == [0.5, 1.0, 2.0, 4.0]
    assert failed.events("replica_ready") == []


def test_a_bad_version_errs_from_its_restart_on_and_is_ejected(rehearse):
    async def script(platform):
        platform.set_faults("llm-1", Faults(error_every=2, bad_output_every=3))
        await platform.drain("llm-1", grace_s=2.0, restart=True)
        await platform.sleep(9)

    bad = rehearse(script, load=schedule(duration_s=12.0))
    assert bad.events("replica_drained", "llm-1")
    assert "error" in {line["reason"] for line in bad.log("replica_down", "llm-1")}
    assert set(bad.outcomes) == {"ok"}


def test_a_slow_cold_start_takes_so_much_longer_and_says_so(rehearse):
    def slow_start(platform, name):
        platform.set_faults(name, Faults(cold_start_extra_s=5.0))
        platform.crash(name)

    slow = rehearse(after(10, slow_start))
    (ready_s,) = slow.events("replica_ready")
    assert 7 < ready_s < 9
    phases = next(e["detail"]["phases"] for e in reversed(slow.played.events) if e["event"] == "replica_ready")
    assert phases["engine_injected"] == pytest.approx(5.0, abs=0.1)


def test_a_replica_whose_machine_is_gone_starts_when_it_is_released(rehearse):
    def gone(platform, name):
        platform.hold_restart(name)
        platform.crash(name)

    held = rehearse(after(5, gone, lambda p, name: p.release_restart(name)))
    assert held.events("replica_started") == [5.0]


def test_a_killed_gateway_cuts_every_stream_and_is_back_on_its_address(rehearse):
    seen = {}

    async def script(platform):
        platform.kill_gateway()
        seen["ready"] = [platform.gateway_ready()]
        await platform.sleep(4)
        seen["ready"].append(platform.gateway_ready())

    killed = rehearse(script)
    assert seen["ready"] == [False, True]
    assert killed.events("gateway_exited") == [0.0]
    assert 1 < killed.events("gateway_restarted")[0] < 2
    assert {"ok", "truncated", "error"} >= set(killed.outcomes) > {"ok"}


def test_what_is_no_replica_is_refused_by_name(rehearse):
    async def script(platform):
        platform.crash("llm-9")

    with pytest.raises(BadInput, match="'llm-9' does not exist: use one of llm-0, llm-1, llm-2"):
        rehearse(script)
