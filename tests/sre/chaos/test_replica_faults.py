"""Replicas whose processes die or freeze: proven from outside, and undone without harm to whoever came after them."""

import json

import pytest

from sre.chaos.faults import replica as faults
from sre.chaos.faults import serving
from sre.chaos.faults.model import NotProven
from sre.chaos.faults.replica import ReplicaCrash, ReplicaHang, StubCrash
from sre.errors import PlatformError, SreError
from sre.platforms.model import Unsupported

TARGET = "llm-1"
ALL = [ReplicaCrash(), StubCrash(), ReplicaHang(), ReplicaHang(part="stub")]


@pytest.fixture
def lease(lease_for):
    return lambda fault: lease_for(fault)


@pytest.fixture
def applied(platform, lease_for):
    """The lease of a fault that was applied."""

    def do(fault):
        made = lease_for(fault)
        fault.apply(platform, made)
        return made

    return do


def hits(platform):
    """Signals that change something: to continue a process that runs does not."""
    return [sent for sent in platform.signals if sent[-1] != "continue"]


def replaced(platform, clock):
    """The supervisor starts the replica anew while the fault lasts."""
    platform.signal(platform.process("server", TARGET), "kill")
    clock.at += platform.restart_s
    assert platform.process("stub", TARGET)
    platform.signals.clear()


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: f"{fault.name} {getattr(fault, 'part', '')}")
def test_each_hits_the_busiest_and_is_proven(platform, applied, fault):
    proof = fault.prove(platform, applied(fault))
    assert proof.startswith(f"{TARGET}: ")
    assert platform.condition_of("server", "llm-0") == "running"


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: f"{fault.name} {getattr(fault, 'part', '')}")
def test_a_plan_is_json_and_touches_nothing(platform, lease, fault):
    plan = lease(fault).plan
    assert json.loads(json.dumps(plan.handles)) == plan.handles
    assert (platform.signals, platform.told) == ([], [])


@pytest.mark.parametrize("fault", ALL[1:], ids=lambda fault: f"{fault.name} {getattr(fault, 'part', '')}")
def test_an_undo_leaves_the_successor_alone(platform, clock, applied, fault):
    made = applied(fault)
    replaced(platform, clock)
    fault.undo(platform, made)
    assert platform.signals == []


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: f"{fault.name} {getattr(fault, 'part', '')}")
def test_an_undo_of_what_was_never_applied_does_nothing(platform, lease, fault):
    fault.undo(platform, lease(fault))
    assert hits(platform) == []


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: f"{fault.name} {getattr(fault, 'part', '')}")
def test_a_replica_that_was_scaled_away_needs_no_undo_and_no_recovery(platform, applied, fault):
    made = applied(fault)
    for part in ("server", "stub"):
        if handle := made.plan.handles.get(part):
            platform.signal(handle, "kill")
    del platform.serving_since[TARGET]
    fault.undo(platform, made)
    assert fault.recovered(platform, made, timeout_s=0.2) == 0.0


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: f"{fault.name} {getattr(fault, 'part', '')}")
def test_a_platform_that_is_down_has_nothing_to_undo(platform, applied, fault):
    made = applied(fault)
    for part in ("server", "stub"):
        if handle := made.plan.handles.get(part):
            platform.signal(handle, "kill")
    platform.up = False
    fault.undo(platform, made)


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: f"{fault.name} {getattr(fault, 'part', '')}")
def test_what_was_undone_serves_again_and_a_second_undo_changes_nothing(platform, applied, fault):
    made = applied(fault)
    fault.undo(platform, made)
    signals = hits(platform)
    fault.undo(platform, made)
    assert hits(platform) == signals
    fault.recovered(platform, made, timeout_s=5)
    assert serving.why_silent(platform, TARGET) is None


def test_a_kill_that_leaves_the_process_running_is_not_proven(platform, applied, monkeypatch):
    monkeypatch.setattr(faults, "GONE_WITHIN_S", 0.05)
    platform.kill_fails = True
    for fault in (ReplicaCrash(), StubCrash()):
        with pytest.raises(NotProven, match="still runs"):
            fault.prove(platform, applied(fault))


