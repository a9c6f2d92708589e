"""`sre runbook exec`: what it asks, runs, shows and writes into an incident."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sre.cli import runbook_exec
from sre.cli.app import app
from sre.cli.runbook_reader import Nobody, Terminal, plain
from sre.errors import BadDocument, SreError
from sre.incidents.events import Draft, Opened, RunbookStep
from sre.incidents.store import open_store
from sre.runbooks.knowledge import shipped_knowledge
from sre.runbooks.walk import Walked, stops_of

NOWHERE = "GATEWAY=http://127.0.0.1:1"
PAGE = shipped_knowledge()["metrics-lying"]


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A state directory without a platform: a log with two requests, and a store with one incident."""
    (tmp_path / ".sre" / "logs").mkdir(parents=True)
    line = '{"event": "request", "outcome": "ok", "authorization": "Bearer abcdefgh1234"}\n'
    (tmp_path / ".sre" / "logs" / "gateway.log").write_text(line * 2)
    monkeypatch.chdir(tmp_path)
    with closing(open_store(tmp_path / "incidents.sqlite")) as store:
        store.open(Draft(1.0, Opened("It lies", "manual", "SEV3"), "opened", "a test", "ada"))
    return tmp_path


def run(*arguments: str, code: int = 0):
    result = CliRunner().invoke(app, ["runbook", "exec", *arguments])
    assert result.exit_code == code, result.output
    return result


def steps_of(folder: Path) -> tuple[RunbookStep, ...]:
    with closing(open_store(folder / "incidents.sqlite", read_only=True)) as store:
        return store.case("INC-0001").steps


def test_without_a_terminal_nothing_runs_by_itself(folder):
    told = json.loads(run("metrics-lying", "--json").stdout)
    assert {step["verdict"] for step in told["steps"]} <= {"skipped", "declined"}
    assert (told["ok"], told["walked_to_the_end"], told["incident"]) == (True, True, None)


def test_what_only_reads_runs_when_that_is_allowed_and_nothing_else_ever(folder):
    told = json.loads(run("bad-rollout", "--json", "--auto", "--set", NOWHERE).stdout)
    by_label = {step["step"]: step for step in told["steps"]}
    assert by_label["1"]["output"] == "no fault is open\n"
    assert by_label["1"]["exit_code"] == 0
    assert [step["step"] for step in told["steps"] if step["verdict"] == "declined"] == ["A", "B", "C", "E"]
    assert (by_label["D"]["is_mutating"], by_label["D"]["verdict"], by_label["D"]["exit_code"]) == (False, "ok", 1)


def test_without_a_terminal_the_output_is_told_and_an_allowed_exit_code_explained(folder):
    told = run("bad-rollout", "--auto", "--set", NOWHERE).stdout
    assert "1. Is this a drill?\n   | no fault is open\n   ok\n" in told
    assert "   ok (exit 1, which this step allows)\n" in told


def test_a_long_output_is_cut_and_control_characters_are_left_out(folder):
    (stop,) = stops_of(PAGE)[:1]
    output = "\x1b[31mred\n" + "line\n" * 41
    step = RunbookStep("p", "1", "cmd", 0, output, "ok", is_mutating=False)
    lines: list[str] = []
    Nobody(reads_alone=True, tell=lines.append).said(Walked(stop, step, 0.0, 1.0))
    assert lines[0] == "   | [31mred"
    assert lines[-3:] == ["   | line", "   | [2 more lines]", "   ok"]
    assert len(lines) == 42


def test_each_step_is_written_into_the_incident_with_its_output_and_a_link_to_the_page(folder):
    result = run("metrics-lying", "--auto", "--until", "drill", "--incident", "1", "--actor", "grace")
    assert "1 step: 1 ok; written into INC-0001" in result.output
    (step,) = steps_of(folder)
    assert (step.page, step.step, step.command, step.exit_code, step.verdict) == (
        "metrics-lying",
        "1",
        "sre chaos faults",
        0,
        "ok",
    )
    with closing(open_store(folder / "incidents.sqlite", read_only=True)) as store:
        case = store.case("INC-0001")
        assert store.verify().problems == ()
    assert [(link.rel, link.target) for link in case.links] == [("runbook", "runbooks/metrics-lying.md")]
    assert {event.actor for event in case.events[1:]} == {"grace"}
    assert case.events[-1].text == "metrics-lying 1, Is this a drill?: ok"


