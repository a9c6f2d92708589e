"""The timeline is sorted, complete, and the same whatever order its evidence comes in."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from sre.incidents.model import (
    ChaosStep,
    ClientRecord,
    FaultWindow,
    Journal,
    LedgerLines,
    Observation,
    PlatformEvent,
)
from sre.incidents.timeline import timeline

WATCHED = Observation(0.0, 1000.0, "scraper")
TIMES = st.floats(0, 1000, allow_nan=False)
NAMES = st.sampled_from(["llm-0", "llm-1", "llm-2"])
EVENTS = st.builds(
    PlatformEvent, TIMES, st.sampled_from(["replica_exited", "replica_ready", "gateway_ready", "odd_event"]), NAMES
)
FAULTS = st.builds(
    lambda key, target, begin, lasts, proven: FaultWindow(
        f"f-{key}", "replica-crash", target, begin, None if lasts is None else begin + lasts, proven, "gone",
        begin + 0.1 if proven else None,
    ),
    st.integers(0, 99), NAMES, TIMES, st.none() | st.floats(0.2, 50), st.booleans(),
)  # fmt: skip
OUTCOMES = st.sampled_from(["ok", "error", "truncated", "cancelled"])
RECORDS = st.builds(
    lambda key, sent, took, outcome: ClientRecord(
        f"r{key}", sent, sent, sent + took / 2, sent + took, sent + took, 1, 1, None, outcome, ("llm-0",)
    ),
    st.integers(0, 10**6), TIMES, st.floats(0.01, 9), OUTCOMES,
)  # fmt: skip


@given(
    faults=st.lists(FAULTS, max_size=4),
    events=st.lists(EVENTS, max_size=15),
    records=st.lists(RECORDS, max_size=15, unique_by=lambda r: r.id),
    seed=st.integers(0, 9),
)
def test_it_is_sorted_complete_and_independent_of_input_order(faults, events, records, seed):
    def built(faults, events, records):
        return timeline(faults=faults, events=events, journal=None, results=(), records=records, observation=WATCHED)

    rows = built(faults, events, records)
    assert [r.at for r in rows] == sorted(r.at for r in rows)
    assert sum(r.source == "events.jsonl" for r in rows) == len(events)
    expected = sum(1 + f.proven + (f.end is not None) for f in faults)
    assert sum(r.source == "chaos.jsonl" for r in rows) == expected
    assert all(r.source and r.text for r in rows)
    for evidence in (faults, events, records):
        random.Random(seed).shuffle(evidence)
    assert built(faults, events, records) == rows


def test_at_the_same_instant_the_cause_stands_before_what_it_caused():
    fault = FaultWindow("f-1", "replica-crash", "llm-1", 10.0, None, False, "", None)
    rows = timeline(
        faults=(fault,),
        events=(PlatformEvent(10.0, "replica_exited", "llm-1"),),
        journal=None,
        results=(),
        records=(ClientRecord("r1", 5.0, 5.0, None, None, 10.0, 1, 0, None, "error", ()),),
        observation=WATCHED,
    )
    assert [r.kind for r in rows if r.at == 10.0] == ["load", "fault", "impact", "platform"]


def test_the_journal_tells_the_steady_states_and_every_step():
    steps = (
        ChaosStep("before", "slo-holds", "probe", "succeeded", 1.0, 1.1, True),
        ChaosStep("method", "kill", "action", "failed", 2.0, 2.5),
        ChaosStep("after", "slo-holds", "probe", "succeeded", 3.0, 3.1, False),
        ChaosStep("rollback", "heal", "action", "succeeded", 4.0, 4.1),
    )
    rows = timeline(
        faults=(), events=(), journal=Journal("completed", True, True, False, steps), results=(), records=(),
        observation=WATCHED,
    )  # fmt: skip
    assert [r.text for r in rows] == [
        "steady state before the fault: met",
        "action 'kill' failed after 0.50 s",
        "probe 'slo-holds' succeeded after 0.10 s, outside its tolerance",
        "steady state after the fault: NOT met",
        "rollback 'heal' succeeded after 0.10 s",
    ]


def test_every_row_points_at_the_record_it_was_read_from():
    fault = FaultWindow(
        *("f-1", "replica-crash", "llm-1", 10.0, 16.0, True, "gone", 10.1),
        undone_at=10.2,
        undone_by="run",
        lines=LedgerLines(3, 4, 5, 6),
    )
    steps = (
        ChaosStep(
            "after", "slo-holds", "probe", "succeeded", 3.0, 3.1, True, "journal.json#/steady_states/after/probes/0"
        ),
        ChaosStep("method", "kill", "action", "failed", 10.0, 10.2, evidence="journal.json#/run/0"),
    )
    rows = timeline(
        faults=(fault,),
        events=(PlatformEvent(10.3, "replica_exited", "llm-1", evidence="events.jsonl:12"),),
        journal=Journal("completed", True, None, True, steps),
        results=(),
        records=(ClientRecord("r1", 5.0, 5.0, None, None, 10.0, 1, 0, None, "error", (), line=77),),
        observation=WATCHED,
    )
    assert [(r.text.split(" (")[0], r.evidence) for r in rows] == [
        ("steady state after the fault: met", "journal.json#/steady_states/after/steady_state_met"),
        ("first request sent", "requests.jsonl:77"),
        ("last request finished: 1 in all", "requests.jsonl:77"),
        ("replica-crash begins on llm-1", "chaos.jsonl:3"),
        ("first failed request: error after 0 tokens", "requests.jsonl:77"),
        ("replica-crash proven: gone", "chaos.jsonl:4"),
        ("action 'kill' failed after 0.20 s", "journal.json#/run/0"),
        ("replica-crash undone by run", "chaos.jsonl:5"),
        ("llm-1 exited: the supervisor saw it", "events.jsonl:12"),
        ("replica-crash on llm-1 is over", "chaos.jsonl:6"),
    ]
