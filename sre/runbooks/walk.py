"""A runbook walked step by step: what is asked of the person, what runs, and what is written down of it.

A command that only reads runs when the person says so, or all of them when they said so before. One that changes
something runs only after its precondition, blast radius and way back were shown and a confirmation was typed; where
nobody can type, it never runs. Where values are missing the step is skipped, never run with a guess.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from sre.errors import SreError
from sre.incidents.events import RunbookStep
from sre.runbooks.knowledge.model import Check, Mitigation, Page
from sre.runbooks.knowledge.references import resolved
from sre.runbooks.masking import masked
from sre.runbooks.shell import Ran, Shell
from sre.runbooks.variables import variables_in

Answer = Literal["run", "skip", "stop"]
Where = Literal["local", "kubernetes"]
MOST_RECORDED = 8000
VERIFY_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Stop:
    """One step or mitigation. `label` is how the page numbers it: `3`, `B`, `K1`, `KA`."""

    label: str
    part: Check | Mitigation

    @property
    def title(self) -> str:
        return " ".join((self.part.ask if isinstance(self.part, Check) else self.part.title).split())

    @property
    def needs(self) -> tuple[str, ...]:
        """The variables of its commands."""
        return variables_in(f"{self.part.run}\n{getattr(self.part, 'check', '')}")


@dataclass(frozen=True, slots=True)
class Walked:
    """A step that is over. `why` says what became of it where the verdict alone does not; `values` it ran with."""

    stop: Stop
    step: RunbookStep
    began_at: float
    ended_at: float
    why: str = ""
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: for a command that reads, for one that changes something, and for its verification to hold."""

    read_s: float = 60.0
    change_s: float = 300.0
    verify_s: float = 60.0


class Reader(Protocol):
    """The person, or what stands for one. `is_present` False: nobody can type."""

    @property
    def is_present(self) -> bool: ...

    def show(self, stop: Stop) -> None:
        """Question, command, what to expect; of a mitigation all that has to be known before."""
        ...

    def decide(self, page: Page) -> None:
        """The decision table, after the steps and before the mitigations."""
        ...

    def may_run(self, stop: Stop) -> Answer:
        """Whether a command that only reads may run."""
        ...

    def confirms(self, stop: Stop) -> Answer:
        """Whether a mitigation is to be carried out: `run` only when its name was typed."""
        ...

    def value(self, name: str) -> str:
        """The value of a variable, checked; "" for none."""
        ...

    def output(self, text: str) -> None:
        """What a command prints, as it comes."""
        ...

    def is_as_expected(self, stop: Stop, ran: Ran) -> bool:
        """The person's word on an output; without one, whether it could be had."""
        ...

    def said(self, walked: Walked) -> None:
        """A step is over."""
        ...


Shells = Callable[[Mapping[str, str]], AbstractContextManager[Shell]]


def stops_of(page: Page, where: Where = "local") -> tuple[Stop, ...]:
    """Steps, then mitigations, with their labels and in words."""
    known = resolved(page)
    letters = "ABCDEFGHIJ"
    checks, mitigations, mark = known.checks, known.mitigations, ""
    if where == "kubernetes":
        checks, mitigations, mark = known.kubernetes_checks, known.kubernetes_mitigations, "K"
    steps = [Stop(f"{mark}{number}", check) for number, check in enumerate(checks, 1)]
    return (*steps, *(Stop(f"{mark}{letters[number]}", one) for number, one in enumerate(mitigations)))


def up_to(stops: Sequence[Stop], until: str | None) -> tuple[Stop, ...]:
    """The stops up to and with the one of this label or name. Raises SreError when there is none."""
    if until is None:
        return tuple(stops)
    for number, stop in enumerate(stops, 1):
        if until.lower() in (stop.label.lower(), stop.part.name):
            return tuple(stops[:number])
    labels = ", ".join(f"{stop.label} ({stop.part.name})" for stop in stops)
    raise SreError(f"--until {until}: no such step: use one of {labels}")


def walk(
    page: Page,
    stops: Sequence[Stop],
    *,
    reader: Reader,
    shells: Shells,
    known: Mapping[str, str],
    limits: Limits = Limits(),
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Walked]:
    """Each step as it is over, so that it can be written down at once. Ends early when the person says so."""
    walker = _Walker(page.name, reader, shells, dict(known), limits, now, sleep)
    decided = False
    for stop in stops:
        if isinstance(stop.part, Mitigation) and not decided:
            decided = True
            reader.decide(resolved(page))
        walked = walker.over(stop)
        if walked is None:
            return
        reader.said(walked)
        yield walked


