"""Who gets the next job, who is taken out, and who comes and goes."""

from __future__ import annotations

import asyncio

import pytest

from serving.gateway.config import AdmissionConfig, FailoverConfig, HealthConfig, ReplicaConfig, RoutingConfig
from serving.gateway.errors import ReplicaFailed
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Job
from serving.gateway.pool import Pool, PoolRules
from serving.gateway.replica import Moved

LOST = ReplicaFailed("connect", "reset")
BAD = ReplicaFailed("error", "stub")


class NoChannel:
    """Routing never touches the network."""

    closed = False

    async def close(self):
        self.closed = True


class Time:
    """Monotonic seconds that stand still."""

    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def build(time):
    def made(*names, up=True, health=None, admission=None, routing=None, **replica):
        rules = PoolRules(
            HealthConfig(**(health or {})),
            FailoverConfig(),
            AdmissionConfig(**(admission or {})),
            RoutingConfig(**(routing or {})),
        )
        metrics = GatewayMetrics(ttft_threshold_s=1.0, tpot_threshold_s=0.05)
        pool = Pool(rules, metrics, connect=lambda config: NoChannel(), clock=time)
        pool.put(configs(*names, **replica))
        for one in pool if up else ():
            pool.probe_passed(one)
        return pool

    return made


def configs(*names, **more):
    return [ReplicaConfig(name=name, grpc_address=f"127.0.0.1:{n + 1}", **more) for n, name in enumerate(names)]


def job(cost=1, **more):
    return Job("r", "llm", "hi", {}, max_tokens=cost, prompt_tokens_estimate=0, **more)


def names(pool, costs):
    return [pool.acquire(job(cost)).replica.name for cost in costs]


def told(lease):
    heard = []
    lease.on_lost = heard.append
    return heard


def test_a_replica_is_down_until_its_first_inference(build):
    pool = build("a", up=False)
    assert pool.acquire(job()) is None
    assert not pool.any_up()
    pool.probe_passed(pool.get("a"))
    assert pool.acquire(job()).replica.name == "a"


def test_equal_loads_take_turns(build):
    assert names(build("a", "b", "c"), [10] * 6) == ["a", "b", "c"] * 2


def test_the_fewest_outstanding_tokens_win_not_the_fewest_requests(build):
    assert names(build("a", "b", "c"), [1000, 10, 500, 10, 10]) == ["a", "b", "c", "b", "b"]


def test_round_robin_takes_turns_whatever_the_load_is(build):
    pool = build("a", "b", "c", routing={"affinity": False, "balancing": "round_robin"})
    assert names(pool, [1000, 10, 500, 10, 10, 10]) == ["a", "b", "c"] * 2


def test_a_known_prefix_leads_back_to_its_replica(build):
    pool = build("a", "b", "c")
    first = pool.acquire(job(10, prefix=(1, 2, 3)))
    assert {pool.acquire(job(10, prefix=(1, 2, 3))).replica.name for _ in range(5)} == {first.replica.name}


def test_prefixes_are_forgotten_when_a_replica_comes_up_anew(build):
    pool = build("a", "b")
    lease = pool.acquire(job(10, prefix=(1, 2)))
    lease.release()
    pool.lose(lease.replica, LOST)
    pool.probe_passed(lease.replica)
    assert pool._prefixes.matched(lease.replica.name, (1, 2)) == 0


def test_a_lease_is_given_back_once_and_somebody_hears_of_the_room(build):
    pool = build("a")
    calls = []
    pool.on_change(lambda: calls.append(1))
    lease = pool.acquire(job(10))
    lease.release()
    lease.release()
    assert (lease.replica.inflight, lease.replica.outstanding_tokens) == (0, 0)
    assert calls == [1]


def test_tried_replicas_are_left_out(build):
    pool = build("a", "b", "c")
    assert pool.acquire(job(), exclude=["a", "c"]).replica.name == "b"
    assert pool.acquire(job(), exclude=["a", "b", "c"]) is None


def test_a_full_replica_takes_no_new_work_but_what_lost_its_own(build):
    pool = build("a", max_seqs=2)
    assert names(pool, [1, 1]) == ["a", "a"]
    assert not pool.has_room(job())
    assert pool.acquire(job()) is None
    assert pool.acquire(job(), forced=True).replica.name == "a"


def test_kv_room_is_counted_in_tokens_with_overcommit(build):
    pool = build("a", kv_tokens=100, admission={"kv_overcommit": 1.5})
    pool.acquire(job(100))
    assert pool.has_room(job(50))
    assert not pool.has_room(job(51))
    assert pool.could_ever_fit(job(150))
    assert not pool.could_ever_fit(job(151))


