"""The watcher's verdicts, with channels that do what the test says and a clock in its hand."""

from __future__ import annotations

import asyncio

import pytest

from serving.gateway.app import Gateway
from serving.gateway.config import (
    AdmissionConfig,
    FailoverConfig,
    GatewayConfig,
    HealthConfig,
    ReplicaConfig,
    RoutingConfig,
)
from serving.gateway.errors import JobRefused, ReplicaFailed
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Finish, Job, Piece
from serving.gateway.pool import Pool, PoolRules
from serving.gateway.prober import Patience, Watcher, probe_job

PASSES = [Piece("a", None), Piece("", Finish("length", 3, 1))]


class ScriptedChannel:
    """Each probe reads the same pieces; an exception among them is raised, None is silence."""

    def __init__(self, pieces=PASSES):
        self.pieces = pieces
        self.cancelled = 0
        self.closed = False

    def start(self, job, resume=None):
        return ScriptedStream(self, list(self.pieces))

    async def close(self):
        self.closed = True


class ScriptedStream:
    def __init__(self, channel, pieces):
        self.channel = channel
        self.pieces = pieces

    async def read(self, timeout_s):
        piece = self.pieces.pop(0)
        if piece is None:
            await asyncio.sleep(3600)
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def finish(self):
        pass

    def cancel(self):
        self.channel.cancelled += 1


class Fleet:
    """A pool of scripted replicas, its watcher, and the time."""

    def __init__(self, *names, **health):
        self.now = 0.0
        rules = PoolRules(HealthConfig(**health), FailoverConfig(), AdmissionConfig(), RoutingConfig())
        metrics = GatewayMetrics(ttft_threshold_s=1.0, tpot_threshold_s=0.05)
        self.pool = Pool(rules, metrics, connect=lambda config: ScriptedChannel(), clock=lambda: self.now)
        self.pool.put([ReplicaConfig(name=name, url=f"http://{name}") for name in names])
        for replica in self.pool:
            self.pool.probe_passed(replica)
        self.watcher = Watcher(self.pool, probe_job("llm"), Patience(0.05, 10.0), lambda: self.now)

    def __getitem__(self, name):
        return self.pool.get(name)

    def busy(self, name, pieces=1):
        """A job that waits for its next piece from `name`, and what it is told."""
        others = {replica.name for replica in self.pool} - {name}
        lease = self.pool.acquire(Job("r", "llm", "hi", {}, 1, 100), exclude=others)
        for _ in range(pieces):
            lease.piece(self.now)
        told = []
        lease.on_lost = told.append
        lease.waiting = True
        self.watcher.look(self.now)
        return lease, told

    def look(self, at):
        self.now = at
        self.watcher.look(at)

    def states(self):
        return [replica.health.state for replica in self.pool]


@pytest.fixture
async def fleet():
    made = []

    def build(*names, **health):
        made.append(Fleet(*names, **({"idle_probe_s": 3600} | health)))
        return made[-1]

    yield build
    for one in made:
        for task in one.watcher._tasks:
            task.cancel()


async def test_a_finished_inference_brings_a_replica_up(fleet):
    world = fleet("a")
    world.pool.lose(world["a"], ReplicaFailed("connect", "gone"))
    await world.watcher.probe(world["a"])
    assert world["a"].up


@pytest.mark.parametrize(
    ("pieces", "state"),
    [
        ([ReplicaFailed("connect", "refused")], "down"),
        ([ReplicaFailed("error", "stub")], "ejected"),
        ([Piece("a", None), ReplicaFailed("error", "cut before the end")], "ejected"),
        ([None], "ejected"),
        ([JobRefused("no such model")], "ejected"),
    ],
)
async def test_anything_else_takes_it_out_and_leaves_no_work_behind(fleet, pieces, state):
    world = fleet("a")
    world["a"].channel.pieces = pieces
    await world.watcher.probe(world["a"])
    assert world.states() == [state]
    assert world["a"].channel.cancelled == 1


async def test_silence_with_work_in_hand_is_a_stall(fleet):
    world = fleet("a", "b")
    _, told = world.busy("a")
    world.look(0.9)
    assert world.states() == ["up", "up"]
    world.look(1.1)
    assert world.states() == ["ejected", "up"]
    assert told[0].reason == "timeout"


async def test_a_piece_on_any_stream_is_progress_for_all(fleet):
    world = fleet("a", "b")
    lease, _ = world.busy("a")
    _, told = world.busy("a", pieces=0)
    for at in (0.8, 1.6, 2.4):
        world.now = at
        lease.piece(at)
        world.look(at)
    assert told == []


