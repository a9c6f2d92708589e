"""What a person sees while something long runs: one line a step, live where the terminal allows it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.status import Status


class Progress:
    """Steps with their duration, and a live line for the step that runs.

    Writes to stderr, so that stdout stays for results. Without a terminal each step is one plain line.
    """

    def __init__(self, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        from rich.console import Console

        self._console = Console(stderr=True, highlight=False)
        self._quiet = quiet
        self._clock = clock
        self._status: Status | None = None
        self._step: tuple[str, float] | None = None

    def step(self, text: str) -> None:
        """Begin a step; the one before is finished."""
        self.done()
        self._step = (text, self._clock())
        if not self._quiet and self._console.is_terminal:
            self._status = self._console.status(text)
            self._status.start()

    def detail(self, text: str) -> None:
        """Replace the live line's tail. Not shown without a terminal: a log wants facts, not ticks."""
        if self._status is not None and self._step is not None:
            self._status.update(f"{self._step[0]} [dim]{text}[/dim]")

    def note(self, text: str) -> None:
        """A fact worth a line of its own, printed above the live line."""
        from rich.markup import escape

        if not self._quiet:
            self._console.print(f"  [cyan]·[/cyan] {escape(text)}", soft_wrap=True)

    def done(self, result: str = "") -> None:
        """Finish the running step."""
        self._end("[green]✓[/green]", result)

    def fail(self, result: str = "") -> None:
        """Finish the running step as failed."""
        self._end("[red]✗[/red]", result)

    def _end(self, mark: str, result: str) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
        if self._step is None:
            return
        from rich.markup import escape

        text, began = self._step
        self._step = None
        if not self._quiet:
            tail = f": {escape(result)}" if result else ""
            self._console.print(f"{mark} {text}{tail} [dim]{self._clock() - began:.1f} s[/dim]", soft_wrap=True)


def print_json(data: object) -> None:
    """One JSON object on stdout."""
    import json

    sys.stdout.write(json.dumps(data, indent=1, default=str) + "\n")


def print_json_line(data: object) -> None:
    """One JSON object on one line, at once: for what goes on running, and is read through a pipe meanwhile."""
    import json

    sys.stdout.write(json.dumps(data, default=str) + "\n")
    sys.stdout.flush()
