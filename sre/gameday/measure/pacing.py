"""Progress of a long report: its steps, and how much time is left by what the steps were expected to take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from sre.gameday.progress import Progress
from sre.reports.formats import seconds

_PRIOR_S = 60.0
"""How much of a run has to be over before its pace counts as much as what was expected."""


class Pacing:
    """A `Progress` that says how much is left at each step. `expected` are the seconds each part should take."""

    def __init__(
        self, progress: Progress, expected: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._progress = progress
        self._left = dict(expected)
        self._total = len(expected)
        self._clock = clock
        self._part: tuple[str, float] | None = None
        self._expected_s = self._taken_s = _PRIOR_S

    def part(self, name: str) -> None:
        """The next part begins; the one before is over, and told how long parts really take."""
        self.over()
        number = self._total - len(self._left) + 1
        self._part = (name, self._clock())
        self._progress.note(f"{name} ({number} of {self._total}), {self.left_words()}")

    def over(self) -> None:
        if self._part is None:
            return
        name, began = self._part
        self._part = None
        self._expected_s += self._left.pop(name, 0.0)
        self._taken_s += self._clock() - began

    def left_s(self) -> float:
        """Seconds until the end, by what is expected and the pace so far."""
        spent = 0.0 if self._part is None else self._clock() - self._part[1]
        return max(0.0, sum(self._left.values()) * self._taken_s / self._expected_s - spent)

    def left_words(self) -> str:
        return f"about {seconds(self.left_s())} left"

    def step(self, text: str) -> None:
        self._progress.step(text)

    def detail(self, text: str) -> None:
        self._progress.detail(f"{text}; {self.left_words()}" if text else self.left_words())

    def note(self, text: str) -> None:
        self._progress.note(text)

    def done(self, result: str = "") -> None:
        self._progress.done(result)

    def fail(self, result: str = "") -> None:
        self._progress.fail(result)
