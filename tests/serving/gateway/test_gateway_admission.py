"""Admission: places, waits and refusals, with a pool of counted places and a clock in the test's hand."""

from __future__ import annotations

import asyncio

import pytest

from serving.gateway.admission import Admission, Clocks
from serving.gateway.config import AdmissionConfig
from serving.gateway.errors import ApiError
from serving.gateway.forecast import Forecast
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Job


class Place:
    """A lease as admission sees it."""

    def __init__(self, places, job):
        self.places, self.job = places, job
        self.outstanding_tokens = job.cost_tokens

    def release(self):
        self.places.taken.remove(self)
        self.places.tell()


class Places:
    """`free` places altogether, of `size` tokens each."""

    def __init__(self, free, size=1000):
        self.free, self.size, self.up = free, size, True
        self.taken = []
        self.tell = lambda: None

    def __iter__(self):
        return iter(self.taken)

    def has_room(self, job):
        return self.up and len(self.taken) < self.free

    def could_ever_fit(self, job):
        return job.cost_tokens <= self.size

    def any_up(self):
        return self.up

    def acquire(self, job):
        place = Place(self, job)
        self.taken.append(place)
        return place

    def on_change(self, tell):
        self.tell = tell


class Hall:
    """An admission with its pool; `now` is both clocks."""

    def __init__(self, free, **config):
        self.now = 1000.0
        self.places = Places(free)
        self.metrics = GatewayMetrics(ttft_threshold_s=1, tpot_threshold_s=1)
        self.forecast = Forecast(self.now)
        clocks = Clocks(lambda: self.now, lambda: self.now)
        config = AdmissionConfig(**config)
        self.admission = Admission(self.places, config, self.metrics, self.forecast, clocks=clocks)
        self.order = []

    def come(self, name, priority=0, tokens=10, deadline_in_s=None):
        deadline_at = None if deadline_in_s is None else self.now + deadline_in_s
        job = Job(name, "llm", "", {}, tokens, 0, priority=priority, deadline_at=deadline_at)

        async def wait():
            lease = await self.admission.admit(job)
            self.order.append(name)
            return lease

        return asyncio.create_task(wait(), name=name)

    async def come_all(self, *names, **more):
        tasks = [self.come(name, **more) for name in names]
        await settle()
        return tasks

    def value(self, name):
        return self.metrics.registry.get_sample_value(f"sre_gateway_{name}")


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def refusal(task):
    async with asyncio.timeout(2):
        with pytest.raises(ApiError) as caught:
            await task
    return caught.value


async def test_with_room_nobody_waits():
    hall = Hall(free=2)
    await hall.come_all("a", "b")
    assert hall.order == ["a", "b"]
    assert hall.value("queue_seconds_count") == 2


async def test_places_go_to_the_best_priority_and_then_to_the_first_to_come():
    hall = Hall(free=1)
    (first,) = await hall.come_all("first")
    await hall.come_all("low", priority=5)
    await hall.come_all("a", "b", "c")
    await hall.come_all("high", priority=-5)
    lease = await first
    for expected in ("high", "a", "b", "c", "low"):
        lease.release()
        await settle()
        assert hall.order[-1] == expected
        (lease,) = hall.places.taken


async def test_a_newcomer_does_not_pass_those_who_wait():
    hall = Hall(free=1)
    await hall.come_all("running", "waiting")
    hall.places.free = 2
    await hall.come_all("newcomer")
    hall.places.tell()
    await settle()
    assert hall.order == ["running", "waiting"]


async def test_a_better_one_takes_a_free_place_while_others_wait_for_one():
    hall = Hall(free=1)
    await hall.come_all("running", "waiting")
    hall.places.free = 2
    await hall.come_all("better", priority=-1)
    assert hall.order == ["running", "better"]


