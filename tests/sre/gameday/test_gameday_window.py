"""Of a platform that several drills share, each drill gets its own evidence and nobody else's."""

import json

import numpy as np

from sre.chaos.leases.ledger import Ledger, LedgerRecord
from sre.gameday.rotation import rotation_events
from sre.gameday.window import own_events, own_records, write_own_events, write_own_ledger
from sre.metrics.model import Series, SeriesId


def begin(at, run):
    return LedgerRecord(at, "run_begin", detail={"run": run})


def fault(at, event, fault_id, run="", **detail):
    return LedgerRecord(at, event, fault_id, "replica-crash", "llm-0", {"run": run, **detail} if run else detail)


LEDGER = (
    begin(10.0, "r-1"),
    fault(11.0, "fault_begin", "f-1", "r-1"),
    LedgerRecord(20.0, "run_end", detail={"run": "r-1"}),
    begin(30.0, "r-2"),
    fault(31.0, "fault_begin", "f-2", "r-2"),
    fault(32.0, "fault_undone", "f-1", by="watchdog"),
    fault(33.0, "fault_proven", "f-2", how="gone"),
    LedgerRecord(40.0, "run_end", detail={"run": "r-2"}),
)


def test_a_drills_ledger_holds_its_own_runs_and_their_faults_only():
    own = own_records(LEDGER, since=25.0)
    assert [(r.event, r.fault_id) for r in own] == [
        *(("run_begin", ""), ("fault_begin", "f-2"), ("fault_proven", "f-2"), ("run_end", "")),
    ]


def test_a_fault_that_another_run_causes_meanwhile_is_not_ours():
    stranger = fault(34.0, "fault_begin", "f-9", "r-somebody")
    assert "f-9" not in {r.fault_id for r in own_records((*LEDGER, stranger), since=25.0)}


def test_the_own_ledger_is_written_whole_each_time(tmp_path):
    state, folder = tmp_path / "state", tmp_path / "report"
    state.mkdir(), folder.mkdir()
    for record in LEDGER:
        Ledger(state).append(record)
    for _ in range(2):
        write_own_ledger(state, folder, since=25.0)
    assert Ledger(folder).read() == own_records(LEDGER, since=25.0)


def event(at, what, replica="llm-0"):
    return {"at": at, "event": what, "replica": replica, "pid": 1, "detail": {}}


EVENTS = [
    event(1.0, "platform_starting", None),
    event(1.1, "replica_started"),
    event(2.0, "replica_ready"),
    event(10.0, "replica_exited"),
    event(11.0, "replica_started"),
    event(12.0, "replica_ready"),
    event(12.5, "replica_started", "llm-1"),
    event(13.0, "replica_exited", "llm-1"),
    event(30.0, "replica_exited"),
]


def test_events_of_earlier_drills_are_left_out_but_for_the_life_each_replica_leads():
    assert own_events(EVENTS, since=25.0, until=40.0) == [EVENTS[4], EVENTS[5], EVENTS[8]]
    assert own_events(EVENTS, since=0.0, until=40.0) == EVENTS
    assert own_events(EVENTS, since=25.0, until=30.0) == [EVENTS[4], EVENTS[5]]


def test_the_own_events_are_lines_again(tmp_path):
    source, target = tmp_path / "all.jsonl", tmp_path / "own.jsonl"
    source.write_text("".join(json.dumps(e) + "\n" for e in EVENTS))
    write_own_events(source, target, since=25.0, until=40.0)
    assert [json.loads(line) for line in target.read_text().splitlines()] == [EVENTS[4], EVENTS[5], EVENTS[8]]


class Source:
    name = "scraper"

    def __init__(self, **states):
        self.states = states

    def series(self, selector, *, start, end):
        return [
            Series(SeriesId(selector.name, (("replica", "llm-0"), ("state", state))), np.arange(3.0), np.array(values))
            for state, values in self.states.items()
        ]


def test_the_gateways_samples_tell_when_a_replica_left_rotation_and_came_back():
    out, back = rotation_events(Source(up=[1.0, 0.0, 0.0], half_open=[0.0, 0.0, 1.0]), start=-1.0, end=9.0)
    assert (out.at, out.event, out.replica, out.source) == (1.0, "replica_out_of_rotation", "llm-0", "scraper")
    assert (back.at, back.event) == (2.0, "replica_in_rotation")
    assert rotation_events(Source(up=[1.0, 1.0, 1.0]), start=-1.0, end=9.0) == ()