def test_a_stub_crash_is_proven_by_a_failing_inference_over_a_server_that_runs(platform, applied):
    proof = StubCrash().prove(platform, applied(StubCrash()))
    assert "its server running" in proof
    assert "Stub process" in proof


def test_a_stub_crash_after_which_inferences_succeed_is_not_proven(platform, applied):
    made = applied(StubCrash())
    platform._start("stub", TARGET)
    with pytest.raises(NotProven, match="still succeeds"):
        StubCrash().prove(platform, made)


def test_where_no_inference_can_be_made_the_process_table_must_do(platform, applied, monkeypatch):
    def infer(*_, **__):
        raise Unsupported("not past the Service")

    made = applied(ReplicaHang())
    monkeypatch.setattr(platform, "infer", infer)
    assert "is stopped; an inference: none was made" in ReplicaHang().prove(platform, made)
    ReplicaHang().undo(platform, made)
    assert ReplicaHang().recovered(platform, made, timeout_s=1) == platform.serving_since[TARGET]


def test_a_dead_stub_is_undone_by_killing_its_server(platform, applied):
    made = applied(StubCrash())
    StubCrash().undo(platform, made)
    assert platform.signals[-1] == ("server", TARGET, "kill")


def test_a_frozen_server_is_continued_and_not_killed(platform, applied):
    made = applied(ReplicaHang())
    ReplicaHang().undo(platform, made)
    assert platform.signals == [("server", TARGET, "stop"), ("server", TARGET, "continue")]


def test_a_server_over_a_frozen_stub_is_killed_and_never_woken(platform, applied):
    made = applied(ReplicaHang(part="stub"))
    ReplicaHang(part="stub").undo(platform, made)
    assert platform.signals[:2] == [("stub", TARGET, "stop"), ("server", TARGET, "kill")]
    assert ("stub", TARGET, "continue") not in platform.signals


@pytest.mark.parametrize("part", ["server", "stub"])
def test_a_stop_that_a_starved_process_has_yet_to_meet_is_taken_back(platform, applied, part):
    platform.starve(part, TARGET)
    made = applied(ReplicaHang(part=part))
    assert platform.condition(made.plan.handles[part]) == "running"
    ReplicaHang(part=part).undo(platform, made)
    platform.feed()
    assert platform.condition(made.plan.handles[part]) == "running"
    assert hits(platform) == [(part, TARGET, "stop")]


def test_what_is_stopped_already_is_not_stopped_again(platform, applied, lease):
    applied(ReplicaHang())
    with pytest.raises(PlatformError, match="llm-1: its server is stopped already: end that fault first"):
        lease(ReplicaHang())


def test_a_process_that_does_not_freeze_is_not_proven(platform, lease, monkeypatch):
    monkeypatch.setattr(faults, "STOPPED_WITHIN_S", 0.05)
    platform.make_stubborn("server", TARGET)
    made = lease(ReplicaHang())
    ReplicaHang().apply(platform, made)
    with pytest.raises(NotProven, match="not stopped"):
        ReplicaHang().prove(platform, made)


def test_a_process_that_stays_frozen_is_an_error_to_be_tried_again(platform, applied, monkeypatch):
    monkeypatch.setattr(faults, "STOPPED_WITHIN_S", 0.05)
    made = applied(ReplicaHang())
    platform.make_stubborn("server", TARGET)
    with pytest.raises(PlatformError, match="stays stopped"):
        ReplicaHang().undo(platform, made)


def test_only_server_and_stub_can_hang():
    with pytest.raises(SreError, match="part is 'gateway': write one of server, stub"):
        ReplicaHang(part="gateway")


def test_a_replica_is_recovered_only_when_the_gateway_routes_to_it(platform, applied):
    made = applied(ReplicaHang())
    ReplicaHang().undo(platform, made)
    platform.serving[TARGET] = False
    with pytest.raises(PlatformError, match="the gateway holds it out"):
        ReplicaHang().recovered(platform, made, timeout_s=0.2)
    platform.serving[TARGET] = True
    assert ReplicaHang().recovered(platform, made, timeout_s=0.2) == platform.serving_since[TARGET]


def test_a_replica_that_answers_nothing_is_not_recovered(platform, applied):
    made = applied(StubCrash())
    with pytest.raises(PlatformError, match="does not serve in time"):
        StubCrash().recovered(platform, made, timeout_s=0.2)
