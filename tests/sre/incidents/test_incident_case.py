"""An incident as its events leave it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.incidents.case import advance, fold, item_of
from sre.incidents.events import (
    KINDS,
    AlertSeen,
    Answered,
    Draft,
    Event,
    ItemSet,
    Linked,
    Measured,
    MilestoneMark,
    Observed,
    Opened,
    SeveritySet,
    StatusSet,
)
from sre.incidents.payloads import payload_of, payload_text
from sre.incidents.store.chain import GENESIS, chained

FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(max_size=20)
NAMES = st.sampled_from(["detected", "alerted", "mitigated", "x"])
PAYLOADS = st.one_of(
    st.builds(StatusSet, st.sampled_from(["open", "acknowledged", "mitigated", "resolved", "closed"]), TEXT),
    st.builds(SeveritySet, st.sampled_from(["SEV1", "SEV4"]), st.none() | st.just("SEV2"), TEXT),
    st.builds(MilestoneMark, NAMES, st.none() | FINITE, FINITE, TEXT),
    st.builds(AlertSeen, TEXT, st.sampled_from(["firing", "resolved"]), TEXT, st.none() | FINITE, st.none() | FINITE),
    st.builds(Observed, TEXT, TEXT),
    st.builds(Linked, st.sampled_from(["report", "runbook"]), st.sampled_from("ab"), TEXT),
    st.builds(ItemSet, st.sampled_from(["A1", "A2"]), TEXT, TEXT, st.none(), st.none() | TEXT, st.just("open")),
    st.builds(Answered, TEXT, TEXT, st.none() | st.sampled_from("PSMU")),
    st.builds(Measured, st.dictionaries(NAMES, st.sampled_from(["", "1"])), st.dictionaries(NAMES, TEXT)),
)


def told(*payloads: object, incident: str = "INC-0001") -> tuple[Event, ...]:
    """These payloads as the events of one incident, its opening first."""
    opened = Opened("slow answers", "manual", "SEV3", "key", "llm", "EXP-001")
    drafts = [Draft(float(n), payload, "t", "s", "a") for n, payload in enumerate((opened, *payloads))]
    rows = chained(drafts, incident=incident, seq=0, after=GENESIS, recorded_at=99.0)
    return tuple(event for _, event in rows)


@given(st.lists(PAYLOADS, max_size=12))
def test_what_more_is_told_continues_what_was_known(payloads):
    """Prefix-stable: the list's line after n + 1 events is that after n, advanced by one."""
    events = told(*payloads)
    for n in range(1, len(events)):
        assert fold(events[: n + 1]).head == advance(fold(events[:n]).head, events[n])


@given(st.lists(PAYLOADS, max_size=12))
def test_nothing_that_was_told_is_lost(payloads):
    case = fold(told(*payloads))
    assert [event.payload for event in case.events[1:]] == [payload_of_kept(payload) for payload in payloads]
    assert case.head.events == len(payloads) + 1
    assert {name for name, (mark, _) in case.marks.items() if mark.instant is not None} == set(case.head.milestones)
    assert set(case.reasons) >= {n for p in payloads[-1:] if isinstance(p, Measured) for n in p.reasons}


def payload_of_kept(payload):
    kind = next(kind for kind, known in KINDS.items() if type(payload) is known)
    return payload_of(kind, payload_text(payload), "x")


def test_the_newest_word_holds():
    case = fold(
        told(
            StatusSet("resolved"),
            SeveritySet("SEV1", None, "the board"),
            MilestoneMark("detected", 5.0),
            MilestoneMark("detected", 3.0),
            Measured({"cost_usd": "", "requests": "1"}, {"cost_usd": "no price"}),
            Measured({"requests": "2"}),
            Linked("report", "r", "old"),
            Linked("runbook", "b"),
            Linked("report", "r", "new"),
            StatusSet("open", "it came back"),
        )
    )
    assert (case.head.status, case.head.severity) == ("open", "SEV1")
    assert case.head.milestones == {"detected": 3.0}
    assert case.head.figures == {"cost_usd": "", "requests": "2"}
    assert case.reasons == {"cost_usd": "no price"}
    assert [(link.target, link.title) for link in case.links] == [("r", "new"), ("b", "")]


def test_a_milestone_that_turned_out_to_be_na_is_out_of_the_list_and_keeps_its_reason():
    case = fold(told(MilestoneMark("resolved", 5.0), MilestoneMark("resolved", None, reason="opened again")))
    assert case.head.milestones == {}
    assert case.marks["resolved"][0].reason == "opened again"


def test_a_figure_that_became_known_has_no_reason_to_be_na():
    case = fold(told(Measured({"cost_usd": ""}, {"cost_usd": "no price"}), Measured({"cost_usd": "3"})))
    assert (case.head.figures, case.reasons) == ({"cost_usd": "3"}, {})


@pytest.mark.parametrize(
    "events",
    [
        (),
        told()[1:],
        told(Observed("note"))[1:],
        (*told(Observed("note")), *told(Observed("note"))),
        (told(Observed("note"))[0], replace(told(Observed("note"))[1], seq=3)),
        (told()[0], told(Observed("note"), incident="INC-0002")[1]),
    ],
    ids=["none", "nothing left", "no opening", "opened twice", "a gap", "two incidents"],
)
def test_what_is_no_incident_is_refused(events):
    with pytest.raises(ValueError, match=r"INC-|one event at least"):
        fold(events)


@pytest.mark.parametrize(
    ("status", "due", "late"),
    [
        ("open", "2026-02-28", True),
        ("started", "2026-02-28", True),
        ("open", "2026-03-01", False),
        ("open", None, False),
        ("done", "2026-02-28", False),
        ("dropped", "2026-02-28", False),
    ],
)
def test_an_action_is_overdue_from_the_day_after_until_it_is_done_or_dropped(status, due, late):
    assert item_of("INC-0001", ItemSet("A1", "t", "o", None, due, status)).is_overdue("2026-03-01") is late
