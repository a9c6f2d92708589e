"""Where a drill tells how far it is."""

from __future__ import annotations

from typing import Protocol

POLL_S = 0.25
"""How often a step that waits looks again."""


class Progress(Protocol):
    """`sre.console.Progress` is one; a test may use a list."""

    def step(self, text: str) -> None: ...
    def detail(self, text: str) -> None: ...
    def note(self, text: str) -> None: ...
    def done(self, result: str = "") -> None: ...
    def fail(self, result: str = "") -> None: ...