async def test_silence_without_work_is_no_stall(fleet):
    world = fleet("a", "b")
    world.look(100.0)
    assert world.states() == ["up", "up"]


async def test_new_work_on_a_long_silent_replica_starts_a_new_wait(fleet):
    world = fleet("a", "b")
    world.now = 100.0
    world.busy("a")
    world.look(100.9)
    assert world.states() == ["up", "up"]


async def test_work_that_keeps_arriving_does_not_hide_a_stall(fleet):
    world = fleet("a", "b")
    world.busy("a")
    for at in (0.4, 0.8):
        world.now = at
        world.busy("a", pieces=0)
    world.look(1.1)
    assert world.states() == ["ejected", "up"]


async def test_a_job_whose_client_is_slow_waits_for_nobody(fleet):
    world = fleet("a", "b")
    lease, _ = world.busy("a")
    lease.waiting = False
    world.look(5.0)
    lease.waiting = True
    world.look(5.1)
    assert world.states() == ["up", "up"]


async def test_a_long_prompt_alone_is_given_its_time(fleet):
    world = fleet("a", "b")
    lease, _ = world.busy("a", pieces=0)
    lease.prefill_tokens = 10_000  # 1 s at the rate assumed before any was seen, three times that is granted
    world.look(3.9)
    assert world.states() == ["up", "up"]
    world.look(4.1)
    assert world.states() == ["ejected", "up"]


async def test_the_last_replica_is_suspect_and_probed_but_not_ejected(fleet):
    world = fleet("a")
    _, told = world.busy("a")
    world.look(1.1)
    assert world.states() == ["up"]
    assert world["a"].health.probing
    assert told == []


async def test_a_stream_that_alone_is_silent_is_timed_out(fleet):
    world = fleet("a", "b")
    lively, _ = world.busy("a")
    _, told = world.busy("a")
    for at in range(1, 11):
        lively.piece(float(at) - 0.5)
        world.look(float(at))
    assert [failure.reason for failure in told] == ["timeout"]
    assert world.states() == ["up", "up"]


async def test_a_first_token_is_due_at_its_time(fleet):
    world = fleet("a", stall_min_s=60, stall_max_s=60)
    lease, told = world.busy("a", pieces=0)
    lease.first_due_at = 30.0
    world.look(29.9)
    assert told == []
    world.look(30.0)
    assert [failure.reason for failure in told] == ["timeout"]


async def test_a_much_slower_replica_is_taken_out_and_keeps_its_streams(fleet):
    world = fleet("a", "b", "c", slow_factor=3.0, stall_min_s=60, stall_max_s=60)
    _, told = world.busy("a")
    for name, gap_s in (("a", 0.1), ("b", 0.02), ("c", 0.02)):
        for _ in range(100):
            world[name].health.pace.step(gap_s)
    world.look(0.1)
    assert world.states() == ["ejected", "up", "up"]
    assert told == []


async def test_a_slow_replica_that_falls_silent_loses_its_streams(fleet):
    world = fleet("a", "b")
    _, told = world.busy("a")
    world.pool.eject(world["a"], "slow", ReplicaFailed("timeout", "slow"))
    world.look(1.1)
    assert [failure.reason for failure in told] == ["timeout"]


async def test_a_removed_replica_is_closed(fleet):
    world = fleet("a")
    channel = world["a"].channel
    world.pool.put([])
    world.look(0.1)
    await asyncio.sleep(0)
    assert channel.closed


async def test_silence_while_the_gateway_itself_was_stopped_is_forgiven(fleet):
    """The event loop stands still for longer than the patience: nobody could have been heard."""
    world = fleet("a", "b")
    world.busy("a")
    task = asyncio.create_task(world.watcher.run())
    for _ in range(3):
        await asyncio.sleep(0)
    world.now = 5.0
    world.pool.attention.set()
    for _ in range(5):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert world.states() == ["up", "up"]


async def test_a_watcher_that_dies_ends_the_gateway():
    config = GatewayConfig(port=0, replicas=[{"name": "a", "grpc_address": "127.0.0.1:1"}])
    gateway = Gateway(config)
    gateway.pool._connect = lambda config: ScriptedChannel([ZeroDivisionError("a bug")])
    await gateway.start()
    try:
        async with asyncio.timeout(5):
            with pytest.raises(ZeroDivisionError):
                await gateway.wait(asyncio.Event())
    finally:
        await gateway.stop()
