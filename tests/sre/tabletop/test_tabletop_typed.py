"""A session typed in afterwards: the same events as one that was played, and every mistake with its line."""

from __future__ import annotations

import pytest

from sre.errors import BadDocument
from sre.tabletop.session import Session, open_session
from sre.tabletop.typed import read_typed, record_typed

GOOD = """\
started: 2026-11-25T14:00:00Z
facilitator: Jane
participants:
  - {name: Ada, role: on-call}
answers:
  - {inject: I01, text: look at step 4, rating: P, remark: calm}
  - {inject: I02, by: sre-lead, text: SEV4, minute: 6.5, rating: S}
  - {inject: I08, rating: U}
ratings:
  O7: {rating: S, remark: no dates}
  I06: M
notes:
  - {minute: 12, text: a talk about rights}
items:
  - {title: Keep samples, owner: Ada, due: 2026-12-10}
skipped: [I10]
ended_after_min: 40
"""


def typed(tmp_path, exercise, text=GOOD):
    path = tmp_path / "answers.yaml"
    path.write_text(text)
    return read_typed(path, exercise)


def test_it_is_recorded_in_the_order_of_time(tmp_path, exercise, played, store, clock):
    told = typed(tmp_path, exercise)
    case = open_session(store, played, facilitator=told.facilitator, at=told.started)
    session = Session(store, case, played, facilitator=told.facilitator, clock=clock)
    record_typed(session, told)
    progress = session.progress
    assert progress.is_ended
    assert progress.elapsed_s == 40 * 60
    assert [row.at_s for row in progress.rows] == sorted(row.at_s for row in progress.rows)
    assert progress.participants == ("Ada (on-call)",)
    assert progress.skipped == ("I10",)
    assert {one.inject: one.at_s for one in progress.answers} == {"I01": 0, "I02": 390}
    assert {about: one.rating for about, one in progress.ratings.items()} == {
        "I01": "P",
        "I02": "S",
        "I08": "U",
        "O7": "S",
        "I06": "M",
    }
    (item,) = store.items()
    assert (item.title, item.start, item.due) == ("Keep samples", "2026-11-25", "2026-12-10")
    assert len(progress.released) == len(exercise.injects) - 1
    assert not store.verify().problems


def test_typing_it_in_twice_gives_the_same_session(tmp_path, exercise, played, store, clock):
    told = typed(tmp_path, exercise)
    sessions = []
    for _ in range(2):
        case = open_session(store, played, facilitator=told.facilitator, at=told.started)
        session = Session(store, case, played, facilitator=told.facilitator, clock=clock)
        record_typed(session, told)
        sessions.append(session.progress)
    first, second = sessions
    assert first.answers == second.answers
    assert first.ratings == second.ratings


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("inject: I02", "inject: I20", "answers.yaml:7: answers[1].inject: is 'I20': did you mean"),
        ("rating: U", "rating: X", "answers.yaml:8: answers[2].rating: is 'X': use one of P, S, M, U"),
        ("minute: 6.5", "minute: six", "answers.yaml:7: answers[1].minute: is 'six': write minutes"),
        ("minute: 6.5", "minute: -3", "is -3: write minutes after STARTEX, 0 to 240"),
        ("by: sre-lead", "by: boss", "answers.yaml:7: answers[1].by: is 'boss'"),
        ("2026-11-25T14:00:00Z", "yesterday", "answers.yaml:1: started: is 'yesterday': write a time"),
        ("2026-11-25T14:00:00Z", "2026-11-25T14:00:00", "started: names no time zone"),
        ("due: 2026-12-10", "due: soon", "answers.yaml:15: items[0].due: is 'soon': write a day"),
        ("O7: {", "O70: {", "ratings.O70: unknown key"),
        ("facilitator", "moderator", "answers.yaml:2: moderator: unknown key"),
        ("text: look at step 4, rating: P, remark: calm", "remark: calm", "answers[0]: says nothing"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_mend(tmp_path, exercise, old, new, says):
    assert old in GOOD
    with pytest.raises(BadDocument) as error:
        typed(tmp_path, exercise, GOOD.replace(old, new))
    assert any(says in fault for fault in error.value.faults), error.value.faults


def test_all_mistakes_are_told_at_once(tmp_path, exercise):
    text = GOOD.replace("I02", "I20").replace("rating: U", "rating: X").replace("soon", "2026-12-10")
    with pytest.raises(BadDocument) as error:
        typed(tmp_path, exercise, text)
    assert len(error.value.faults) == 2


@pytest.mark.parametrize(
    ("text", "says"), [("", "holds 0 documents"), ("{", "not YAML"), ("answers: []", "started: missing")]
)
def test_what_is_no_session_is_said(tmp_path, exercise, text, says):
    with pytest.raises(BadDocument, match=says):
        typed(tmp_path, exercise, text)
