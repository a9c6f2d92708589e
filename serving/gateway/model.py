"""What travels through the gateway: a job, the pieces of text it turns into, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Outcome = Literal["ok", "error", "truncated", "rejected", "cancelled", "invalid"]
FailureReason = Literal["connect", "error", "timeout"]
OUTCOMES: tuple[Outcome, ...] = ("ok", "error", "truncated", "rejected", "cancelled", "invalid")
FAILURE_REASONS: tuple[FailureReason, ...] = ("connect", "error", "timeout")


Replay = Literal["exact", "continuation", "off"]
"""What a generation that lost its replica after its first token may expect of another one.

`exact`: the same bytes as without the failure (a deterministic engine, or greedy sampling). `continuation`: the model
goes on from the tokens already sent; a sample of the same distribution, not the bytes an undisturbed run would have
given. `off`: never continued.
"""


@dataclass(frozen=True, slots=True)
class Resume:
    """What the client has of a generation that goes on elsewhere; `token_ids` as far as the engine tells them."""

    output_tokens: int
    text: str
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Job:
    """One generation to be done by some replica.

    `sampling` is what the model's `sampling_parameters` tensor carries. `prompt_tokens_estimate` counts words:
    exact for the emulated engine, good enough for routing on a real one. `messages` are a chat's, for replicas that
    speak the OpenAI API themselves. Lower `priority` goes first. `deadline_at` (Unix seconds) is the client's.
    `prefix` are the chained hashes of the prompt's leading blocks, what prefix affinity routes by; `fingerprint` is one
    of the whole prompt, by which one that kills replicas is known again (0: it is not followed).
    """

    request_id: str
    model: str
    prompt: str
    sampling: Mapping[str, Any]
    max_tokens: int
    prompt_tokens_estimate: int
    messages: tuple[Mapping[str, Any], ...] = ()
    priority: int = 0
    tenant: str = ""
    deadline_at: float | None = None
    prefix: tuple[int, ...] = ()
    replay: Replay = "exact"
    traceparent: str | None = None
    fingerprint: int = 0

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
    """One response of the replica: new text, and `finish` on the last. A tuple because there is one a token.

    `token_ids` are those of this piece, where the engine tells them (a real model; the emulated one needs none).
    `tokens` is how many there are: a server may put several into one chunk, and a final piece without text has none.
    """

    text: str
    finish: Finish | None
    token_ids: tuple[int, ...] = ()
    tokens: int = 1