def test_the_link_is_written_once(folder):
    for _ in range(2):
        run("metrics-lying", "--auto", "--until", "1", "--incident", "INC-0001")
    with closing(open_store(folder / "incidents.sqlite", read_only=True)) as store:
        assert len(store.case("INC-0001").links) == 1
    assert len(steps_of(folder)) == 2


def test_an_incident_that_is_not_there_is_said_before_anything_runs(folder):
    result = CliRunner().invoke(app, ["runbook", "exec", "metrics-lying", "--auto", "--incident", "INC-0099"])
    assert isinstance(result.exception, SreError)
    assert "INC-0099" in str(result.exception)
    assert "drill?" not in result.output


def test_a_value_that_is_none_and_a_page_that_is_none_are_refused(folder):
    bad = CliRunner().invoke(app, ["runbook", "exec", "replica-hang", "--set", "REPLICA=llm-1;id"])
    assert isinstance(bad.exception, SreError)
    missing = CliRunner().invoke(app, ["runbook", "exec", "replica-hung"])
    assert isinstance(missing.exception, BadDocument)
    assert "did you mean replica-hang?" in str(missing.exception)


def test_a_command_that_does_not_end_in_time_fails_the_walk(folder):
    run("metrics-lying", "--auto", "--json", "--timeout", "1", "--until", "log-count", code=1)


def typed(monkeypatch, *answers: str) -> list[str]:
    """A person at a terminal who types these, then nothing more."""
    left, asked = list(answers), []

    def ask(question: str) -> str:
        asked.append(question)
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr(runbook_exec, "has_terminal", lambda: True)
    monkeypatch.setattr("builtins.input", ask)
    return asked


def test_a_person_sees_question_command_and_what_to_expect_and_says_whether_it_was_so(folder, monkeypatch):
    typed(monkeypatch, "y", "n")
    result = run("metrics-lying", "--until", "1", "--incident", "INC-0001")
    for text in ("1. Is this a drill?", "$ sre chaos faults", "expect: no fault is open", "| no fault is open"):
        assert text in result.output
    assert steps_of(folder)[0].verdict == "failed"


def test_a_mitigation_shows_all_that_must_be_known_and_only_its_name_runs_it(folder, monkeypatch):
    asked = typed(monkeypatch, "", "y")
    result = run("replica-hang", "--auto", "--until", "A", "--set", NOWHERE)
    for text in ("precondition:", "blast radius:", "way back:", "approval:", "(mutating)"):
        assert text in result.output
    assert "Type `heal` to do it" in asked[-1]
    assert "declined (not confirmed)" in result.output


def test_the_name_typed_runs_it_and_its_verification(folder, monkeypatch):
    typed(monkeypatch, "", "heal")
    result = run("replica-hang", "--auto", "--until", "A", "--set", NOWHERE, "--incident", "INC-0001")
    assert "ok (verified" in result.output
    assert steps_of(folder)[-1].verdict == "ok"
    assert steps_of(folder)[-1].is_mutating


def test_a_closed_terminal_stops_the_walk(folder, monkeypatch):
    typed(monkeypatch)
    result = run("metrics-lying")
    assert "0 steps: no step" in result.output
    assert Terminal(reads_alone=False, ask=_at_the_end).value("REPLICA") == ""


def _at_the_end(question: str) -> str:
    raise EOFError


def test_a_value_is_asked_for_until_it_is_one(capsys):
    answers = iter(["llm-1; id", "llm-1"])
    terminal = Terminal(reads_alone=False, ask=lambda question: next(answers))
    assert terminal.value("REPLICA") == "llm-1"
    assert "give e.g. llm-1" in capsys.readouterr().out


def test_nobody_never_confirms():
    stop = stops_of(PAGE)[-1]
    assert Nobody(reads_alone=True).confirms(stop) == "skip"
    assert Nobody(reads_alone=False).may_run(stop) == "skip"
    assert Nobody(reads_alone=True).value("REPLICA") == ""


def test_markdown_is_read_as_plain_text():
    assert plain("**total**: `sre status`\n shows it") == "total: sre status shows it"
