"""Actions find the run of this process, inject under its blast radius, and speak Chaos Toolkit."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from chaoslib.exceptions import ActivityFailed

from sre.chaos import acting
from sre.chaos.acting import healed, injected
from sre.chaos.actions import crash_replica, heal_faults
from sre.chaos.leases import recovery
from sre.chaos.leases.ledger import Ledger, LedgerRecord
from sre.chaos.leases.records import run_begin
from sre.platforms.processes import ProcessRef


@pytest.fixture
def found(platform, monkeypatch):
    """The platform, found whatever the configuration says; its watchdog needs no process here."""
    monkeypatch.setattr(acting, "select_platform", lambda configuration: platform)
    monkeypatch.setattr(acting, "ensure_watchdog", lambda platform: None)
    return platform


def crash(replica="busiest", lease_s=60):
    return injected("replica-crash", {"replica": replica}, lease_s=lease_s, configuration=None)


def events(platform):
    return [record.event for record in Ledger(platform.state_dir).read() if record.fault_id]


@pytest.fixture(autouse=True)
def wall_clock(clock, monkeypatch):
    """Waiting is counted by the platform's clock, which is ahead of the wall clock that leases are written with."""
    monkeypatch.setattr(acting, "time", SimpleNamespace(monotonic=clock))
    monkeypatch.setattr(recovery, "time", SimpleNamespace(time=clock))
    clock.at = 4_000_000_000.0  # leases of these tests do not end by themselves


def test_the_busiest_replica_is_crashed_and_the_output_says_what_was_seen(found, run):
    output = crash()
    assert output["target"] == "llm-1"
    assert "gone" in output["proof"]
    assert found.condition_of("server", "llm-1") == "gone"
    assert events(found) == ["fault_begin", "fault_proven"]


def test_the_public_action_takes_the_same_way(found, run):
    assert crash_replica(60, "llm-2")["target"] == "llm-2"


def test_without_a_registered_run_nothing_is_broken(found):
    with pytest.raises(ActivityFailed, match=r"sre\.chaos\.control"):
        crash()
    assert (found.signals, events(found)) == ([], [])


def test_the_run_of_another_process_does_not_count(found, run):
    ended = LedgerRecord(1.0, "run_end", detail={"run": run.run_id})
    Ledger(found.state_dir).append(ended)
    other = replace(run, run_id="r-2", process=ProcessRef(1, 1.0))
    Ledger(found.state_dir).append(run_begin(other, at=1.0))
    with pytest.raises(ActivityFailed, match="no run is registered"):
        crash()


@pytest.mark.parametrize(
    ("name", "params", "says"),
    [
        ("replica-crsh", {}, "does not exist: use one of"),
        ("replica-crash", {"replica": "llm-9"}, "llm-9"),
        ("replica-crash", {"replicas": 2}, "replicas"),
    ],
)
def test_wrong_use_is_one_line_and_nothing_is_injected(found, run, name, params, says):
    with pytest.raises(ActivityFailed, match=says) as raised:
        injected(name, params, lease_s=60, configuration=None)
    assert "\n" not in str(raised.value)
    assert (found.signals, events(found)) == ([], [])


def test_healing_undoes_all_of_this_run_and_waits_until_it_is_well(found, run, clock):
    crash("llm-0")
    crash("llm-1")
    output = healed(timeout_s=30, configuration=None)
    assert len(output["undone"]) == len(output["recovered"]) == 2
    assert sorted(events(found))[-2:] == ["fault_undone", "fault_undone"]
    assert not Ledger(found.state_dir).open_faults()


def test_healing_again_is_quick_and_changes_nothing(found, run):
    crash()
    heal_faults()
    before = events(found)
    assert heal_faults() == {"undone": [], "recovered": {}}
    assert events(found) == before


def test_what_does_not_recover_fails_the_activity_after_the_timeout_in_all(found, run, clock):
    found.restart_s = None
    crash("llm-0")
    crash("llm-1")
    began = clock.at
    with pytest.raises(ActivityFailed, match="does not serve"):
        healed(timeout_s=3, configuration=None)
    assert clock.at - began <= 3
    assert not Ledger(found.state_dir).open_faults()  # undone it is, all the same


def test_the_fault_of_another_run_is_left_alone(found, run):
    crash("llm-0")
    Ledger(found.state_dir).append(LedgerRecord(1.0, "run_end", detail={"run": run.run_id}))
    Ledger(found.state_dir).append(run_begin(replace(run, run_id="r-2"), at=1.0))
    assert healed(timeout_s=3, configuration=None)["undone"] == []


def test_healing_nothing_on_a_platform_that_is_down_is_harmless(found, run):
    found.up = False
    assert healed(timeout_s=3, configuration=None) == {"undone": [], "recovered": {}}


def test_a_platform_that_is_down_fails_the_activity_with_the_mend(found, run):
    found.up = False
    with pytest.raises(ActivityFailed, match="sre up"):
        crash()
