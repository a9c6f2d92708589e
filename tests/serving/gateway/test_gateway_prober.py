"""The prober's verdicts, with channels that do what the test says."""

from __future__ import annotations

import asyncio

import pytest

from serving.gateway.app import Gateway
from serving.gateway.config import GatewayConfig
from serving.gateway.errors import JobRefused, ReplicaFailed
from serving.gateway.model import Finish, Piece
from serving.gateway.pool import Replica
from serving.gateway.prober import Prober, probe_job

PASSES = [Piece("a", None), Piece("", Finish("length", 3, 1))]


class ScriptedChannel:
    """Each probe reads the same pieces; an exception among them is raised, None is silence."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.cancelled = 0

    def start(self, job):
        return ScriptedStream(self, list(self.pieces))

    async def close(self):
        pass


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


def prober(**changes):
    settings = {"interval_s": 0.01, "timeout_s": 0.05, "idle_s": 60.0, "stall_s": 60.0, "clock": lambda: 0.0} | changes
    return Prober(probe_job("llm"), **settings)


async def test_a_finished_inference_brings_a_replica_up():
    replica = Replica("a", ScriptedChannel(PASSES))
    await prober(clock=lambda: 42.0).probe(replica)
    assert (replica.up, replica.served_at) == (True, 42.0)


@pytest.mark.parametrize(
    "pieces",
    [
        [ReplicaFailed("connect", "refused")],
        [ReplicaFailed("error", "stub")],
        [Piece("a", None), ReplicaFailed("error", "cut before the end")],
        [None],
        [JobRefused("no such model")],
    ],
)
async def test_anything_else_takes_it_down_and_leaves_no_work_behind(pieces):
    replica = Replica("a", ScriptedChannel(pieces))
    replica.mark_up()
    await prober().probe(replica)
    assert not replica.up
    assert replica.channel.cancelled == 1


async def test_a_busy_replica_is_left_alone():
    replica = Replica("a", ScriptedChannel([ReplicaFailed("error", "a probe would take it down")]))
    replica.mark_up()
    replica.served_at = 0.0
    task = asyncio.create_task(prober(clock=lambda: 59.0).watch(replica))
    await asyncio.sleep(0.05)
    assert replica.up
    task.cancel()


async def test_a_prober_that_dies_ends_the_gateway():
    config = GatewayConfig(port=0, replicas=[{"name": "a", "grpc_address": "127.0.0.1:1"}])
    gateway = Gateway(config)
    (replica,) = gateway.pool
    await replica.channel.close()
    replica.channel = ScriptedChannel([ZeroDivisionError("a bug")])
    await gateway.start()
    try:
        async with asyncio.timeout(5):
            with pytest.raises(ZeroDivisionError):
                await gateway.wait(asyncio.Event())
    finally:
        await gateway.stop()


async def test_a_replica_with_work_that_falls_silent_is_suspect_and_probed():
    replica = Replica("a", ScriptedChannel([ReplicaFailed("timeout", "frozen")]))
    replica.mark_up()
    replica.inflight = 1
    task = asyncio.create_task(prober(clock=lambda: 2.0, stall_s=2.0).watch(replica))
    await asyncio.sleep(0.005)
    assert not replica.up
    task.cancel()
