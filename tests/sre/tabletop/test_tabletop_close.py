"""After-action reports, their actions, and approvals that hold for one document only."""

from __future__ import annotations

import json
from datetime import date

import pytest

from sre.errors import BadDocument, SreError
from sre.incidents.approvals import Signature
from sre.reports.manifest import verify
from sre.tabletop.closing import HTML, JSON, MARKDOWN, approve, close_session, closed_of
from sre.tabletop.review import worst

ROLES = ("sre-lead", "security-grc", "finance")


@pytest.fixture
def ended(session, clock):
    """A session in which four injects were rated."""
    session.run()
    for inject in session.exercise.injects[:4]:
        session.release(inject)
        session.answer(inject.id, inject.receiver, f"we look at {inject.id}")
        clock.pass_minutes(3)
    for about, rating, remark in (("I01", "P", "calm"), ("I02", "S", "late"), ("I03", "U", "lost"), ("I04", "M", "")):
        session.rate(about, rating, remark)
    session.item("Ours", "Jane", "2026-12-31", "2026-11-26")
    session.end()
    return session


def closing(store, session, clock, folder):
    return close_session(store, store.case(session.id), session.played, folder, actor="jane", clock=clock)


def sign(store, session, role, clock, **more):
    return approve(store, store.case(session.id), Signature(role, f"{role}'s name", **more), at=clock())


def states(closed):
    return {one.role: one.state for one in closed.approvals}


def test_the_report_says_what_was_expected_said_and_rated(store, ended, clock, tmp_path):
    closed = closing(store, ended, clock, tmp_path / "aar")
    text = (tmp_path / "aar" / MARKDOWN).read_text("utf-8")
    for inject in ended.exercise.injects[:4]:
        assert f"we look at {inject.id}" in text
    assert "Evaluator: late" in text
    assert "U: unable to be performed" in text
    assert "not reached" in text
    assert states(closed) == dict.fromkeys(ROLES, "missing")
    assert "Missing: SRE lead, Security and GRC, Finance." in text
    assert verify(tmp_path / "aar") == []
    assert {path.name for path in (tmp_path / "aar").iterdir()} == {JSON, MARKDOWN, HTML, "manifest.json"}


def test_an_objective_is_as_good_as_its_worst_inject_unless_the_evaluator_says_otherwise(store, ended, clock, tmp_path):
    ended.rate("O2", "S", "seen as a whole")
    told = closing(store, ended, clock, tmp_path / "aar").review
    rated = {one.id: one.rating for one in told.objectives}
    by_objective = {}
    for inject, rating in zip(ended.exercise.injects[:4], "PSUM", strict=True):
        by_objective.setdefault(inject.objective, []).append(rating)
    for objective, ratings in by_objective.items():
        assert rated[objective] == ("S" if objective == "O2" else worst(ratings))
    assert rated["O7"] is None
    assert "not played" in next(one.basis for one in told.objectives if one.id == "O7")


def test_what_went_badly_becomes_an_action_the_worse_the_sooner(store, ended, clock, tmp_path):
    closing(store, ended, clock, tmp_path / "aar")
    items = [item for item in store.items() if item.title != "Ours"]
    today = date(2026, 11, 26)
    injects = ended.exercise.injects
    expected = {
        injects[2].improvement.title: 14,
        injects[3].improvement.title: 30,
        injects[1].improvement.title: 60,
    }
    assert {item.title: (date.fromisoformat(item.due) - today).days for item in items} == expected
    assert {item.item for item in store.items()} == {"A1", "A2", "A3", "A4"}
    assert all(item.incident == "TTX-0001" and item.status == "open" for item in items)


def test_closing_again_adds_no_action_twice_and_changes_nothing(store, ended, clock, tmp_path):
    first = closing(store, ended, clock, tmp_path / "aar")
    again = closing(store, ended, clock, tmp_path / "aar")
    assert again.sha256 == first.sha256
    assert len(store.items()) == 4


def test_a_session_without_an_inject_has_nothing_to_report(store, session, clock, tmp_path):
    with pytest.raises(SreError, match="no inject was played yet"):
        closing(store, session, clock, tmp_path / "aar")


def test_a_session_that_was_left_is_ended_by_closing_it(store, session, clock, tmp_path):
    session.run()
    session.release(session.exercise.injects[0])
    clock.pass_minutes(5)
    closed = closing(store, session, clock, tmp_path / "aar")
    assert closed.review.timeline[-1].text == "ENDEX"


def test_a_folder_with_other_files_is_left_alone(store, ended, clock, tmp_path):
    (tmp_path / "thesis.md").write_text("do not touch")
    with pytest.raises(SreError, match="holds other files"):
        closing(store, ended, clock, tmp_path)
    assert not (tmp_path / JSON).exists()


