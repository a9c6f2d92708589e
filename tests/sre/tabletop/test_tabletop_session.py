"""A session: injects at their time, a clock that can be stopped, and nothing lost when the terminal dies."""

from __future__ import annotations

import pytest

from sre.errors import SreError
from sre.tabletop.commands import parse
from sre.tabletop.play import play, prompt_of
from sre.tabletop.progress import progress_of
from sre.tabletop.session import Session, check_same, open_session, package_of

from .conftest import Clock


class FakeDesk:
    """A facilitator who types what a script says, and waits so many minutes before each line."""

    def __init__(self, clock: Clock, *script: tuple[float, str]) -> None:
        self._clock, self._script = clock, list(script)
        self.shown, self.said, self.prompts, self.helped = [], [], [], 0

    def show(self, session, inject):
        self.shown.append(inject.id)

    def say(self, text):
        self.said.append(text)

    def help(self):
        self.helped += 1

    def read(self, prompt, timeout_s):
        self.prompts.append(prompt())
        if not self._script:
            raise EOFError
        wait, line = self._script[0]
        if wait <= 0:
            self._script.pop(0)
            return line
        step = min(wait, 0.5)
        self._clock.pass_minutes(step)
        self._script[0] = (wait - step, line)
        return None


def resumed(store, session, clock):
    return Session(store, store.case(session.id), session.played, facilitator="jane", clock=clock)


def test_a_session_has_an_id_of_its_own_and_is_bound_to_its_package(store, session, played):
    head = store.case(session.id).head
    assert (session.id, head.origin, head.experiment) == ("TTX-0001", "tabletop", "EXP-001")
    assert package_of(store.case(session.id)).sha256 == played.sha256


def test_injects_come_when_their_minute_has_come(session, clock):
    desk = FakeDesk(clock, (7, "e"))
    play(session, desk)
    due = [inject.id for inject in session.exercise.injects if inject.at_min <= 7]
    assert desk.shown == due
    assert 1 < len(due) < len(session.exercise.injects)
    for inject in due:
        planned = session.exercise.inject(inject).at_min * 60
        assert planned <= session.progress.released[inject] <= planned + 31


def test_enter_brings_the_next_one_before_its_time(session, clock):
    desk = FakeDesk(clock, (0, ""), (0, ""), (0, "q"))
    play(session, desk)
    assert desk.shown == ["I01", "I02", "I03"]


def test_the_clock_stands_while_paused(session, clock):
    play(session, FakeDesk(clock, (1, "p"), (30, "p"), (1, "q")))
    assert session.elapsed_s() == pytest.approx(120)
    assert list(session.progress.released) == ["I01"]


def test_faster_is_for_rehearsals(session, clock):
    play(session, FakeDesk(clock, (2, "q")), speed=10)
    assert session.elapsed_s() == pytest.approx(1200)


def test_answers_go_to_the_newest_inject_and_its_receiver_unless_said_otherwise(session, clock, store):
    script = [(0, "a look at step 4"), (0, ""), (0, "a I01 sre-lead: I lead"), (0, "a SEV4"), (0, "q")]
    play(session, FakeDesk(clock, *script))
    said = [(one.inject, one.by, one.text) for one in session.progress.answers]
    assert said == [("I01", "on-call", "look at step 4"), ("I01", "sre-lead", "I lead"), ("I02", "sre-lead", "SEV4")]
    assert [one.text for one in store.case(session.id).answers] == ["look at step 4", "I lead", "SEV4"]


def test_the_newest_rating_holds(session, clock):
    script = [(0, "r S late"), (0, "r I01 P better than I thought"), (0, "r O4 M"), (0, "q")]
    play(session, FakeDesk(clock, *script))
    rated = {about: (one.rating, one.remark) for about, one in session.progress.ratings.items()}
    assert rated == {"I01": ("P", "better than I thought"), "O4": ("M", "")}


def test_an_action_goes_to_the_action_list(session, clock, store):
    play(session, FakeDesk(clock, (0, "i Add a panel | Jane | 2026-12-24"), (0, "q")))
    (item,) = store.items()
    assert (item.incident, item.item, item.title, item.owner) == ("TTX-0001", "A1", "Add a panel", "Jane")
    assert (item.start, item.due, item.status) == ("2026-11-26", "2026-12-24", "open")