def test_an_empty_replica_takes_any_job(build):
    assert build("a", kv_tokens=100, admission={"kv_overcommit": 0.5}).has_room(job(100))


def test_a_half_open_replica_takes_a_few_at_a_time(build):
    pool = build("a", "b", health={"half_open_requests": 2})
    pool.lose(pool.get("a"), LOST)
    pool.probe_passed(pool.get("a"))
    assert sorted(names(pool, [1] * 8)) == ["a"] * 2 + ["b"] * 6


def test_a_lost_connection_takes_the_replica_down_and_moves_its_jobs(build):
    pool = build("a", "b")
    first, second = pool.acquire(job()), pool.acquire(job())
    heard, unheard = told(first), told(second)
    pool.report(pool.acquire(job()), LOST)
    assert [replica.health.state for replica in pool] == ["down", "up"]
    assert (heard, unheard) == ([LOST], [])


def test_one_error_makes_it_the_last_choice_until_probed(build):
    pool = build("a", "b", "c")
    lease = pool.acquire(job())
    lease.release()
    pool.report(lease, BAD)
    assert lease.replica.up
    assert names(pool, [100] * 4) == ["b", "c", "b", "c"]
    assert pool.acquire(job(), exclude=["b", "c"]).replica.name == "a"
    pool.probe_passed(lease.replica)
    assert names(pool, [1]) == ["a"]


def test_errors_in_a_row_eject_but_never_the_last_one(build):
    pool = build("a", "b", health={"error_threshold": 2})
    for name in ("a", "b"):
        for _ in range(3):
            pool.report(pool.acquire(job(), exclude={"a", "b"} - {name}) or pool.acquire(job()), BAD)
    assert [replica.health.state for replica in pool] == ["ejected", "up"]


@pytest.mark.parametrize(("count", "share", "most"), [(2, 0.67, 1), (3, 0.67, 2), (4, 0.5, 2), (4, 0.1, 0), (3, 1, 2)])
def test_no_more_than_a_share_is_ejected(build, count, share, most):
    pool = build(*"abcdef"[:count], health={"max_ejected_share": share})
    ejected = 0
    for replica in list(pool):
        if pool.may_eject(replica):
            pool.eject(replica, "stall", BAD)
            ejected += 1
    assert ejected == most


def test_a_failed_probe_takes_even_the_last_one_out_but_its_jobs_stay(build):
    pool = build("a")
    heard = told(pool.acquire(job()))
    pool.probe_failed(pool.get("a"), ReplicaFailed("timeout", "silent"))
    assert pool.get("a").health.state == "ejected"
    assert heard == []


def test_jobs_that_had_nowhere_to_go_move_when_another_comes_up(build):
    pool = build("a", "b")
    pool.lose(pool.get("b"), LOST)
    lease = pool.acquire(job())
    heard = told(lease)
    pool.probe_failed(pool.get("a"), BAD)
    assert heard == []
    pool.probe_passed(pool.get("b"))
    assert heard == [BAD]


def test_jobs_of_a_slow_replica_stay_on_it(build):
    pool = build("a", "b")
    heard = told(pool.acquire(job()))
    pool.eject(pool.get("a"), "slow", BAD)
    assert pool.get("a").health.state == "ejected"
    assert heard == []


def test_news_of_an_earlier_life_is_ignored(build):
    pool = build("a")
    lease = pool.acquire(job())
    pool.report(lease, LOST)
    pool.probe_passed(lease.replica)
    pool.report(lease, LOST)
    assert lease.replica.up


def test_a_drain_gives_the_grace_and_then_moves_the_rest(build, time):
    pool = build("a", "b")
    lease = pool.acquire(job())
    heard = told(lease)
    pool.drain(lease.replica, 30.0)
    assert names(pool, [1] * 3) == ["b"] * 3
    pool.end_graces(29.9)
    pool.evacuate()
    assert heard == []
    pool.end_graces(30.0)
    pool.evacuate()
    assert isinstance(heard[0], Moved)
    pool.report(lease, heard[0])
    assert lease.replica.health.state == "draining"


def test_a_drain_with_nobody_else_waits_for_somebody(build):
    pool = build("a")
    heard = told(pool.acquire(job()))
    pool.drain(pool.get("a"), 0.0)
    pool.end_graces(1.0)
    pool.evacuate()
    assert heard == []


