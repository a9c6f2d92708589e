"""Replicas join, drain, come back and leave while the platform runs. Real processes, no server."""

import asyncio

import psutil
import pytest

from serving.errors import BadInput
from serving.fleet.membership import Refused, UnknownReplica


async def test_scaling_out_starts_the_lowest_free_names_and_tells_the_gateway_what_they_hold(world, eventually):
    assert await world.members.scale(4, reason="load") == 4
    await eventually(lambda: [r.state for r in world.state.replicas] == ["ready"] * 4)
    assert world.names == ["llm-0", "llm-1", "llm-2", "llm-3"]
    assert world.gateway.calls == [("put", world.names)]
    assert world.gateway.entries[3]["max_seqs"] == 4
    assert world.gateway.entries[3]["kv_tokens"] == 1000
    assert world.scraped == [world.names]
    assert world.state.desired_replicas == 4
    assert [e["detail"] for e in world.events("scaled")] == [{"from": 2, "to": 4, "reason": "load"}]


async def test_every_port_of_a_platform_is_another(world, eventually):
    await world.members.scale(6, reason="")
    addresses = [a for r in world.state.replicas for a in (r.http_url, r.grpc_address, r.metrics_url)]
    ports = {a.removesuffix("/metrics").rsplit(":", 1)[1] for a in addresses}
    assert len(ports) == 18


async def test_scaling_in_drains_the_youngest_and_then_ends_it(world, eventually):
    pid = world.replica("llm-1").pid
    world.gateway.view("llm-1", inflight=2)
    await world.members.scale(1, reason="quiet")
    await eventually(lambda: ("drain", "llm-1") in world.gateway.calls)
    assert world.replica("llm-1").state == "draining"
    assert psutil.pid_exists(pid)
    world.gateway.view("llm-1", inflight=0)
    await eventually(lambda: world.names == ["llm-0"])
    await eventually(lambda: world.gateway.calls[-1] == ("put", ["llm-0"]))
    assert not psutil.pid_exists(pid)
    assert world.scraped == [["llm-0"]]
    told = [e["event"] for e in world.events("replica_drain_started", "replica_exited", "replica_drained")]
    assert told == ["replica_drain_started", "replica_exited", "replica_drained"]


async def test_a_name_that_left_is_given_again(world, eventually):
    await world.members.scale(1, reason="")
    await eventually(lambda: world.names == ["llm-0"])
    await world.members.scale(2, reason="")
    await eventually(lambda: world.replica("llm-1").state == "ready")


async def test_scaling_in_prefers_a_replica_that_does_not_serve(run_world, eventually):
    async with run_world(replicas=3) as world:
        world.replica("llm-0").routed("ejected")
        await world.members.scale(2, reason="")
        await eventually(lambda: world.names == ["llm-1", "llm-2"])


async def test_a_leaving_replica_is_not_counted_twice(run_world, eventually):
    async with run_world(replicas=3) as world:
        world.gateway.view("llm-2", inflight=1)
        await world.members.scale(2, reason="")
        await world.members.scale(2, reason="again")
        await world.members.scale(3, reason="back")
        assert world.names == ["llm-0", "llm-1", "llm-2", "llm-3"]
        world.gateway.view("llm-2", inflight=0)
        await eventually(lambda: world.names == ["llm-0", "llm-1", "llm-3"])
        with pytest.raises(UnknownReplica):
            await world.members.drain("llm-2", grace_s=0)


@pytest.mark.parametrize("wanted", [0, -1])
async def test_a_size_below_one_is_refused(world, wanted):
    with pytest.raises(BadInput, match="use 1 to 16"):
        await world.members.scale(wanted, reason="")
    assert world.names == ["llm-0", "llm-1"]


async def test_more_than_the_platform_may_have_is_as_many_as_it_may(run_world):
    async with run_world(max_replicas=3, replicas=2) as world:
        assert await world.members.scale(40, reason="") == 3
        assert world.names == ["llm-0", "llm-1", "llm-2"]
        assert world.events("scaled")[0]["detail"]["to"] == 3


async def test_a_drained_replica_has_no_process_and_is_not_scraped(world, eventually):
    pid = world.replica("llm-0").pid
    await world.members.drain("llm-0", grace_s=5)
    await eventually(lambda: world.replica("llm-0").state == "drained")
    assert not psutil.pid_exists(pid)
    assert world.names == ["llm-0", "llm-1"]
    assert world.scraped == [["llm-1"]]
    assert world.events("replica_drained")[0]["detail"]["inflight_left"] == 0


async def test_what_is_in_flight_when_the_grace_ends_is_counted(world, eventually, monkeypatch):
    monkeypatch.setattr("serving.fleet.membership.DRAIN_MARGIN_S", 0.1)
    world.gateway.view("llm-0", inflight=3)
    await world.members.drain("llm-0", grace_s=0.2)
    await eventually(lambda: world.replica("llm-0").state == "drained")
    assert world.events("replica_drained")[0]["detail"]["inflight_left"] == 3


async def test_undrain_starts_a_drained_replica_again(world, eventually):
    await world.members.drain("llm-0", grace_s=0)
    await eventually(lambda: world.replica("llm-0").state == "drained")
    await world.members.undrain("llm-0")
    await eventually(lambda: world.replica("llm-0").state == "ready")
    await eventually(lambda: world.gateway.calls[-1] == ("undrain", "llm-0"))
    assert world.scraped == [["llm-1"], ["llm-0", "llm-1"]]