def test_a_skipped_inject_never_comes(session, clock):
    desk = FakeDesk(clock, (0, "s"), (7, "e"))
    play(session, desk)
    assert "I02" not in desk.shown
    assert session.progress.skipped == ("I02",)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("x y", "`x` is no command"),
        ("r Q", "`Q` is no rating: use P, S, M, U"),
        ("a", "nothing to write down: a TEXT"),
        ("a I99 hello", "I99: is not out yet"),
        ("a I05 hello", "I05: is not out yet"),
        ("r I99 P", "I99: this exercise has no such inject"),
        ("s I01", "I01: no such inject is still to come"),
        ("i only a title", "an action needs a title and an owner"),
        ("i A | B | soon", "soon: is no day"),
        ("i A | B | 2026-02-30", "2026-02-30: is no day"),
        ("i A | B | ２０２６-01-01", "is no day"),  # noqa: RUF001  (digits that are none to a calendar)
    ],
)
def test_what_cannot_be_read_is_said_and_nothing_is_written(session, clock, store, line, says):
    desk = FakeDesk(clock, (0, line), (0, "q"))
    play(session, desk)
    assert any(says in text for text in desk.said), desk.said
    assert store.case(session.id).answers == ()
    assert store.items() == ()


def test_words_do_as_well_as_letters():
    assert parse("answer I02 finance: 5 USD").text == "5 USD"
    assert parse("NEXT").verb == "next"
    assert parse("?").verb == "help"


def test_leaving_keeps_everything_and_resuming_goes_on(session, clock, store):
    play(session, FakeDesk(clock, (4, "a first"), (0, "q")))
    clock.pass_minutes(600)
    again = resumed(store, session, clock)
    assert again.elapsed_s() == pytest.approx(240)
    desk = FakeDesk(clock, (3, "e"))
    play(again, desk)
    assert desk.shown == ["I03"]
    assert again.progress.is_ended
    assert again.elapsed_s() == pytest.approx(420)


def test_a_crash_loses_only_the_time_nobody_wrote_down(session, clock, store):
    class PowerCutError(Exception):
        pass

    class Dying(FakeDesk):
        def read(self, prompt, timeout_s):
            if not self._script:
                raise PowerCutError
            return super().read(prompt, timeout_s)

    with pytest.raises(PowerCutError):
        play(session, Dying(clock, (4, "a before the lights went out")))
    clock.pass_minutes(90)
    again = resumed(store, session, clock)
    again.run()
    assert again.elapsed_s() == pytest.approx(240)
    assert [one.text for one in again.progress.answers] == ["before the lights went out"]
    assert not store.verify().problems


def test_what_has_ended_is_not_played_on(session, clock, store):
    play(session, FakeDesk(clock, (0, "e")))
    with pytest.raises(SreError, match="play has ended: sre tabletop close TTX-0001"):
        play(resumed(store, session, clock), FakeDesk(clock))


def test_the_end_of_input_pauses_the_clock(session, clock, store):
    play(session, FakeDesk(clock))
    clock.pass_minutes(50)
    assert progress_of(store.case(session.id).events).elapsed_at(clock()) == 0


def test_the_prompt_says_how_long_until_the_next(session, clock):
    desk = FakeDesk(clock, (1, "p"), (0, "p"), (0, "q"))
    play(session, desk)
    assert desk.prompts[0] == "0:00  next I02 in 3:00"
    assert "1:00  paused" in desk.prompts
    for inject in session.to_come():
        session.release(inject)
    session.run()
    assert prompt_of(session) == "1:00  all injects are out, 43:00 of play left"


def test_a_session_goes_on_with_its_own_package_only(store, session, played):
    from dataclasses import replace

    with pytest.raises(SreError, match="began with another package"):
        check_same(store.case(session.id), replace(played, sha256="f" * 64))


def test_an_incident_is_no_session(store, clock):
    from sre.incidents.events import Draft, Opened

    case = store.open(Draft(clock(), Opened("real", "manual", "SEV1"), "real", "hand", "jane"))
    with pytest.raises(SreError, match="is no tabletop session"):
        package_of(case)


def test_two_sessions_of_one_package_have_two_ids(store, played, clock):
    ids = [open_session(store, played, facilitator="jane", at=clock()).head.id for _ in range(2)]
    assert ids == ["TTX-0001", "TTX-0002"]