async def test_a_full_queue_refuses_with_a_computed_retry_after():
    hall = Hall(free=1, max_queue=1)
    hall.forecast.begin("x", hall.now - 5)
    hall.forecast.rate.add(100, hall.now)
    hall.forecast.rate.add(0, hall.now)
    await hall.come_all("running", tokens=300)
    await hall.come_all("waiting", tokens=100)
    (task,) = await hall.come_all("late")
    error = await refusal(task)
    rate = hall.forecast.rate.per_s(hall.now)
    assert (error.status, error.code, error.rejection, error.outcome) == (429, "queue_full", "queue_full", "rejected")
    assert error.headers()["Retry-After"] == str(-int(-400 // rate))
    assert 1 < int(error.headers()["Retry-After"]) < 60


async def test_a_full_queue_sheds_its_last_for_a_better_one():
    hall = Hall(free=1, max_queue=2)
    await hall.come_all("running")
    _, youngest = await hall.come_all("old", "young", priority=3)
    await hall.come_all("better")
    error = await refusal(youngest)
    assert (error.status, error.rejection) == (429, "shed")
    assert hall.value("queue_depth") == 2


async def test_who_waited_long_enough_is_told_to_come_again():
    hall = Hall(free=0, queue_timeout_s=2.0)
    (task,) = await hall.come_all("a")
    hall.now += 2.0
    error = await refusal(task)
    assert (error.status, error.rejection) == (429, "queue_timeout")
    assert hall.value("queue_depth") == hall.value("queue_tokens") == 0


async def test_with_no_replica_up_it_waits_a_little_and_says_503():
    hall = Hall(free=1, no_replica_wait_s=5.0)
    hall.places.up = False
    (task,) = await hall.come_all("a")
    hall.now += 4.9
    await asyncio.sleep(0.1)
    assert not task.done()
    hall.now += 0.2
    error = await refusal(task)
    assert (error.status, error.code, error.outcome) == (503, "no_healthy_replica", "error")


async def test_a_replica_that_comes_up_in_time_serves_who_waits():
    hall = Hall(free=1)
    hall.places.up = False
    (task,) = await hall.come_all("a")
    hall.places.up = True
    hall.places.tell()
    await asyncio.wait_for(task, 2)
    assert hall.order == ["a"]


async def test_what_fits_no_replica_is_the_client_s_mistake():
    hall = Hall(free=1)
    (task,) = await hall.come_all("huge", tokens=1001)
    error = await refusal(task)
    assert (error.status, error.code, error.outcome) == (400, "context_length_exceeded", "invalid")


async def test_an_expired_job_is_dropped_and_costs_no_place():
    hall = Hall(free=1)
    (running,) = await hall.come_all("running")
    (expired,) = await hall.come_all("expired", deadline_in_s=1.0)
    await hall.come_all("next")
    hall.now += 1.0
    (await running).release()
    error = await refusal(expired)
    await settle()
    assert (error.status, error.code, error.expired) == (504, "deadline_exceeded", "queue")
    assert hall.order == ["running", "next"]


async def test_an_expired_job_is_dropped_while_nothing_moves():
    hall = Hall(free=0)
    (task,) = await hall.come_all("a", deadline_in_s=1.0)
    hall.now += 1.0
    assert (await refusal(task)).expired == "queue"


async def test_a_deadline_that_has_passed_on_arrival_takes_no_place():
    hall = Hall(free=1)
    (task,) = await hall.come_all("a", deadline_in_s=0.0)
    assert (await refusal(task)).expired == "queue"
    assert hall.places.taken == []


async def test_who_leaves_gives_up_the_place_in_the_line():
    hall = Hall(free=0)
    gone, _ = await hall.come_all("gone", "b")
    gone.cancel()
    await settle()
    assert (hall.value("queue_depth"), hall.value("queue_tokens")) == (1, 10)


async def test_who_leaves_in_the_moment_of_being_served_gives_the_place_back():
    hall = Hall(free=1)
    (first,) = await hall.come_all("first")
    (gone,) = await hall.come_all("gone")
    (await first).release()
    hall.admission._serve()
    gone.cancel()
    await settle()
    assert gone.cancelled()
    assert hall.places.taken == []


async def test_the_gauges_show_the_line_and_the_prediction_rises_with_it():
    hall = Hall(free=1, queue_timeout_s=30.0)
    hall.forecast.begin("x", hall.now - 5)
    hall.forecast.rate.add(500, hall.now)
    calm = hall.value("predicted_ttft_seconds")
    tasks = await hall.come_all("running", "b", "c", tokens=100)
    assert (hall.value("queue_depth"), hall.value("queue_tokens")) == (2, 200)
    assert hall.value("predicted_ttft_seconds") == pytest.approx(calm + 200 / hall.forecast.rate.per_s(hall.now))
    for task in tasks[1:]:
        task.cancel()
    await settle()
    assert hall.value("predicted_ttft_seconds") == calm
