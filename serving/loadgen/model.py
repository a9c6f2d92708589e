"""Types of the load generator: what is planned, what was offered, what one request met."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["ok", "error", "truncated", "rejected", "timeout", "invalid", "cancelled"]
"""The client's view. `invalid`: the server refused what was asked (4xx but 429), which is no failure of the service."""


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One request of a trace, `at_s` after the first; `hash_ids` name its 512-token prefix blocks (Mooncake)."""

    at_s: float
    prompt_tokens: int
    output_tokens: int
    hash_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """One request to send `offset_s` after the start; `max_tokens` is its exact output length (`ignore_eos`)."""

    index: int
    offset_s: float
    prompt_tokens: int
    max_tokens: int
    hash_ids: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        return f"r{self.index:06d}"


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that will be sent, in order. `capped_*` and `clipped_*` count requests whose length a bound changed.

    Capped: by the plan's `max_prompt_tokens` or `max_output_tokens`. Clipped: drawn outside the distribution's bounds.
    """

    source: str
    rate_rps: float
    requests: tuple[PlannedRequest, ...]
    capped_prompts: int = 0
    capped_outputs: int = 0
    clipped_prompts: int = 0
    clipped_outputs: int = 0


@dataclass(frozen=True, slots=True)
class RequestRecord:
    """One line of `requests.jsonl`; times are Unix seconds, None when not reached."""

    id: str
    scheduled_at: float
    sent_at: float
    first_token_at: float | None
    last_token_at: float | None
    finished_at: float
    prompt_tokens: int
    max_tokens: int
    output_tokens: int
    max_gap_s: float | None
    outcome: Outcome
    status: int | None
    error: str | None
    finish_reason: str | None
    replicas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands. `finished` = ok + failed + cancelled."""

    at: float
    sent: int
    finished: int
    ok: int
    failed: int
    inflight: int
