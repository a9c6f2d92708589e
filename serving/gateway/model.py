"""What travels through the gateway: a job, the pieces of text it turns into, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Outcome = Literal["ok", "error", "truncated", "rejected", "cancelled", "invalid"]
FailureReason = Literal["connect", "error", "timeout"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "error", "truncated", "rejected", "cancelled", "invalid")
FAILURE_REASONS: tuple[FailureReason, ...] = ("connect", "error", "timeout")


@dataclass(frozen=True, slots=True)
class Job:
    """One generation to be done by some replica.

    `sampling_json` is what the model's `sampling_parameters` tensor carries. `prompt_tokens_estimate` counts words:
    exact for the emulated engine, good enough for routing on a real one.
    """

    request_id: str
    model: str
    prompt: str
    sampling_json: str
    max_tokens: int
    prompt_tokens_estimate: int

    @property
    def cost_tokens(self) -> int:
        """The most tokens this job can occupy in a replica: what routing balances."""
        return self.prompt_tokens_estimate + self.max_tokens


class Finish(NamedTuple):
    """How a generation ended, with the engine's own totals."""

    reason: str
    prompt_tokens: int
    output_tokens: int


class Piece(NamedTuple):
    """One response of the replica: new text, and `finish` on the last. A tuple because there is one a token."""

    text: str
    finish: Finish | None
