"""Carries out a mitigation exactly as its page says and looks whether it helped. That, in a drill, is what proves it.

The commands are those of the shipped knowledge, the verification is the page's own. What comes out is plain data that
Chaos Toolkit keeps in its journal.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sre.errors import SreError
from sre.runbooks.knowledge.model import Mitigation
from sre.runbooks.masking import masked
from sre.runbooks.render import page_of
from sre.runbooks.shell import Ran
from sre.runbooks.variables import checked_value, variables_in

ACTION = ("sre.runbooks.actions", "run_mitigation")
"""Module and function that an experiment calls."""
CHECK_EVERY_S = 0.5
CHECK_TIMEOUT_S = 20.0
_MOST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class Carried:
    """A mitigation that was carried out. Times are Unix seconds; `verified_at` None: it was not, and `why`.

    `exit_code` None: the command did not end in time. `output` is the end of what it printed, secrets masked.
    """

    page: str
    mitigation: str
    title: str
    command: str
    check: str
    values: tuple[tuple[str, str], ...]
    began_at: float
    ended_at: float
    exit_code: int | None
    verified_at: float | None
    why: str
    output: str


class Runs(Protocol):
    """What is asked of a shell."""

    def run(self, command: str, *, timeout_s: float) -> Ran: ...


def mitigation_of(page: str, name: str) -> Mitigation:
    """The mitigation, which must have commands and a verification. Raises BadDocument or SreError, with the mend."""
    known = page_of(page)
    found = known.mitigation(name)
    able = [one.name for one in known.mitigations if one.run and one.check]
    if found is None:
        raise SreError(f"runbook {page} has no mitigation {name!r}: use one of {', '.join(able)}")
    if not found.run or not found.check:
        lacks = "nothing to run" if not found.run else "no verification that a program could run"
        raise SreError(f"{page}: {name} has {lacks}: write it into sre/runbooks/knowledge, or use {', '.join(able)}")
    return found


def values_for(page: str, name: str, given: Mapping[str, str]) -> Mapping[str, str]:
    """The variables that it needs, checked. Raises SreError naming those that are missing."""
    one = mitigation_of(page, name)
    return required_values(f"{one.run}\n{one.check}", given, where=f"{page}: {name}")


def required_values(commands: str, given: Mapping[str, str], *, where: str) -> Mapping[str, str]:
    """The variables that commands need, checked. Raises SreError naming those that are missing."""
    needed = variables_in(commands)
    missing = [variable for variable in needed if not given.get(variable)]
    if missing:
        raise SreError(f"{where} needs {', '.join(missing)}: give it as an argument (replica, replicas, process)")
    return {variable: checked_value(variable, given[variable]) for variable in needed}


def undo_of(page: str, name: str) -> str:
    """The way back as a command. Raises SreError where there is none."""
    found = page_of(page).mitigation(name)
    if found is None or not found.undo:
        able = ", ".join(one.name for one in page_of(page).mitigations if one.undo) or "none"
        raise SreError(f"runbook {page} has no way back of {name!r} to run; it has one of {able}")
    return found.undo


def carry_out(
    page: str,
    name: str,
    values: Mapping[str, str],
    shell: Runs,
    *,
    timeout_s: float,
    verify_s: float,
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Carried:
    """Run its commands, then its verification until that holds or `verify_s` after the commands have passed.

    A verification that held before anything was done would prove nothing, so it is asked before, too.
    """
    one = mitigation_of(page, name)
    held_before = shell.run(one.check, timeout_s=CHECK_TIMEOUT_S).exit_code == 0
    done = shell.run(one.run, timeout_s=timeout_s)
    verified_at, why = None, _failure(done)
    if held_before:
        why = "its verification held before anything was done, so it shows nothing"
    elif not why:
        verified_at, why = _verified(one.check, shell, done.ended_at + verify_s, now=now, sleep=sleep)
    return Carried(
        page=page,
        mitigation=name,
        title=one.title,
        command=one.run,
        check=one.check,
        values=tuple(sorted(values.items())),
        began_at=done.began_at,
        ended_at=done.ended_at,
        exit_code=done.exit_code,
        verified_at=verified_at,
        why=why,
        output=_end_of(masked(done.output)),
    )


def _verified(
    check: str, shell: Runs, until: float, *, now: Callable[[], float], sleep: Callable[[float], None]
) -> tuple[float | None, str]:
    while True:
        looked = shell.run(check, timeout_s=CHECK_TIMEOUT_S)
        if looked.exit_code == 0:
            return looked.ended_at, ""
        if now() >= until:
            words = " ".join(masked(looked.output).split())
            return None, f"its verification did not hold in time: {words[:200] or 'it said nothing'}"
        sleep(CHECK_EVERY_S)


def _failure(done: Ran) -> str:
    if done.exit_code is None:
        return "its command did not end in time"
    if done.exit_code != 0:
        words = " ".join(masked(done.output).split())
        return f"its command ended with exit {done.exit_code}: {words[-200:] or 'it said nothing'}"
    return ""


def _end_of(text: str) -> str:
    return text if len(text) <= _MOST_TEXT else f"[...]{text[-_MOST_TEXT:]}"
