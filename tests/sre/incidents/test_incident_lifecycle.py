"""What a person may do to an incident as it stands."""

from __future__ import annotations

import pytest

from sre.errors import SreError
from sre.incidents.case import fold
from sre.incidents.events import Draft, MilestoneMark, Opened, SeveritySet, StatusSet
from sre.incidents.lifecycle import ORDER, Saying, grade, move, reopen
from sre.incidents.store.chain import GENESIS, chained

ADA = Saying(50.0, "ada")


def case(*payloads, severity="SEV3"):
    drafts = [Draft(1.0, payload, "t", "s", "a") for payload in (Opened("t", "manual", severity), *payloads)]
    return fold([event for _, event in chained(drafts, incident="INC-0001", seq=0, after=GENESIS, recorded_at=9.0)])


def at(status):
    return case() if status == "open" else case(StatusSet("resolved"), StatusSet(status))


@pytest.mark.parametrize("to", ORDER[1:4])
@pytest.mark.parametrize("now", ORDER)
def test_an_incident_moves_forward_only_and_steps_may_be_left_out(now, to):
    if ORDER.index(to) > ORDER.index(now):
        status, mark = move(at(now), to, ADA)
        assert status.payload == StatusSet(to)
        assert mark.payload == MilestoneMark(to, 50.0)
    else:
        with pytest.raises(SreError, match=f"INC-0001: is {now} already"):
            move(at(now), to, ADA)


@pytest.mark.parametrize("now", ORDER[:3])
def test_only_what_is_resolved_is_closed(now):
    with pytest.raises(SreError, match=f"is {now}: resolve it first, `sre incident resolve INC-0001`"):
        move(at(now), "closed", ADA)
    assert move(at("resolved"), "closed", ADA)[0].payload == StatusSet("closed")


@pytest.mark.parametrize("now", ORDER[2:])
def test_what_was_not_over_is_opened_again_and_its_ends_are_na(now):
    ended = case(StatusSet(now), MilestoneMark("detected", 2.0), MilestoneMark(now, 3.0))
    opened, *taken_back = reopen(ended, Saying(50.0, "ada", reason="it came back"))
    assert opened.payload == StatusSet("open", "it came back")
    assert [draft.payload for draft in taken_back] == [MilestoneMark(now, None, 0.0, "opened again: it came back")]


def test_opening_again_needs_a_reason_and_something_that_was_over():
    with pytest.raises(SreError, match="opening it again needs a reason"):
        reopen(at("closed"), Saying(50.0, "ada", reason=" "))
    with pytest.raises(SreError, match="is acknowledged: it is not over"):
        reopen(at("acknowledged"), Saying(50.0, "ada", reason="x"))


def test_a_severity_that_nobody_computed_needs_a_reason():
    with pytest.raises(SreError, match="SEV1 instead of SEV3 needs a reason"):
        grade(case(), "SEV1", ADA)
    (draft,) = grade(case(), "SEV1", Saying(50.0, "ada", reason="the board"))
    assert draft.payload == SeveritySet("SEV1", None, "the board")
    assert draft.text == "SEV1, was SEV3: the board"


def test_a_severity_that_the_impact_says_needs_none():
    computed = case(SeveritySet("SEV2", "SEV2"), SeveritySet("SEV4", "SEV2", "it was a test"))
    (draft,) = grade(computed, "SEV2", ADA)
    assert draft.payload == SeveritySet("SEV2", "SEV2", "")


def test_a_severity_that_it_has_is_refused():
    with pytest.raises(SreError, match="is SEV3 already"):
        grade(case(), "SEV3", ADA)
