"""A prompt that kills replicas does not walk through the fleet, and no other request suffers for it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.errors import ReplicaFailed, never_arrived
from serving.gateway.replica import Fallen
from serving.gateway.suspects import Suspects, fingerprint_of, who_may_have_done_it

QUICK = {"stall_min_s": 0.3, "stall_max_s": 0.5}


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def workers(request):
    return request.param


def poisoned(world):
    return sum(replica.poisoned for replica in world.replicas)


async def test_a_prompt_that_killed_two_replicas_is_not_tried_on_a_third(start):
    world = await start("", "", "", **QUICK)
    status, body, _ = await world.post("poison")
    assert (status, body["error"]["code"]) == (500, "poison_suspected")
    assert poisoned(world) == 2
    assert world.value("poison_total", event="quarantined") == 1
    assert world.outcomes() == {"error": 1}


async def test_a_prompt_in_quarantine_is_refused_at_once_and_others_are_served(start):
    world = await start("", "", "", **QUICK)
    await world.post("poison")
    status, body, headers = await world.post("poison")
    assert (status, body["error"]["code"], headers["x-sre-replicas"]) == (500, "poison_suspected", "")
    assert (await world.post("w3"))[0] == 200
    assert poisoned(world) == 2
    assert world.value("poison_total", event="refused") == 1


async def test_without_a_quarantine_it_walks_through_the_fleet(start):
    world = await start("", "", "", poison_deaths=0, first_token_timeout_s=3.0, **QUICK)
    await world.post("poison")
    assert poisoned(world) == 3


async def test_those_beside_it_are_all_served(start):
    world = await start("", "", "", **QUICK)
    beside = [world.stream(f"slow w4 slow w{number}") for number in range(9)]
    poison, *others = await asyncio.gather(world.post("poison"), *beside)
    assert poison[0] == 500
    assert poisoned(world) == 2
    assert [events.done for events in others] == [True] * 9


async def test_one_that_finds_two_replicas_gone_is_served_by_the_third(start):
    world = await start("", "", "", idle_probe_s=60.0, probe_interval_s=60.0)
    for replica in world.replicas[:2]:
        await replica.kill()
    for number in range(4):
        status, body, _ = await world.post(f"w3 number {number}")
        assert status == 200, body


async def test_a_request_that_errs_on_two_sound_replicas_is_tried_on_the_third(start):
    world = await start("stub", "stub", "w3")
    assert (await world.post("w1"))[0] == 200
    assert world.value("poison_total", event="quarantined") == 0


class Time:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def entered():
    return []


@pytest.fixture
def suspects(time, entered):
    return Suspects(deaths=2, quarantine_s=60.0, clock=time, quarantined=lambda: entered.append(time.now))


def test_two_deaths_put_a_prompt_in_quarantine_once_and_time_lets_it_out(suspects, time, entered):
    suspects.died({7}, "llm-0", 1)
    suspects.died({7}, "llm-0", 1)
    assert (suspects.suspected(7), suspects.in_quarantine(7)) == (True, False)
    suspects.died({7}, "llm-1", 1)
    suspects.died({7}, "llm-2", 1)
    assert (suspects.in_quarantine(7), entered) == (True, [100.0])
    time.now += 60
    assert (suspects.in_quarantine(7), suspects.suspected(7)) == (False, False)


def test_two_lives_of_one_replica_are_two_deaths(suspects):
    suspects.died({7}, "llm-0", 1)
    suspects.died({7}, "llm-0", 2)
    assert suspects.in_quarantine(7)


def test_what_was_answered_is_no_suspect_for_as_long(suspects, time):
    suspects.died({7}, "llm-0", 1)
    suspects.answered(7)
    assert not suspects.suspected(7)
    suspects.died({7}, "llm-1", 1)
    assert not suspects.suspected(7)
    time.now += 60
    suspects.died({7}, "llm-1", 2)
    assert suspects.suspected(7)


def test_only_so_many_prompts_are_known(suspects):
    for number in range(1, 10_000):
        suspects.died({number}, "llm-0", 1)
    assert (suspects.suspected(1), suspects.suspected(9_999)) == (False, True)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), max_size=60))
def test_nothing_is_in_quarantine_that_saw_fewer_deaths(history):
    clock = Time()
    suspects = Suspects(deaths=2, quarantine_s=60.0, clock=clock, quarantined=lambda: None)
    deaths = {}
    for fingerprint, replica in history:
        suspects.died({fingerprint}, f"llm-{replica}", 0)
        deaths.setdefault(fingerprint, set()).add(replica)
    for fingerprint in range(1, 6):
        assert suspects.in_quarantine(fingerprint) is (len(deaths.get(fingerprint, ())) >= 2)


@pytest.mark.parametrize(
    ("fallen", "progress_at", "expected"),
    [
        ([Fallen(1, 9.0), Fallen(2, 10.1)], 10.0, {1, 2}),
        ([Fallen(1, 9.0), Fallen(2, 10.4)], 10.0, {1}),
        ([Fallen(1, 20.0), Fallen(2, 20.1), Fallen(3, 21.0)], 10.0, {1, 2}),
        ([Fallen(1, 9.0, until=9.5), Fallen(2, 9.8, until=10.0)], 10.0, {2}),
        ([Fallen(0, 9.0)], 10.0, set()),
        ([], 10.0, set()),
    ],
    ids=[
        "waiting at its last sign of life",
        "come after it",
        "come to an idle one",
        "failed while it lived on",
        "not followed",
        "nobody",
    ],
)
def test_only_those_that_were_there_may_have_done_it(fallen, progress_at, expected):
    assert who_may_have_done_it(fallen, progress_at=progress_at) == expected


def test_a_replica_that_was_gone_before_is_nobodys_doing():
    assert never_arrived(ReplicaFailed("connect", "failed to connect to all addresses; last error: refused"))
    assert not never_arrived(ReplicaFailed("connect", "Socket closed"))
    assert not never_arrived(ReplicaFailed("timeout", "failed to connect"))


def test_a_prompt_has_one_name_in_every_process():
    assert fingerprint_of("a prompt") == fingerprint_of("a prompt") != fingerprint_of("another")
    assert fingerprint_of("\ud800") > 0
