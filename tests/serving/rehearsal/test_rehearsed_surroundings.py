"""Levers around the replicas: the network to them, who observes them, how many there are, who else sends requests."""

import pytest

from serving.errors import BadInput, ServingError
from serving.rehearsal.model import NetworkRules, Offer
from tests.serving.rehearsal.rehearsed import busiest, sample, schedule


def through(rules, *, seconds=5):
    """A script: a network like that to the busiest replica, for so long."""

    async def script(platform):
        victim = busiest(platform)
        platform.network(victim, rules)
        await platform.sleep(seconds)
        platform.network(victim, None)
        await platform.sleep(2)

    return script


def test_a_replica_behind_a_proxy_is_another_address_to_the_gateway_until_it_is_taken_out(rehearse):
    slow = rehearse(through(NetworkRules(delay_s=0.2)))
    assert slow.events("replica_rerouted") == [0.0, 5.0]
    assert len(slow.log("replica_added")) == 2
    assert set(slow.outcomes) == {"ok"}


def test_latency_is_added_to_first_tokens_each_way(rehearse):
    def slowest(rehearsed):
        return max(record.first_token_at - record.sent_at for record in rehearsed.played.records)

    assert slowest(rehearse(through(NetworkRules(delay_s=0.2)))) > 0.4
    assert slowest(rehearse(through(NetworkRules(delay_s=0.2, direction="to_replica")))) == pytest.approx(0.25, abs=0.1)


def test_a_cut_network_is_silence_for_which_the_replica_is_ejected(rehearse):
    cut = rehearse(through(NetworkRules(cut=True)))
    assert {line["reason"] for line in cut.log("replica_down")} <= {"stall", "probe"}
    assert cut.log("replica_down")
    assert set(cut.outcomes) == {"ok"}


def test_a_reset_connection_is_lost_at_once_with_all_its_streams(rehearse):
    reset = rehearse(through(NetworkRules(reset_after_bytes=0)))
    assert reset.log("replica_down")[0]["detail"] == "recvmsg: Connection reset by peer"
    assert set(reset.outcomes) == {"ok"}


def test_a_connection_that_is_reset_after_so_many_bytes_comes_and_goes(rehearse):
    reset = rehearse(through(NetworkRules(reset_after_bytes=8 * 1024)))
    assert len(reset.log("replica_down")) > 1


def test_only_a_ready_replica_without_another_way_gets_a_proxy(rehearse):
    async def script(platform):
        platform.network("llm-0", NetworkRules(delay_s=0.1))
        await platform.sleep(0.5)
        with pytest.raises(ServingError, match="has another way to it already"):
            platform.metrics("llm-0", "down")
        platform.crash("llm-1")
        await platform.sleep(0.1)
        with pytest.raises(ServingError, match="only one that is ready"):
            platform.network("llm-1", NetworkRules(cut=True))

    rehearse(script)


def test_scaling_out_starts_replicas_and_scaling_in_drains_the_youngest(rehearse):
    async def script(platform):
        assert await platform.scale(4) == 4
        assert platform.desired_replicas() == 4
        await platform.sleep(5)
        await platform.scale(3)
        await platform.sleep(4)

    scaled = rehearse(script)
    assert scaled.events("replica_ready", "llm-3")
    assert scaled.events("replica_drained", "llm-3")
    assert scaled.played.replica_s > 3 * (scaled.played.ended_at - scaled.played.load_began_at) + 5
    assert set(scaled.outcomes) == {"ok"}


def test_a_lost_zone_stays_away_until_it_is_brought_back(rehearse):
    async def script(platform):
        lost = [replica.name for replica in platform.replicas() if replica.zone == "a"]
        assert lost == ["llm-0", "llm-1"]
        for name in lost:
            platform.crash(name)
            await platform.drain(name, grace_s=0.0, force=True)
        await platform.sleep(4)
        assert [replica.serving for replica in platform.replicas()] == [False, False, True]
        for name in lost:
            await platform.undrain(name)
        await platform.sleep(5)
        assert all(replica.serving for replica in platform.replicas())

    assert set(rehearse(script, zones={"llm-0": "a", "llm-1": "a", "llm-2": "b"}).outcomes) == {"ok"}


