"""The facilitator's screen and keyboard: a line editor that keeps the timer alive while somebody types.

Without a terminal (a pipe, a test of the whole command) lines are read as they come, and the timer is not drawn.
"""

from __future__ import annotations

import codecs
import os
import select
import sys
import termios
import tty
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sre.incidents.visible import visible
from sre.tabletop.commands import HELP
from sre.tabletop.model import Artefact, Inject
from sre.tabletop.session import Session

_ERASE = "\r\x1b[K"
_TO_END, _INTERRUPT, _BACK, _KILL = "\x04", "\x03", ("\x7f", "\b"), "\x15"


class TerminalDesk:
    """`for_control`: expected actions and contingencies are shown as well; not for a screen that players see.

    `on_stderr` leaves stdout to the result.
    """

    def __init__(self, *, for_control: bool, folder: str, on_stderr: bool = False) -> None:
        self._out = sys.stderr if on_stderr else sys.stdout
        self._console = Console(highlight=False, stderr=on_stderr)
        self._for_control, self._folder = for_control, folder
        self._is_terminal = sys.stdin.isatty() and self._out.isatty()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._typed = ""
        self._pending = ""
        self._settings: list[Any] | None = None

    def __enter__(self) -> Self:
        if self._is_terminal:
            self._settings = termios.tcgetattr(sys.stdin)
            tty.setcbreak(sys.stdin)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._settings is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, self._settings)

    def show(self, session: Session, inject: Inject) -> None:
        self._clear()
        exercise = session.exercise
        title = f"{inject.id}  {inject.channel}  {inject.sender} to {exercise.role_title(inject.receiver)}"
        subtitle = f"{inject.at_min} min of {exercise.play_min}"
        self._console.print()
        self._console.print(
            Panel(Text(visible(inject.text)), title=escape(visible(title)), subtitle=subtitle, title_align="left")
        )
        for artefact in inject.artefacts:
            for part in self._artefact(artefact):
                self._console.print(part, soft_wrap=True)
        if self._for_control:
            self._console.print(Padding(_control(session, inject), (0, 2)))

    def say(self, text: str) -> None:
        self._clear()
        if text:
            self._console.print(f"  [cyan]·[/cyan] {escape(visible(text))}")

    def help(self) -> None:
        self._clear()
        table = Table(box=None, show_header=False, padding=(0, 2))
        for keys, what in HELP:
            table.add_row(escape(keys), escape(what))
        self._console.print(table)

    def read(self, prompt: Callable[[], str], timeout_s: float) -> str | None:
        if not self._is_terminal:
            return self._read_plain(timeout_s)
        head = f"{prompt()}  > "
        room = max(8, self._console.width - len(head) - 1)
        self._out.write(f"{_ERASE}{head}{self._typed[-room:]}")
        self._out.flush()
        if "\n" not in self._pending and not self._arrived(timeout_s):
            return None
        return self._line()

    def _read_plain(self, timeout_s: float) -> str | None:
        while "\n" not in self._pending:
            if not self._arrived(timeout_s):
                return None
        line, _, self._pending = self._pending.partition("\n")
        return line

    def _arrived(self, timeout_s: float) -> bool:
        """Whether something was typed. Reads the descriptor itself: Python's own buffer would hide what is there."""
        ready, _, _ = select.select([sys.stdin.fileno()], [], [], timeout_s)
        if not ready:
            return False
        data = os.read(sys.stdin.fileno(), 4096)
        if not data:
            if self._pending:
                self._pending += "\n"
                return True
            raise EOFError
        self._pending += self._decoder.decode(data).replace("\r", "\n")
        return True

    def _line(self) -> str | None:
        """Take in what was typed; the line once it is whole."""
        while self._pending:
            key, self._pending = self._pending[0], self._pending[1:]
            if key == "\n":
                line, self._typed = self._typed, ""
                self._out.write("\n")
                return line
            if key == _INTERRUPT or (key == _TO_END and not self._typed):
                raise EOFError
            if key in _BACK:
                self._typed = self._typed[:-1]
            elif key == _KILL:
                self._typed = ""
            elif key.isprintable():
                self._typed += key
        return None

    def _artefact(self, artefact: Artefact) -> list[Text]:
        if artefact.absent:
            return [Text(f"\n{artefact.title}: {artefact.absent}", style="dim")]
        told = [Text(f"\n{artefact.title}", style="bold"), Text(visible(artefact.text))]
        if artefact.svg:
            told.append(Text(f"chart: {self._folder}/handouts/artefacts/{artefact.name}.svg", style="dim"))
        return told

    def _clear(self) -> None:
        if self._is_terminal:
            self._out.write(_ERASE)
            self._out.flush()


def _control(session: Session, inject: Inject) -> RenderableType:
    objective = session.exercise.objective(inject.objective)
    lines = [Text(f"{objective.id} {objective.title}. Expected:", style="yellow")]
    lines += [Text(f"  [ ] {action}") for action in inject.expected]
    lines.append(Text(f"If they go elsewhere: {inject.contingency}", style="dim"))
    return Group(*lines)
