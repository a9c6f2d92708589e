"""A replica count that jumps up and down."""

import pytest

from sre.chaos.faults import capacity
from sre.chaos.faults.capacity import AutoscalerThrash, youngest
from sre.chaos.faults.model import NotProven
from sre.chaos.leases.ledger import Ledger
from sre.chaos.leases.records import fault_begin
from sre.chaos.processes.thrash import thrash
from sre.errors import PlatformError
from sre.platforms.model import Replica


@pytest.fixture(autouse=True)
def helper(monkeypatch):
    calls = []
    monkeypatch.setattr(capacity, "start_background", lambda platform, lease, *call, **more: calls.append(call))
    monkeypatch.setattr(capacity, "MOVED_WITHIN_S", -0.6)
    return calls


def test_what_leaves_at_the_low_point_counts_as_hit(platform):
    plan = AutoscalerThrash(low=1, high=4).plan(platform)
    assert (plan.replicas, plan.components) == (("llm-2", "llm-1"), ("autoscaler",))
    assert plan.handles["before"] == 3
    assert AutoscalerThrash(low=3, high=4).plan(platform).replicas == ()


def test_a_count_that_moves_already_is_waited_for(platform):
    platform.desired = 2
    with pytest.raises(PlatformError, match="3 replicas are there, 2 are wanted: wait"):
        AutoscalerThrash().plan(platform)


def test_a_second_one_is_refused_it_would_go_back_to_a_count_of_the_first(platform, run, lease_for):
    Ledger(platform.state_dir).append(fault_begin(lease_for(AutoscalerThrash()), params={}))
    with pytest.raises(PlatformError, match="one is under way"):
        AutoscalerThrash().plan(platform)


def test_those_that_do_not_serve_leave_first():
    there = tuple(Replica(f"llm-{i}", "ready", 7, 1.0, 0, "", serving=i != 0) for i in range(4))
    assert youngest(there, 2) == ("llm-0", "llm-3")
    assert youngest(there, -1) == ()


def test_a_high_point_below_what_runs_is_no_surge_of_cost(platform):
    with pytest.raises(PlatformError, match="3 replicas run, high is 2"):
        AutoscalerThrash(low=1, high=2).plan(platform)


def test_it_is_proven_by_a_count_that_moved_and_undone_to_the_count_before(platform, lease_for, helper):
    lease = lease_for(AutoscalerThrash(low=2, high=4, period_s=1))
    AutoscalerThrash.apply(platform, lease)
    ((module, (_, *numbers)),) = helper
    assert (module, numbers) == ("sre.chaos.processes.thrash", ["2", "4", "1"])
    with pytest.raises(NotProven, match=r"still 3 replicas after 0.4 s: it said nothing"):
        AutoscalerThrash.prove(platform, lease)
    platform.serving_since["llm-3"] = float("inf")
    assert AutoscalerThrash.prove(platform, lease) == "replicas went from 3 to 4"
    AutoscalerThrash.undo(platform, lease)
    AutoscalerThrash.undo(platform, lease)
    assert platform.orders == [("scale", 3), ("scale", 3)]


def test_a_platform_started_meanwhile_keeps_its_own_count(platform, lease_for):
    platform.platform_id = "aaa"
    lease = lease_for(AutoscalerThrash())
    platform.platform_id = "bbb"
    AutoscalerThrash.undo(platform, lease)
    platform.up = False
    AutoscalerThrash.undo(platform, lease)
    assert platform.orders == []


def test_it_is_well_when_as_many_as_before_serve(platform, lease_for, clock):
    lease = lease_for(AutoscalerThrash())
    platform.serving_since["llm-3"] = 0.0
    with pytest.raises(PlatformError, match="not 3 serving replicas"):
        AutoscalerThrash.recovered(platform, lease, timeout_s=0.1)
    del platform.serving_since["llm-3"]
    AutoscalerThrash.recovered(platform, lease, timeout_s=0.1)


def test_out_and_in_again_and_what_is_refused_is_written_down(platform, monkeypatch, capsys):
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    def scale(replicas, *, reason=""):
        if replicas == 9:
            raise PlatformError("9 replicas: this platform runs 1 to 4")
        platform.orders.append((replicas, reason))

    monkeypatch.setattr("sre.chaos.processes.thrash.time.sleep", nap)
    monkeypatch.setattr(platform, "scale", scale)
    with pytest.raises(KeyboardInterrupt):
        thrash(platform, 1, 9, period_s=7, reason="fault f-1")
    assert platform.orders == [(1, "fault f-1")]
    assert naps == [7, 7, 7]
    assert "refused (9 replicas: this platform runs 1 to 4): 9 replicas" in capsys.readouterr().out
