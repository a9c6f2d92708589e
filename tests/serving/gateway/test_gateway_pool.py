"""Who gets the next job, and what a failure does to a replica."""

from __future__ import annotations

import pytest

from serving.gateway.errors import ReplicaFailed
from serving.gateway.pool import Pool, Replica


class NoChannel:
    """Routing never touches the network."""


@pytest.fixture
def replicas():
    made = [Replica(name, NoChannel()) for name in ("a", "b", "c")]
    for replica in made:
        replica.mark_up()
    return made


def names(pool, costs):
    return [pool.acquire(cost).replica.name for cost in costs]


def test_a_replica_is_down_until_its_first_inference():
    pool = Pool([Replica("a", NoChannel())])
    assert pool.acquire(1) is None
    next(iter(pool)).mark_up()
    assert pool.acquire(1).replica.name == "a"


def test_equal_loads_take_turns(replicas):
    pool = Pool(replicas)
    assert names(pool, [10] * 6) == ["a", "b", "c"] * 2


def test_the_fewest_outstanding_tokens_win_not_the_fewest_requests(replicas):
    pool = Pool(replicas)
    assert names(pool, [1000, 10, 500, 10, 10]) == ["a", "b", "c", "b", "b"]


def test_a_lease_is_given_back_once(replicas):
    lease = Pool(replicas).acquire(10)
    lease.release()
    lease.release()
    assert (lease.replica.inflight, lease.replica.outstanding_tokens) == (0, 0)


def test_tried_replicas_are_left_out(replicas):
    pool = Pool(replicas)
    assert pool.acquire(1, exclude=["a", "c"]).replica.name == "b"
    assert pool.acquire(1, exclude=["a", "b", "c"]) is None


def test_a_lost_connection_takes_the_replica_down_and_asks_for_a_probe(replicas):
    pool = Pool(replicas)
    lease = pool.acquire(1)
    pool.report(lease, ReplicaFailed("connect", "refused"))
    assert not lease.replica.up
    assert lease.replica.needs_probe.is_set()


@pytest.mark.parametrize("reason", ["error", "timeout"])
def test_other_failures_make_it_the_last_choice_until_probed(replicas, reason):
    pool = Pool(replicas)
    lease = pool.acquire(1)
    lease.release()
    pool.report(lease, ReplicaFailed(reason, "?"))
    assert lease.replica.up
    assert names(pool, [100] * 4) == ["b", "c", "b", "c"]
    assert pool.acquire(1, exclude=["b", "c"]).replica.name == "a"
    lease.replica.mark_up()
    assert names(pool, [1]) == ["a"]


def test_news_of_an_earlier_life_is_ignored(replicas):
    pool = Pool(replicas)
    lease = pool.acquire(1)
    lost = ReplicaFailed("connect", "reset")
    pool.report(lease, lost)
    lease.replica.mark_up()
    lease.replica.needs_probe.clear()
    pool.report(lease, lost)
    assert lease.replica.up
    assert not lease.replica.needs_probe.is_set()