def test_undrain_brings_it_back(build):
    pool = build("a")
    pool.drain(pool.get("a"), 0.0)
    pool.end_graces(1.0)
    assert not pool.any_up()
    pool.undrain(pool.get("a"))
    heard = told(pool.acquire(job()))
    pool.end_graces(2.0)
    pool.evacuate()
    assert heard == []


def test_replicas_come_and_go(build):
    pool = build("a", "b")
    kept = pool.get("b")
    heard = told(pool.acquire(job(), exclude=["b"]))
    pool.put([kept.config, *configs("x", "y", "c")[2:]])
    assert [replica.name for replica in pool] == ["b", "c"]
    assert pool.get("b") is kept
    assert isinstance(heard[0], Moved)
    assert pool.take_retired() == []


def test_a_changed_address_is_another_replica_a_changed_size_is_not(build):
    pool = build("a")
    before = pool.get("a")
    pool.put(configs("a", max_seqs=3))
    assert pool.get("a") is before
    assert before.config.max_seqs == 3
    pool.put([ReplicaConfig(name="a", grpc_address="127.0.0.1:99")])
    assert pool.get("a") is not before
    assert pool.take_retired() == [before]


def moved_to(config, port):
    return config.model_copy(update={"grpc_address": f"127.0.0.1:{port}"})


def test_what_runs_at_an_address_that_changed_ends_there(build):
    pool = build("a", "b")
    lease = pool.acquire(job(), exclude=["b"])
    old, heard = lease.replica, told(lease)
    pool.put([moved_to(old.config, 99), pool.get("b").config])
    assert pool.acquire(job(), exclude=["b"]) is None, "the new address is not proven yet"
    pool.probe_passed(pool.get("a"))
    pool.evacuate()
    assert (heard, pool.take_retired()) == ([], [])
    assert pool.acquire(job(), exclude=["b"]).replica is pool.get("a")
    lease.release()
    assert pool.take_retired() == [old]


def test_an_old_address_that_fails_is_left_though_the_new_one_has_its_name(build):
    pool = build("a", "b")
    lease = pool.acquire(job(), exclude=["b"])
    heard = told(lease)
    pool.put([moved_to(lease.replica.config, 99), pool.get("b").config])
    pool.probe_passed(pool.get("a"))
    pool.eject(lease.replica, "stall", BAD)
    assert heard == [BAD]
    assert pool.get("a").health.routable


def test_a_removed_replica_is_closed_when_nothing_runs_on_it(build):
    pool = build("a", "b")
    lease = pool.acquire(job())
    idle = next(replica for replica in pool if replica is not lease.replica)
    pool.put([])
    assert pool.take_retired() == [idle]
    lease.release()
    assert pool.take_retired() == [lease.replica]


async def test_who_waits_for_a_replica_is_woken_by_its_arrival(build):
    pool = build("a", up=False)
    waiting = asyncio.create_task(pool.arrival(60.0))
    await asyncio.sleep(0)
    pool.probe_passed(pool.get("a"))
    await asyncio.wait_for(waiting, 1.0)
    await pool.arrival(0.0)


def test_a_removed_replica_is_not_closed_under_its_probe(build, time):
    pool = build("a")
    removed = pool.get("a")
    removed.health.probe_began(time())
    pool.put([])
    assert pool.take_retired() == []
    removed.health.probe_ended()
    assert pool.take_retired() == [removed]


def test_what_a_removed_replica_s_probe_finds_does_not_hold_its_jobs_back(build):
    pool = build("a", "b")
    lease = pool.acquire(job(), exclude=["b"])
    removed = lease.replica
    heard = told(lease)
    pool.lose(pool.get("b"), LOST)
    pool.eject(removed, "probe", BAD)
    pool.put(configs("a", "b")[1:])
    pool.probe_passed(removed)
    pool.probe_failed(removed, LOST)
    assert heard == []
    pool.probe_passed(pool.get("b"))
    assert [type(failure) for failure in heard] == [Moved]


def test_a_job_too_large_for_one_replica_goes_to_a_larger_one_or_waits_for_it(build):
    pool = build("small", "large")
    sizes = {"small": 100, "large": 1000}
    pool.put(one.model_copy(update={"kv_tokens": sizes[one.name]}) for one in configs(*sizes))
    assert names(pool, [500]) == ["large"]
    assert pool.acquire(job(600), forced=True).replica.name == "large"
    assert not pool.has_room(job(500))
    assert pool.acquire(job(500), exclude=["large"], forced=True) is None
    assert names(pool, [50]) == ["small"]
