"""Replicas whose machines are taken: with notice, or several at once without."""

import json
import sys
import time

import pytest

from sre.chaos.faults import machines
from sre.chaos.faults.machines import SpotPreemption, ZoneLoss, drawn
from sre.chaos.faults.model import NotProven
from sre.chaos.processes.preemption import main
from sre.errors import PlatformError
from sre.platforms.model import Replica


@pytest.fixture
def started(monkeypatch):
    """Helpers that would have been started."""
    calls = []
    monkeypatch.setattr(machines, "start_background", lambda platform, lease, *call, **more: calls.append(call))
    return calls


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    for name in ("GONE_WITHIN_S", "DRAIN_SEEN_S", "AFTER_NOTICE_S"):
        monkeypatch.setattr(machines, name, 0.1)


@pytest.fixture
def real_time(clock):
    clock.at = time.time()


def test_notice_is_a_drain_with_a_kill_at_its_end(platform, lease_for, started, real_time):
    lease = lease_for(SpotPreemption(notice_s=20))
    assert lease.plan.replicas == ("llm-1",)  # the busiest
    SpotPreemption.apply(platform, lease)
    assert platform.orders == [("drain", "llm-1", 20.0, False, True)]
    ((module, (found_by, handle, at)),) = started
    assert module == "sre.chaos.processes.preemption"
    assert str(platform.state_dir) in found_by
    assert str(lease.plan.handles["process"]["pid"]) in handle
    assert float(at) == pytest.approx(lease.begin + 20)


def test_a_lease_shorter_than_the_notice_is_refused_before_anything_is_done(platform, lease_for, started):
    with pytest.raises(PlatformError, match="lengthen lease_s"):
        SpotPreemption.apply(platform, lease_for(SpotPreemption(notice_s=20), lease_s=10))
    assert (platform.orders, started) == ([], [])


def test_it_is_proven_drained_and_then_gone(platform, lease_for, started, real_time):
    lease = lease_for(SpotPreemption(notice_s=0.2))
    SpotPreemption.apply(platform, lease)
    with pytest.raises(NotProven, match=r"still runs 0.1 s after its notice"):
        SpotPreemption.prove(platform, lease)
    platform.signal(lease.plan.handles["process"], "kill")
    assert "llm-1: was drained, and was gone" in SpotPreemption.prove(platform, lease)


def test_a_replica_that_goes_on_serving_had_no_notice(platform, lease_for, real_time):
    with pytest.raises(NotProven, match="not seen draining"):
        SpotPreemption.prove(platform, lease_for(SpotPreemption()))


def test_the_machine_comes_back_by_the_undo_however_often(platform, lease_for, started, real_time):
    lease = lease_for(SpotPreemption())
    SpotPreemption.apply(platform, lease)
    SpotPreemption.undo(platform, lease)
    SpotPreemption.undo(platform, lease)
    assert platform.serving["llm-1"]


def test_when_the_platform_is_gone_nothing_is_left_to_bring_back(platform, lease_for, started):
    preempted, lost = lease_for(SpotPreemption()), lease_for(ZoneLoss())
    platform.up = False
    SpotPreemption.undo(platform, preempted)
    ZoneLoss.undo(platform, lost)
    assert platform.orders == []


def test_a_replica_that_left_the_platform_is_not_asked_for(platform, lease_for, started):
    lease = lease_for(SpotPreemption())
    del platform.serving_since["llm-1"]
    SpotPreemption.undo(platform, lease)
    assert platform.orders == []


def test_at_the_end_of_the_notice_the_very_process_is_killed(platform, monkeypatch):
    handle = platform.process("server", "llm-1")
    monkeypatch.setenv("SRE_FAULT_DEADLINE_AT", repr(time.time() + 60))
    monkeypatch.setattr("sre.chaos.processes.preemption.select_platform", lambda _: platform)
    monkeypatch.setattr("sre.chaos.processes.preemption.end_at", lambda _: None)
    monkeypatch.setattr(sys, "argv", ["preemption", "{}", json.dumps(handle), repr(time.time())])
    main()
    assert platform.condition(handle) == "gone"


def test_a_zone_is_lost_at_once_and_stays_away(platform, lease_for):
    lease = lease_for(ZoneLoss(replicas=["llm-2", "llm-0"]))
    assert lease.plan.replicas == ("llm-2", "llm-0")
    ZoneLoss.apply(platform, lease)
    assert platform.signals == [("server", "llm-2", "kill"), ("server", "llm-0", "kill")]
    assert [order[:2] for order in platform.orders] == [("drain", "llm-2"), ("drain", "llm-0")]
    assert ZoneLoss.prove(platform, lease) == "llm-2, llm-0: their server processes are gone"
    ZoneLoss.undo(platform, lease)
    assert platform.orders[2:] == [("undrain", "llm-2"), ("undrain", "llm-0")]


def test_one_that_a_scale_in_takes_does_not_keep_the_others_away(platform, lease_for, monkeypatch):
    lease = lease_for(ZoneLoss(replicas=["llm-2", "llm-0"]))
    ZoneLoss.apply(platform, lease)
    undrain = platform.undrain

    def refuse(name):
        if name == "llm-2":
            raise PlatformError("replica llm-2 is leaving (scale-in)")
        undrain(name)

    monkeypatch.setattr(platform, "undrain", refuse)
    with pytest.raises(PlatformError, match="llm-2 is leaving"):
        ZoneLoss.undo(platform, lease)
    assert platform.serving == {"llm-2": False, "llm-0": True}
    del platform.serving_since["llm-2"]
    ZoneLoss.undo(platform, lease)


def test_without_staying_away_the_supervisor_has_its_way(platform, lease_for):
    lease = lease_for(ZoneLoss(replicas=2, stay_away=False))
    ZoneLoss.apply(platform, lease)
    ZoneLoss.undo(platform, lease)
    assert len(platform.signals) == 2
    assert platform.orders == []


def test_one_survivor_is_named(platform, lease_for):
    platform.make_stubborn("server", "llm-1")
    lease = lease_for(ZoneLoss(replicas=["llm-0", "llm-1"]))
    ZoneLoss.apply(platform, lease)
    with pytest.raises(NotProven, match=r"^llm-1: still runs"):
        ZoneLoss.prove(platform, lease)


def replicas(*states):
    return tuple(Replica(f"llm-{i}", state, 7, 1.0, 0, "") for i, state in enumerate(states))


def test_a_draw_is_replayed_from_its_seed_and_takes_ready_ones_only():
    there = replicas("ready", "starting", "ready", "ready", "ready")
    draws = {seed: drawn(there, 2, seed=seed) for seed in range(20)}
    assert draws == {seed: drawn(there[::-1], 2, seed=seed) for seed in range(20)}
    assert {name for names in draws.values() for name in names} == {"llm-0", "llm-2", "llm-3", "llm-4"}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [(4, "4 replicas asked for, 2 are ready"), (["llm-1", "llm-9"], "llm-1, llm-9 is not ready: use some of llm-0")],
)
def test_more_than_there_is_cannot_be_lost(wanted, says):
    with pytest.raises(PlatformError, match=says):
        drawn(replicas("ready", "starting", "ready"), wanted, seed=0)


def test_a_name_given_twice_is_one_replica():
    assert drawn(replicas("ready", "ready"), ["llm-1", "llm-1"], seed=0) == ("llm-1",)
