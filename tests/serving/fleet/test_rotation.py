"""What the gateway says of replicas is noted, acted upon when it lasts, and mended when it is not what is wanted."""

import os
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.fleet.gateway import Rotation
from serving.fleet.model import ReplicaInfo
from serving.fleet.rotation import MISSES_FORGIVEN, RotationWatch, held_out_s

STATES = st.sampled_from(["up", "half_open", "ejected", "draining", "down"])


def watch_of(world, unhealthy_restart_s=20.0):
    return RotationWatch(world.journal, world.client, world.members, unhealthy_restart_s, world.journal._now)


def test_a_cold_start_is_not_held_against_a_replica():
    replica = ReplicaInfo("llm-0", state="ready", ready_at=100.0)
    assert held_out_s(replica, Rotation("llm-0", "down", 0, 60.0), now=101.0) == 1.0


@given(state=STATES, down_s=st.floats(0, 1e6), process=st.sampled_from(["starting", "backoff", "draining", "drained"]))
def test_only_a_replica_that_claims_to_be_ready_is_held_out(state, down_s, process):
    assert held_out_s(ReplicaInfo("llm-0", state=process, ready_at=1.0), Rotation("x", state, 0, down_s), now=9e6) == 0


@given(state=st.sampled_from(["up", "half_open", "draining"]), down_s=st.floats(0, 1e6))
def test_one_that_serves_or_drains_is_not_held_out(state, down_s):
    assert held_out_s(ReplicaInfo("llm-0", state="ready", ready_at=1.0), Rotation("x", state, 0, down_s), now=9e6) == 0


async def test_the_state_file_says_who_serves_and_who_does_not(world):
    world.gateway.view("llm-1", state="ejected", down_s=1.0)
    await watch_of(world).look()
    assert (world.replica("llm-0").serving, world.replica("llm-0").rotation) == (True, "up")
    assert (world.replica("llm-1").serving, world.replica("llm-1").rotation) == (False, "ejected")
    assert world.replica("llm-1").state == "ready"
    assert '"rotation": "ejected"' in world.files.state.read_text()


async def test_a_frozen_replica_is_replaced_once(world, eventually):
    replica = world.replica("llm-1")
    pid = replica.pid
    os.kill(pid, signal.SIGSTOP)
    replica.ready_at -= 60
    world.gateway.view("llm-1", state="ejected", down_s=20.1)
    watch = watch_of(world)
    await watch.look()
    await watch.look()
    await eventually(lambda: replica.state == "ready" and replica.pid != pid)
    await watch.look()
    told = world.events("replica_unhealthy")
    assert [(e["replica"], e["pid"], e["detail"]) for e in told] == [("llm-1", pid, {"down_s": 20.1})]
    assert replica.restarts == 1


async def test_one_that_is_out_for_less_is_left_alone(world):
    world.replica("llm-1").ready_at -= 60
    world.gateway.view("llm-1", state="ejected", down_s=19.9)
    await watch_of(world).look()
    assert world.events("replica_unhealthy") == []


async def test_a_gateway_that_is_late_once_has_not_lost_its_replicas(world):
    watch = watch_of(world)
    await watch.look()
    world.gateway.fail = True
    for _ in range(MISSES_FORGIVEN - 1):
        await watch.look()
    assert watch.serving() == 2
    await watch.look()
    assert watch.serving() == 0
    assert {r.rotation for r in world.state.replicas} == {None}


async def test_a_gateway_that_knows_other_replicas_is_told_again(world):
    world.gateway.replicas.pop("llm-1")
    world.gateway.view("llm-7")
    await watch_of(world).look()
    assert world.gateway.calls == [("put", ["llm-0", "llm-1"])]


@pytest.mark.parametrize(("wanted", "seen", "call"), [("ready", "draining", "undrain"), ("draining", "up", "drain")])
async def test_a_lost_drain_or_undrain_is_repeated(world, wanted, seen, call):
    world.replica("llm-0").state = wanted
    world.gateway.view("llm-0", state=seen)
    await watch_of(world).look()
    assert world.gateway.calls == [(call, "llm-0")]


async def test_while_none_serves_replicas_are_replaced_one_at_a_time(world, eventually):
    """The gateway itself may be at fault: then killing them all helps nobody and cuts what they still do."""
    for replica in world.state.replicas:
        replica.ready_at -= 600
        world.gateway.view(replica.name, state="ejected", down_s=100.0)
    world.gateway.view("llm-1", down_s=101.0)
    clock = [world.journal._now()]
    watch = RotationWatch(world.journal, world.client, world.members, 20.0, lambda: clock[0], start_limit_s=60.0)

    def replaced():
        return [event["replica"] for event in world.events("replica_unhealthy")]

    await watch.look()
    await watch.look()
    assert replaced() == ["llm-1"]
    clock[0] += 79.0
    await watch.look()
    assert replaced() == ["llm-1"]
    clock[0] += 1.1
    await watch.look()
    assert replaced() == ["llm-1", "llm-0"]


async def test_once_one_serves_again_the_others_that_are_held_out_are_replaced(world):
    for replica in world.state.replicas:
        replica.ready_at -= 600
        world.gateway.view(replica.name, state="ejected", down_s=100.0)
    watch = watch_of(world)
    await watch.look()
    (first,) = [event["replica"] for event in world.events("replica_unhealthy")]
    world.gateway.view(first, state="up", down_s=0.0)
    await watch.look()
    assert {event["replica"] for event in world.events("replica_unhealthy")} == {"llm-0", "llm-1"}
