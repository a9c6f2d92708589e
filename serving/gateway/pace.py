"""How fast a replica usually works, learned from the pieces it sends: what its silence is measured against.

Two speeds: the time between two pieces of one stream (a step of the engine), and the prefill time of a prompt token.
The second matters only while nothing decodes: a long prompt alone on a replica is silent for many steps and yet sound.
"""

from __future__ import annotations

_WEIGHT = 1 / 64
_WARM_STEPS = 64
_CLIP = 8.0  # a single gap counts at most as so many usual ones: a stall must not teach patience
_FADE = 0.9
_UNKNOWN_PREFILL_S = 1e-4
"""Seconds a prompt token until seen; about three times that of an 8B model on an H100, a third of a 70B one's."""


class Pace:
    """Running means. Seconds."""

    __slots__ = ("_prefill_s", "_prefill_tokens", "step_s", "steps")

    def __init__(self) -> None:
        self.step_s = 0.0
        self.steps = 0
        self._prefill_s = 0.0
        self._prefill_tokens = 0.0

    def step(self, gap_s: float) -> None:
        """A stream's next piece came `gap_s` after the one before."""
        self.steps += 1
        if self.steps < _WARM_STEPS:
            self.step_s += (gap_s - self.step_s) / self.steps
        else:
            usual = self.step_s
            self.step_s = usual + (min(gap_s, _CLIP * usual) - usual) * _WEIGHT

    def prefill(self, tokens: int, seconds: float) -> None:
        """A prompt of `tokens` got its first piece `seconds` after it, or the prompt before it, could begin."""
        self._prefill_s = self._prefill_s * _FADE + seconds
        self._prefill_tokens = self._prefill_tokens * _FADE + tokens

    def prefill_s(self, tokens: int) -> float:
        """How long prompts of `tokens` together usually take."""
        known = self._prefill_tokens >= 1
        return tokens * (self._prefill_s / self._prefill_tokens if known else _UNKNOWN_PREFILL_S)
