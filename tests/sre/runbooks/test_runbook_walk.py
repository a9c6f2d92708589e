"""A runbook walked: what runs, what never does, what is written down."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from sre.errors import SreError
from sre.incidents.events import RunbookStep
from sre.runbooks.knowledge import shipped_alerts, shipped_knowledge
from sre.runbooks.record import step_draft
from sre.runbooks.render import any_page_of
from sre.runbooks.shell import Ran
from sre.runbooks.walk import Limits, Stop, stops_of, up_to, walk

PAGE = shipped_knowledge()["replica-hang"]
KNOWN = {"GATEWAY": "http://127.0.0.1:8400"}


@dataclass
class Person:
    """Answers by label; what is not named is answered with `default`."""

    is_present: bool = True
    default: str = "run"
    answers: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    expected: bool = True
    was_shown_before_asked: list[bool] = field(default_factory=list)

    def show(self, stop: Stop) -> None:
        self.shown.append(stop.label)

    def decide(self, page) -> None:
        self.shown.append("decide")

    def may_run(self, stop: Stop) -> str:
        return self.answers.get(stop.label, self.default)

    def confirms(self, stop: Stop) -> str:
        self.was_shown_before_asked.append(self.shown[-1] == stop.label)
        return self.answers.get(stop.label, "skip")

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def output(self, text: str) -> None:
        self.outputs.append(text)

    def is_as_expected(self, stop: Stop, ran: Ran) -> bool:
        return self.expected

    def said(self, walked) -> None:
        pass


@dataclass
class Shells:
    """Notes what ran with which values; `codes` by a word of the command."""

    codes: dict[str, int | None] = field(default_factory=dict)
    output: str = "fine"
    ran: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    at: float = 1000.0

    @contextmanager
    def __call__(self, values):
        self._values = dict(values)
        yield self

    def run(self, command, *, timeout_s, tell=None, now=None) -> Ran:
        self.ran.append((command, self._values))
        code = next((code for word, code in self.codes.items() if word in command), 0)
        self.at += 1.0
        return Ran(code, self.output, self.at - 1.0, self.at)

    def now(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


def walked(person, shells=None, *, until=None, known=KNOWN, page=PAGE):
    shells = shells or Shells()
    stops = up_to(stops_of(page), until)
    limits = Limits(verify_s=5)
    return list(
        walk(page, stops, reader=person, shells=shells, known=known, limits=limits, now=shells.now, sleep=shells.sleep)
    ), shells


def verdicts(steps) -> dict[str, str]:
    return {one.stop.label: one.step.verdict for one in steps}


def test_steps_come_first_then_the_decision_then_the_mitigations():
    person = Person()
    walked(person)
    assert person.shown == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "decide", "A", "B", "C", "D"]


def test_a_command_gets_only_the_values_it_needs():
    steps, shells = walked(Person(values={"REPLICA": "llm-1"}), until="9")
    by_command = dict(shells.ran)
    assert by_command["sre status"] == {}
    assert next(values for command, values in by_command.items() if "tail -n 60" in command) == {"REPLICA": "llm-1"}
    assert steps[-1].values == (("REPLICA", "llm-1"),)


def test_without_a_value_the_step_is_skipped_and_never_guessed():
    steps, shells = walked(Person(), until="9")
    assert (steps[-1].step.verdict, steps[-1].why) == ("skipped", "REPLICA not given")
    assert not any("tail -n 60" in command for command, _ in shells.ran)


def test_nothing_that_changes_anything_runs_without_a_word():
    steps, shells = walked(Person(values={"REPLICA": "llm-1"}))
    assert [label for label, verdict in verdicts(steps).items() if verdict == "declined"] == ["A", "C", "D"]
    assert not any("drain" in command or "heal" in command for command, _ in shells.ran)


def test_where_nobody_can_type_nothing_is_changed_whatever_is_answered():
    person = Person(is_present=False, answers={"A": "run", "C": "run", "D": "run"}, values={"REPLICA": "llm-1"})
    steps, shells = walked(person)
    assert {steps[-1].step.verdict, steps[-2].step.verdict} == {"declined"}
    assert steps[-1].why == "nobody could confirm it"
    assert person.was_shown_before_asked == []
    assert not any("drain" in command or "heal" in command for command, _ in shells.ran)


@pytest.mark.parametrize("page", [*shipped_knowledge().values(), *shipped_alerts().values()], ids=lambda p: p.name)
def test_no_page_changes_anything_without_a_word(page):
    everything = {**KNOWN, **dict.fromkeys(("REPLICA", "REPLICAS", "PID", "PORT", "PROMETHEUS"), "7")}
    steps, shells = walked(Person(), page=page, known=everything)
    changing = {one.run for one in page.mitigations if one.is_mutating and one.run}
    assert not changing & {command for command, _ in shells.ran}
    assert all(one.step.exit_code is None for one in steps if one.step.is_mutating)


def test_a_confirmed_mitigation_runs_and_is_verified():
    person = Person(answers={"C": "run"}, values={"REPLICA": "llm-1"})
    steps, shells = walked(person, until="replace")
    assert person.was_shown_before_asked == [True, True]
    assert [command.splitlines()[-1] for command, _ in shells.ran[-2:]] == [
        'sre drain "${REPLICA:?}" --restart --grace 30',
        'sre status | grep -E "${REPLICA:?} +ready +up "',
    ]
    assert (steps[-1].step.verdict, steps[-1].step.is_mutating) == ("ok", True)
    assert steps[-1].why == "verified 2.0 s after it began"


def test_a_verification_that_does_not_hold_in_time_is_a_failure():
    shells = Shells(codes={"grep -E": 1})
    steps, _ = walked(Person(answers={"C": "run"}, values={"REPLICA": "llm-1"}), shells, until="C")
    assert (steps[-1].step.verdict, steps[-1].why) == ("failed", "its verification did not hold within 5 s")


def test_a_mitigation_whose_command_fails_is_not_verified():
    shells = Shells(codes={"drain": 2})
    steps, _ = walked(Person(answers={"C": "run"}, values={"REPLICA": "llm-1"}), shells, until="C")
    assert (steps[-1].step.verdict, steps[-1].why) == ("failed", "it ended with exit 2")
    assert "drain" in shells.ran[-1][0]


def test_the_person_judges_what_a_step_shows():
    steps, _ = walked(Person(expected=False), Shells(codes={"sre status": 1}), until="2")
    assert verdicts(steps) == {"1": "failed", "2": "failed"}
    assert steps[-1].why == "it ended with exit 1"


def test_a_command_that_had_to_be_ended_is_told():
    steps, _ = walked(Person(expected=False), Shells(codes={"sre status": None}), until="2")
    assert steps[-1].why == "it did not end in time and was ended"


def test_the_walk_ends_where_the_person_stops():
    steps, _ = walked(Person(answers={"4": "stop"}))
    assert list(verdicts(steps)) == ["1", "2", "3"]


def test_until_takes_labels_and_names_and_says_what_there_is():
    stops = stops_of(PAGE)
    assert up_to(stops, "c")[-1].part.name == "replace"
    assert up_to(stops, "status")[-1].label == "2"
    with pytest.raises(SreError, match=r"--until 42: no such step: use one of 1 \(drill\)"):
        up_to(stops, "42")


def test_a_cluster_has_steps_of_its_own():
    labels = [stop.label for stop in stops_of(PAGE, "kubernetes")]
    assert labels == ["K1", "K2", "K3", "KA", "KB"]


def test_what_is_recorded_is_masked_cut_and_says_which_values_were_used():
    shells = Shells(output=f"{'x' * 9000}\nAuthorization: Bearer abcdefgh123")
    steps, _ = walked(Person(values={"REPLICA": "llm-1"}), shells, until="9")
    step = steps[-1].step
    assert isinstance(step, RunbookStep)
    assert step.output.startswith("[...]x")
    assert step.output.endswith("Authorization: Bearer ***")
    assert len(step.output) < 8100
    draft = step_draft(steps[-1], actor="ada")
    assert draft.text == "replica-hang 9, What does the replica itself say? (REPLICA=llm-1): ok"
    assert (draft.payload, draft.at, draft.source, draft.actor) == (
        step,
        steps[-1].ended_at,
        "sre runbook exec",
        "ada",
    )


def test_an_alert_of_another_slo_has_the_page_of_its_kind_under_its_own_name():
    assert any_page_of("KvErrorBudgetBurn").name == "KvErrorBudgetBurn"
    assert any_page_of("TtftNoData").title == shipped_alerts()["NoData"].title
    with pytest.raises(SreError, match="did you mean replica-hang"):
        any_page_of("replica-hung")