def test_observers_get_what_a_lever_makes_of_a_page_and_the_page_itself_is_as_it_was(rehearse):
    async def script(platform):
        platform.metrics("gateway", "frozen")
        platform.metrics("llm-0", "scaled", factor=0.5, prefix="vllm:generation_tokens_total")
        platform.metrics("llm-1", "down")
        await platform.sleep(3)
        for target in ("gateway", "llm-0", "llm-1"):
            platform.metrics(target, "true")
        await platform.sleep(3)

    lied = rehearse(script, scrape_interval_s=1.0)

    def values(target, name, since, until):
        found = [(at, page) for at, page in lied.scrapes(target) if since < at < until]
        return [None if page is None else sample(page, name) for _, page in found]

    ok = 'sre_gateway_requests_total{outcome="ok"}'
    assert len(set(values("gateway", ok, 0, 3))) == 1
    assert values("gateway", ok, 3, 6)[-1] > values("gateway", ok, 0, 3)[-1]
    tokens = "vllm:generation_tokens_total"
    assert values("llm-0", tokens, 3, 6)[0] > 1.5 * values("llm-0", tokens, 0, 3)[-1]
    assert set(values("llm-1", tokens, 0, 3)) == {None}
    assert None not in values("llm-1", tokens, 3, 6)


def test_a_stopped_or_crashing_recorder_leaves_a_hole_in_the_samples(rehearse):
    async def script(platform):
        platform.metrics("recorder", "frozen")
        await platform.sleep(3)
        platform.metrics("recorder", "true")
        await platform.sleep(2)
        platform.metrics("recorder", "down")
        await platform.sleep(3)
        platform.metrics("recorder", "true")
        await platform.sleep(4)

    holed = rehearse(script, scrape_interval_s=1.0)
    times = [at for at, _ in holed.scrapes("gateway")]
    assert not [at for at in times if 0 < at < 3]
    assert [at for at in times if 3 <= at < 5]
    assert not [at for at in times if 5 < at < 8]
    assert [at for at in times if at > 9]
    assert holed.events("observer_exited")


def test_a_surge_is_scaled_out_by_the_autoscaler_unless_that_is_stopped(rehearse):
    policy = {"autoscale": "serving/deploy/autoscaling/hpa-slo.yaml", "autoscale_clock_factor": 15.0, "max_replicas": 4}
    surge = Offer("surge", rate_rps=10.0, prompt_tokens=100, output_tokens=100)

    def surging(*, stopped):
        async def script(platform):
            if stopped:
                platform.stop_autoscaler()
            storm = platform.offer(surge)
            await platform.sleep(5)
            assert (platform.page("autoscaler") is None) == stopped
            storm.stop()
            platform.start_autoscaler()

        return script

    helped = rehearse(surging(stopped=False), load=schedule(duration_s=6), replicas=1, time_scale=8.0, **policy)
    assert helped.events("scaled")
    assert {line["event"] for line in helped.played.autoscaler_log} == {"decision"}
    alone = rehearse(surging(stopped=True), load=schedule(duration_s=6), replicas=1, time_scale=8.0, **policy)
    assert [at for at in alone.events("scaled") if at < 5] == []


def test_a_killed_autoscaler_is_started_again(rehearse):
    async def script(platform):
        platform.kill_autoscaler()
        await platform.sleep(4)

    killed = rehearse(script, autoscale="serving/deploy/autoscaling/hpa-slo.yaml", max_replicas=4)
    assert killed.events("autoscaler_started") == [1.0]


def test_clients_that_hang_up_cost_a_prefill_and_clients_that_repeat_make_load_of_load(rehearse):
    counts = {}

    async def script(platform):
        leavers = platform.offer(Offer("hang-up", rate_rps=5.0, output_tokens=400))
        insistent = platform.offer(Offer("retry", clients=3, attempts=3, timeout_s=0.2, output_tokens=200))
        surge = platform.offer(Offer("surge", factor=2.0, output_tokens=20))
        await platform.sleep(7)
        for kind, offered in (("hang-up", leavers), ("retry", insistent), ("surge", surge)):
            offered.stop()
            counts[kind] = offered.counts

    stormy = rehearse(script)
    assert counts["hang-up"].hung_up > 20
    assert counts["retry"].timeout > counts["retry"].retries > 0
    assert counts["surge"].rate_rps > 3.0  # what all the others send, once more
    _, page = stormy.scrapes("gateway")[-1]
    assert sample(page, 'sre_gateway_requests_total{outcome="cancelled"}') > 20
    assert set(stormy.outcomes) == {"ok"}


def test_there_is_no_autoscaler_to_stop_without_a_policy(rehearse):
    async def script(platform):
        platform.stop_autoscaler()

    with pytest.raises(BadInput, match="no autoscaler"):
        rehearse(script)