class _Walker:
    """Keeps the values that were given on the way."""

    def __init__(
        self,
        page: str,
        reader: Reader,
        shells: Shells,
        values: dict[str, str],
        limits: Limits,
        now: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._page = page
        self._reader = reader
        self._shells = shells
        self._values = values
        self._limits = limits
        self._now = now
        self._sleep = sleep

    def over(self, stop: Stop) -> Walked | None:
        """The step, walked; None when the person stops here."""
        self._reader.show(stop)
        if isinstance(stop.part, Mitigation) and stop.part.is_mutating:
            answer: Answer = self._reader.confirms(stop) if self._reader.is_present else "skip"
        elif stop.part.run:
            answer = self._reader.may_run(stop)
        else:
            answer = "skip"
        if answer == "stop":
            return None
        if answer == "skip":
            return self._passed_over(stop)
        missing = self._missing(stop)
        if missing:
            return self._passed_over(stop, f"{', '.join(missing)} not given")
        return self._carried_out(stop)

    def _passed_over(self, stop: Stop, why: str = "") -> Walked:
        is_mutating = stop.part.is_mutating
        if not why:
            nobody = "nobody could confirm it" if not self._reader.is_present else "not confirmed"
            why = nobody if is_mutating else "there is nothing to run" if not stop.part.run else "not asked for"
        at = self._now()
        step = RunbookStep(
            page=self._page,
            step=stop.label,
            command=stop.part.run,
            exit_code=None,
            output="",
            verdict="declined" if is_mutating else "skipped",
            is_mutating=is_mutating,
        )
        return Walked(stop, step, at, at, why)

    def _missing(self, stop: Stop) -> tuple[str, ...]:
        for name in stop.needs:
            if not self._values.get(name):
                self._values[name] = self._reader.value(name)
        return tuple(name for name in stop.needs if not self._values.get(name))

    def _carried_out(self, stop: Stop) -> Walked:
        part = stop.part
        with self._shells({name: self._values[name] for name in stop.needs}) as shell:
            if not part.run:  # done by hand, as the page says
                ran = Ran(0, "", self._now(), self._now())
            else:
                limit = self._limits.change_s if part.is_mutating else self._limits.read_s
                ran = shell.run(part.run, timeout_s=limit, tell=self._reader.output, now=self._now)
            if isinstance(part, Check) or not part.check:
                is_ok, why = self._reader.is_as_expected(stop, ran), _why(ran)
            else:
                is_ok, why = self._verified(part, ran, shell)
        step = RunbookStep(
            page=self._page,
            step=stop.label,
            command=part.run,
            exit_code=ran.exit_code,
            output=_recorded(ran.output),
            verdict="ok" if is_ok else "failed",
            is_mutating=part.is_mutating,
        )
        used = tuple((name, self._values[name]) for name in stop.needs)
        return Walked(
            stop, step, ran.began_at, self._now(), why if part.is_mutating or not is_ok or ran.exit_code else "", used
        )

    def _verified(self, one: Mitigation, ran: Ran, shell: Shell) -> tuple[bool, str]:
        """Whether the page's own verification holds within its time."""
        if ran.exit_code != 0:
            return False, _why(ran)
        until = self._now() + self._limits.verify_s
        while True:
            looked = shell.run(one.check, timeout_s=self._limits.read_s, now=self._now)
            if looked.exit_code == 0:
                self._reader.output(looked.output)
                return True, f"verified {looked.ended_at - ran.began_at:.1f} s after it began"
            if self._now() >= until:
                return False, f"its verification did not hold within {self._limits.verify_s:g} s"
            self._sleep(VERIFY_EVERY_S)


def _why(ran: Ran) -> str:
    if ran.exit_code is None:
        return "it did not end in time and was ended"
    return "" if ran.exit_code == 0 else f"it ended with exit {ran.exit_code}"


def _recorded(output: str) -> str:
    text = masked(output)
    return text if len(text) <= MOST_RECORDED else f"[...]{text[-MOST_RECORDED:]}"