async def test_undrain_keeps_a_replica_that_is_still_draining(world, eventually):
    pid = world.replica("llm-0").pid
    world.gateway.view("llm-0", inflight=1)
    await world.members.drain("llm-0", grace_s=60)
    await eventually(lambda: ("drain", "llm-0") in world.gateway.calls)
    await world.members.undrain("llm-0")
    await eventually(lambda: world.replica("llm-0").state == "ready")
    assert world.replica("llm-0").pid == pid
    await eventually(lambda: world.gateway.calls[-1] == ("undrain", "llm-0"))


async def test_undrain_while_the_process_ends_waits_for_its_end(world, eventually, monkeypatch):
    ended = asyncio.Event()
    keeper = world.keepers["llm-0"]
    pid = keeper.info.pid

    async def slow_stop(self, *, grace_s):
        ended.set()
        await asyncio.sleep(0.2)
        self.kill_session()
        await self.wait()

    monkeypatch.setattr("serving.fleet.replica.Child.stop", slow_stop)
    await world.members.drain("llm-0", grace_s=0)
    await ended.wait()
    await world.members.undrain("llm-0")
    await eventually(lambda: keeper.info.state == "ready" and keeper.info.pid != pid)
    assert not psutil.pid_exists(pid)


async def test_a_drain_with_restart_comes_back_as_another_process(world, eventually):
    pid = world.replica("llm-1").pid
    await world.members.drain("llm-1", grace_s=0, restart=True)
    await eventually(lambda: world.replica("llm-1").state == "ready" and world.replica("llm-1").pid != pid)
    assert world.replica("llm-1").restarts == 0


async def test_a_replica_that_dies_while_it_drains_stays_down(world, eventually):
    world.gateway.view("llm-0", inflight=1)
    await world.members.drain("llm-0", grace_s=60)
    await eventually(lambda: world.replica("llm-0").state == "draining")
    world.keepers["llm-0"].kill()
    await eventually(lambda: world.replica("llm-0").state == "drained")
    assert world.events("replica_restart_scheduled") == []


async def test_the_last_replica_that_serves_is_not_drained_unless_forced(world, eventually):
    world.replica("llm-1").routed("ejected")
    with pytest.raises(Refused, match="llm-0 is the last one that serves"):
        await world.members.drain("llm-0", grace_s=0)
    await world.members.drain("llm-0", grace_s=0, force=True)
    await eventually(lambda: world.replica("llm-0").state == "drained")


async def test_two_drains_at_once_do_not_take_the_last_two(world):
    world.gateway.view("llm-0", inflight=1)
    await world.members.drain("llm-0", grace_s=60)
    await asyncio.sleep(0)
    with pytest.raises(Refused, match="llm-1 is the last one"):
        await world.members.drain("llm-1", grace_s=60)


async def test_an_unknown_replica_lists_the_known_ones(world):
    with pytest.raises(UnknownReplica, match="use one of llm-0, llm-1"):
        await world.members.drain("llm-9", grace_s=0)


async def test_a_leaving_replica_cannot_be_kept(world, eventually):
    world.gateway.view("llm-1", inflight=1)
    await world.members.scale(1, reason="")
    with pytest.raises(Refused, match="is leaving"):
        await world.members.undrain("llm-1")


async def test_a_silent_gateway_does_not_keep_a_replica_from_leaving(world, eventually, monkeypatch):
    monkeypatch.setattr("serving.fleet.membership.SCALE_IN_GRACE_S", 0.1)
    monkeypatch.setattr("serving.fleet.membership.DRAIN_MARGIN_S", 0.1)
    world.gateway.fail = True
    await world.members.scale(1, reason="")
    await eventually(lambda: world.names == ["llm-0"])


async def test_stop_ends_what_drains_too(world, eventually):
    pids = [r.pid for r in world.state.replicas]
    world.gateway.view("llm-0", inflight=1)
    await world.members.drain("llm-0", grace_s=60)
    await eventually(lambda: world.replica("llm-0").state == "draining")
    await world.members.stop()
    assert not any(psutil.pid_exists(pid) for pid in pids)


async def test_orders_that_meet_leave_no_process_behind_and_no_member_that_never_leaves(world, eventually):
    """Both wait for the same earlier change to end: the replica that is to leave must not be started again."""
    world.gateway.view("llm-1", inflight=1)
    await world.members.drain("llm-1", grace_s=60)
    await eventually(lambda: ("drain", "llm-1") in world.gateway.calls)
    restart = world.members.drain("llm-1", grace_s=0, restart=True)
    answers = await asyncio.gather(restart, world.members.scale(1, reason=""), return_exceptions=True)
    assert isinstance(answers[0], Refused)
    world.gateway.view("llm-1", inflight=0)
    await eventually(lambda: world.names == ["llm-0"])
    await asyncio.sleep(0.2)
    assert len(world.events("replica_started")) == 2


async def test_two_drains_in_the_same_moment_do_not_take_the_last_two(world):
    drains = [world.members.drain(name, grace_s=60) for name in ("llm-0", "llm-1")]
    answers = await asyncio.gather(*drains, return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None), Refused]


async def test_a_gateway_restarted_during_a_drain_is_told_again_before_the_replica_ends(world, eventually):
    world.gateway.view("llm-0", inflight=1)
    await world.members.drain("llm-0", grace_s=60)
    await eventually(lambda: ("drain", "llm-0") in world.gateway.calls)
    world.gateway.view("llm-0", state="up", inflight=0)
    await eventually(lambda: world.replica("llm-0").state == "drained")
    assert world.gateway.calls.count(("drain", "llm-0")) == 2
