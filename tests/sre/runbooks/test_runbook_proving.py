"""A mitigation carried out: what counts as proof, and what does not."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from sre.errors import BadDocument, SreError
from sre.runbooks.proving import carry_out, mitigation_of, undo_of, values_for
from sre.runbooks.shell import Ran

REPLACE = mitigation_of("replica-hang", "replace")


@dataclass
class Clock:
    at: float = 100.0

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class FakeShell:
    """`checks` are the exit codes of the verification, one after the other; the last one stays."""

    clock: Clock
    checks: list[int]
    code: int | None = 0
    output: str = "done"
    ran: list[str] = field(default_factory=list)

    def run(self, command: str, *, timeout_s: float) -> Ran:
        self.ran.append(command)
        began = self.clock.at
        self.clock.at += 1.0
        if command == REPLACE.check:
            code = self.checks.pop(0) if len(self.checks) > 1 else self.checks[0]
            return Ran(code, "looked", began, self.clock.at)
        return Ran(self.code, self.output, began, self.clock.at)


def carried(checks, **shell):
    clock = Clock()
    fake = FakeShell(clock, checks, **shell)
    return carry_out(
        "replica-hang", "replace", {"REPLICA": "llm-1"}, fake, timeout_s=30, verify_s=5, now=clock, sleep=clock.sleep
    ), fake


def test_it_runs_what_the_page_says_and_looks_until_the_verification_holds():
    done, shell = carried([1, 1, 0])
    assert shell.ran == [REPLACE.check, REPLACE.run, REPLACE.check, REPLACE.check]
    assert (done.exit_code, done.why, done.command, done.values) == (0, "", REPLACE.run, (("REPLICA", "llm-1"),))
    assert done.verified_at - done.began_at == pytest.approx(3.5)


def test_a_verification_that_held_before_proves_nothing():
    done, _ = carried([0])
    assert done.verified_at is None
    assert "held before anything was done" in done.why


def test_a_verification_that_never_holds_is_told_with_what_it_said():
    done, _ = carried([1])
    assert done.verified_at is None
    assert done.why == "its verification did not hold in time: looked"


@pytest.mark.parametrize(("code", "said"), [(2, "ended with exit 2: done"), (None, "did not end in time")])
def test_a_command_that_fails_is_not_verified(code, said):
    done, shell = carried([1], code=code)
    assert said in done.why
    assert shell.ran == [REPLACE.check, REPLACE.run]


def test_secrets_are_not_kept():
    done, _ = carried([1, 0], output="Authorization: Bearer abcdefgh1234")
    assert done.output == "Authorization: Bearer ***"


def test_what_nobody_could_carry_out_is_refused_with_what_could_be():
    with pytest.raises(SreError, match=r"has no mitigation 'replce': use one of heal, replace, take-out"):
        mitigation_of("replica-hang", "replce")
    with pytest.raises(SreError, match="wait has nothing to run"):
        mitigation_of("replica-hang", "wait")
    with pytest.raises(BadDocument, match="nothing is known of a runbook 'nowhere'"):
        mitigation_of("nowhere", "wait")
    with pytest.raises(SreError, match="no way back of 'replace' to run; it has one of take-out"):
        undo_of("replica-hang", "replace")


def test_values_are_asked_for_and_checked():
    assert values_for("replica-hang", "replace", {"REPLICA": "llm-1", "PORT": "8400"}) == {"REPLICA": "llm-1"}
    with pytest.raises(SreError, match="needs REPLICA"):
        values_for("replica-hang", "replace", {})
    with pytest.raises(SreError, match="REPLICA is '--force'"):
        values_for("replica-hang", "replace", {"REPLICA": "--force"})