def test_three_roles_close_it_and_the_report_says_who_and_when(store, ended, clock, tmp_path):
    closing(store, ended, clock, tmp_path / "aar")
    assert store.case(ended.id).head.status == "resolved"
    for role in ROLES[:2]:
        closed = sign(store, ended, role, clock)
    assert states(closed) == {"sre-lead": "approved", "security-grc": "approved", "finance": "missing"}
    assert store.case(ended.id).head.status == "resolved"
    clock.pass_minutes(60)
    closed = sign(store, ended, "finance", clock, comment="within budget")
    assert set(states(closed).values()) == {"approved"}
    assert store.case(ended.id).head.status == "closed"
    text = (tmp_path / "aar" / MARKDOWN).read_text("utf-8")
    assert "finance's name" in text
    assert "All approvals are there." in text
    assert closed.sha256 in text
    assert verify(tmp_path / "aar") == []
    assert not store.verify().problems


@pytest.mark.parametrize("name", [JSON, MARKDOWN, HTML])
def test_what_changed_after_it_was_written_is_approved_by_nobody(store, ended, clock, tmp_path, name):
    closing(store, ended, clock, tmp_path / "aar")
    path = tmp_path / "aar" / name
    path.write_text(path.read_text("utf-8").replace("late", "in time"), "utf-8")
    with pytest.raises(BadDocument, match=f"{name}: changed since it was written"):
        sign(store, ended, "finance", clock)
    assert store.case(ended.id).approvals == ()


def test_a_report_that_is_gone_is_approved_by_nobody(store, ended, clock, tmp_path):
    closing(store, ended, clock, tmp_path / "aar")
    (tmp_path / "aar" / JSON).unlink()
    with pytest.raises(SreError, match="cannot be read"):
        sign(store, ended, "finance", clock)


def test_an_approval_holds_for_its_version_only(store, ended, clock, tmp_path):
    closing(store, ended, clock, tmp_path / "aar")
    sign(store, ended, "finance", clock)
    ended.rate("I01", "M", "seen again on the tape")
    closed = closing(store, ended, clock, tmp_path / "aar")
    assert states(closed)["finance"] == "outdated (approved an earlier version)"
    assert states(sign(store, ended, "finance", clock))["finance"] == "approved"


def test_a_rejection_keeps_it_open_and_needs_a_reason(store, ended, clock, tmp_path):
    closing(store, ended, clock, tmp_path / "aar")
    with pytest.raises(SreError, match="a rejection needs its reason"):
        sign(store, ended, "finance", clock, is_rejection=True)
    closed = sign(store, ended, "finance", clock, is_rejection=True, comment="no figures")
    for role in ROLES[:2]:
        closed = sign(store, ended, role, clock)
    assert states(closed)["finance"] == "rejected"
    assert store.case(ended.id).head.status == "resolved"
    closed = sign(store, ended, "finance", clock)
    assert store.case(ended.id).head.status == "closed"


@pytest.mark.parametrize(
    ("role", "name", "says"), [("cook", "Bob", "approves nothing here"), ("finance", " ", "--name")]
)
def test_who_may_not_approve_is_told_so(store, ended, clock, tmp_path, role, name, says):
    closing(store, ended, clock, tmp_path / "aar")
    with pytest.raises(SreError, match=says):
        approve(store, store.case(ended.id), Signature(role, name), at=clock())


def test_a_session_that_is_not_closed_cannot_be_approved(store, ended, clock):
    with pytest.raises(SreError, match="has no after-action report yet: sre tabletop close TTX-0001"):
        sign(store, ended, "finance", clock)


def test_the_json_holds_the_whole_review(store, ended, clock, tmp_path):
    closed = closing(store, ended, clock, tmp_path / "aar")
    assert closed_of(store.case(ended.id)).review == closed.review
    document = json.loads((tmp_path / "aar" / JSON).read_text("utf-8"))
    assert document["schema"] == 1
    assert document["package"] == ended.played.sha256


def test_pages_of_an_older_version_of_this_program_can_be_approved(store, ended, clock, tmp_path, monkeypatch):
    closing(store, ended, clock, tmp_path / "aar")
    monkeypatch.setattr("sre.tabletop.closing._BANNER", "ANOTHER WORDING")
    assert states(sign(store, ended, "finance", clock))["finance"] == "approved"


def test_what_people_type_is_shown_and_never_run(store, session, clock, tmp_path):
    session.run()
    session.release(session.exercise.injects[0])
    session.answer("I01", "on-call", "<script>alert(1)</script> | *bold* `code` \x1b[31mred")
    session.rate("I01", "S", "<img src=x onerror=alert(1)>")
    session.item("<b>", "| own", None, None)
    closed = closing(store, session, clock, tmp_path / "aar")
    page = (closed.folder / HTML).read_text("utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;" in page
    text = (closed.folder / MARKDOWN).read_text("utf-8")
    assert "\\<script\\>" in text
    assert "\\| own" in text


def test_one_person_in_two_roles_is_said(store, ended, clock, tmp_path):
    closing(store, ended, clock, tmp_path / "aar")
    for role in ROLES[:2]:
        closed = approve(store, store.case(ended.id), Signature(role, "Ada"), at=clock())
    assert "Ada approved for more than one role." in (closed.folder / MARKDOWN).read_text("utf-8")
