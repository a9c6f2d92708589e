"""A crash is written down before it happens, proven after it, and ended when the replica serves again."""

import pytest
from chaoslib.exceptions import ActivityFailed

from sre.chaos import actions
from sre.chaos.actions import crash, recover, restore
from sre.chaos.ledger import Ledger, LedgerRecord, fault_windows
from sre.errors import PlatformError


def events(platform):
    return [(r.event, r.target) for r in Ledger(platform.state_dir).read()]


def test_the_busiest_replica_is_crashed_and_the_ledger_proves_it(platform, clock):
    output = crash(platform, "busiest", now=clock)
    assert platform.kills == ["llm-1"]
    assert output["replica"] == "llm-1"
    assert events(platform) == [("fault_begin", "llm-1"), ("fault_proven", "llm-1")]
    begin, proven = Ledger(platform.state_dir).read()
    assert begin.at <= proven.detail["killed_at"] <= proven.at


def test_the_ledger_is_written_before_the_kill(platform, clock, monkeypatch):
    seen = []
    kill = platform.kill_replica
    monkeypatch.setattr(platform, "kill_replica", lambda name: (seen.extend(events(platform)), kill(name))[1])
    crash(platform, "llm-2", now=clock)
    assert seen == [("fault_begin", "llm-2")]


def test_the_last_ready_replica_is_never_killed(platform, clock):
    for name in ("llm-0", "llm-1"):
        platform.serving_since[name] = float("inf")
    with pytest.raises(PlatformError, match="blast radius"):
        crash(platform, "any", min_healthy=0, now=clock)
    assert (platform.kills, events(platform)) == ([], [])


def test_a_crash_beyond_the_stated_blast_radius_is_refused(platform, clock):
    crash(platform, "llm-0", min_healthy=2, now=clock)
    with pytest.raises(PlatformError, match="would leave 1 ready"):
        crash(platform, "llm-1", min_healthy=2, now=clock)
    assert platform.kills == ["llm-0"]


def test_an_unproven_kill_is_written_down_and_raised(platform, clock):
    platform.kill_fails = True
    with pytest.raises(PlatformError, match="still runs"):
        crash(platform, "llm-0", now=clock)
    assert events(platform) == [("fault_begin", "llm-0"), ("fault_not_proven", "llm-0")]


def test_a_fault_ends_when_the_replica_serves_again(platform, clock):
    crash(platform, "busiest", now=clock)
    output = recover(platform, timeout_s=30)
    (fault,) = windows(platform)
    assert fault.end == platform.serving_since["llm-1"]
    assert output["recovered_after_s"] == pytest.approx(2.01)


def test_a_replica_that_does_not_come_back_leaves_its_fault_open(platform, clock):
    platform.restart_s = None
    crash(platform, "busiest", now=clock)
    with pytest.raises(PlatformError, match="does not serve after 30 s"):
        recover(platform, timeout_s=30)
    assert len(Ledger(platform.state_dir).open_faults()) == 1


def test_without_an_open_fault_there_is_nothing_to_wait_for(platform):
    assert recover(platform, timeout_s=30)["replica"] is None


def test_the_rollback_ends_every_open_fault_once(platform, clock):
    crash(platform, "llm-0", now=clock)
    crash(platform, "llm-1", now=clock)
    assert len(restore(platform, timeout_s=30, now=clock)["ended"]) == 2
    before = events(platform)
    assert restore(platform, timeout_s=30, now=clock)["ended"] == []
    assert events(platform) == before
    assert all(fault.end > fault.begin for fault in windows(platform))


def test_the_rollback_of_an_unproven_fault_ends_it_now(platform, clock):
    platform.kill_fails = True
    with pytest.raises(PlatformError):
        crash(platform, "llm-0", now=clock)
    clock.at += 5
    restore(platform, timeout_s=30, now=clock)
    assert windows(platform)[0].end == clock.at


def test_the_rollback_fails_when_a_replica_stays_away(platform, clock):
    platform.restart_s = None
    crash(platform, "llm-0", now=clock)
    with pytest.raises(PlatformError, match="does not serve"):
        restore(platform, timeout_s=3, now=clock)


def test_the_rollback_waits_no_longer_than_its_timeout_in_all(platform, clock):
    platform.restart_s = None
    crash(platform, "llm-0", now=clock)
    began = clock.at
    with pytest.raises(PlatformError):
        restore(platform, timeout_s=3, now=clock)
    assert clock.at - began <= 3


def test_the_rollback_of_nothing_on_a_platform_that_is_down_is_harmless(platform, clock):
    platform.up = False
    assert restore(platform, timeout_s=3, now=clock) == {"ended": [], "ready": []}


def test_the_rollback_of_an_open_fault_on_a_platform_that_is_down_fails(platform, clock):
    crash(platform, "llm-0", now=clock)
    platform.up = False
    with pytest.raises(PlatformError, match="sre up"):
        restore(platform, timeout_s=3, now=clock)


def test_chaos_toolkit_sees_refusals_as_failed_activities(tmp_path):
    for action in (actions.crash_replica, actions.wait_recovered):
        configuration = {"state_dir": str(tmp_path)}
        if action is actions.wait_recovered:
            Ledger(tmp_path).append(_open_fault())
        with pytest.raises(ActivityFailed, match="sre up"):
            action(configuration=configuration)


def _open_fault():
    return LedgerRecord(1.0, "fault_begin", "f-1", "replica-crash", "llm-0")


def windows(platform):
    return fault_windows(Ledger(platform.state_dir).read())
