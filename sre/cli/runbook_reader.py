"""The person at a terminal, as a walk through a runbook sees them; and the one that stands for nobody."""

from __future__ import annotations

import re
from collections.abc import Callable

import typer

from sre.errors import SreError
from sre.reports.formats import plural
from sre.runbooks.knowledge.model import Check, Mitigation, Page
from sre.runbooks.shell import Ran
from sre.runbooks.variables import VARIABLES, checked_value
from sre.runbooks.walk import Answer, Stop, Walked

Ask = Callable[[str], str]
MOST_LINES = 40


class Terminal:
    """Shows on standard output, asks on standard input. `reads_alone`: commands that only read need no yes."""

    def __init__(self, *, reads_alone: bool, ask: Ask | None = None) -> None:
        self._reads_alone = reads_alone
        self._ask = ask or input

    @property
    def is_present(self) -> bool:
        return True

    def show(self, stop: Stop) -> None:
        if isinstance(stop.part, Check):
            typer.secho(f"\n{stop.label}. {plain(stop.title)}", bold=True)
            _command(stop.part.run)
            typer.echo(f"  expect: {plain(stop.part.see)}")
        else:
            _mitigation(stop.label, stop.part)

    def decide(self, page: Page) -> None:
        typer.secho("\nDecide:", bold=True)
        for sign in page.signs:
            page_word = f" [sre runbook exec {sign.page}]" if sign.page else ""
            typer.echo(f"  - {plain(sign.see)}\n      = {plain(sign.means)}: {plain(sign.do)}{page_word}")

    def may_run(self, stop: Stop) -> Answer:
        if self._reads_alone:
            return "run"
        said = self._asked("  run it? [Y]es, [n]o, [q]uit: ").lower()
        return "stop" if said.startswith("q") else "skip" if said.startswith("n") else "run"

    def confirms(self, stop: Stop) -> Answer:
        """Only the whole name counts: a return pressed too often changes nothing."""
        name = stop.part.name
        said = self._asked(f"  this changes something. Type `{name}` to do it, return to leave it, q to quit: ")
        return "run" if said == name else "stop" if said.lower() in ("q", "quit") else "skip"

    def value(self, name: str) -> str:
        """Asked until it fits, or nothing is typed."""
        variable = VARIABLES[name]
        while said := self._asked(f"  {name} ({plain(variable.means)}), return to skip: ", at_end=""):
            try:
                return checked_value(name, said)
            except SreError as error:
                typer.echo(f"  {error}")
        return ""

    def output(self, text: str) -> None:
        typer.echo("".join(f"  | {line}" for line in text.splitlines(keepends=True)), nl=False)

    def is_as_expected(self, stop: Stop, ran: Ran) -> bool:
        if self._reads_alone and not stop.part.is_mutating:
            return has_looked(ran)
        return not self._asked("  as expected? [Y]es, [n]o: ").lower().startswith("n")

    def said(self, walked: Walked) -> None:
        typer.echo(f"  {verdict(walked)}")

    def _asked(self, question: str, *, at_end: str = "q") -> str:
        """What was typed; `at_end` when nobody types any more, so that a closed terminal ends the walk."""
        try:
            return self._ask(question).strip()
        except EOFError:
            return at_end


class Nobody:
    """No one can type: commands that only read run if that was said before, nothing else ever does."""

    def __init__(self, *, reads_alone: bool, tell: Callable[[str], None] = lambda _: None) -> None:
        self._reads_alone = reads_alone
        self._tell = tell

    @property
    def is_present(self) -> bool:
        return False

    def show(self, stop: Stop) -> None:
        self._tell(f"{stop.label}. {plain(stop.title)}")

    def decide(self, page: Page) -> None:
        pass

    def may_run(self, stop: Stop) -> Answer:
        return "run" if self._reads_alone else "skip"

    def confirms(self, stop: Stop) -> Answer:
        return "skip"

    def value(self, name: str) -> str:
        return ""

    def output(self, text: str) -> None:
        """Told when the step is over, so that it can be cut: nobody waits for it here."""

    def is_as_expected(self, stop: Stop, ran: Ran) -> bool:
        return has_looked(ran)

    def said(self, walked: Walked) -> None:
        for line in _cut(walked.step.output):
            self._tell(f"   | {line}")
        self._tell(f"   {verdict(walked)}")


def has_looked(ran: Ran) -> bool:
    """Whether a command that reads did its work: 1 is what `grep` says of no match, and `sre status` of a replica that
    does not serve. What that means, the page says.
    """
    return ran.exit_code in (0, 1)


def verdict(walked: Walked) -> str:
    """The verdict and why; exit 1 of a step that only reads is said to be allowed, as `has_looked` has it."""
    step = walked.step
    if step.verdict == "ok" and step.exit_code == 1 and not step.is_mutating:
        return "ok (exit 1, which this step allows)"
    return f"{step.verdict} ({walked.why})" if walked.why else step.verdict


def _cut(output: str) -> list[str]:
    """The lines of an output, cut after `MOST_LINES`; a terminal's control characters are taken out."""
    lines = output.splitlines()
    more = len(lines) - MOST_LINES
    kept = ["".join(char for char in line if char.isprintable() or char == "\t") for line in lines[:MOST_LINES]]
    return [*kept, f"[{plural(more, 'more line')}]"] if more > 0 else kept


def plain(text: str) -> str:
    """Markdown as it is read in a terminal, on one line."""
    return re.sub(r"\*\*|`", "", " ".join(text.split()))


def _command(run: str) -> None:
    for line in run.splitlines():
        typer.secho(f"  $ {line}", fg=typer.colors.CYAN)


def _mitigation(label: str, one: Mitigation) -> None:
    typer.secho(f"\n{label}. {plain(one.title)} ({one.approval_level})", bold=True)
    for name, text in (
        ("precondition", one.when),
        ("do", one.do),
        ("blast radius", one.radius),
        ("way back", one.back or "none needed"),
        ("approval", one.approval),
        ("verify", one.verify),
        ("escalate", one.escalate),
    ):
        typer.echo(f"  {name + ':':13} {plain(text)}")
    _command(one.run)
