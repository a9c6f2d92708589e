"""What goes into the scheduler (configuration, requests) and what comes out of it (plans, outcomes)."""

from __future__ import annotations

from dataclasses import dataclass

from serving.errors import BadInput


class NeverFits(BadInput):
    """A request that no amount of waiting could serve: it exceeds the model's length or the whole KV pool."""


@dataclass(frozen=True, slots=True)
class SchedulerConfig:
    """Limits of one replica, named as vLLM names them (`kv_blocks` is its `num_gpu_blocks`)."""

    kv_blocks: int
    block_size_tokens: int = 16
    max_num_seqs: int = 256
    max_num_batched_tokens: int = 2048
    max_model_len: int = 32768
    enable_prefix_caching: bool = True

    def __post_init__(self) -> None:
        for name in ("kv_blocks", "block_size_tokens", "max_num_seqs", "max_num_batched_tokens", "max_model_len"):
            if getattr(self, name) < 1:
                raise BadInput(f"scheduler: {name} is {getattr(self, name)}: must be at least 1")
        if self.max_num_seqs > self.max_num_batched_tokens:
            raise BadInput(
                f"scheduler: max_num_seqs {self.max_num_seqs} exceeds max_num_batched_tokens "
                f"{self.max_num_batched_tokens}: every running sequence needs one token a step"
            )

    def blocks_for(self, tokens: int) -> int:
        """KV blocks that hold `tokens` tokens of one sequence."""
        return -(-tokens // self.block_size_tokens)


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the scheduler sees it.

    `output_tokens` is how many tokens it will produce; a clock-free core has to be told, because no model decides it.
    The scheduler uses it to end the request and to refuse one that can never fit, never to plan ahead. Lower
    `priority` goes first. `resumed_tokens` of the output were made elsewhere: they are prefilled with the prompt, and
    the first emission has that position. `block_hashes` name the full blocks of the tokens known at the start (prompt
    and resumed ones), each hash standing for all tokens up to the block's end; without them nothing is shared.
    """

    id: str
    prompt_tokens: int
    output_tokens: int
    priority: int = 0
    resumed_tokens: int = 0
    block_hashes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.prompt_tokens < 1 or self.output_tokens < 1:
            raise BadInput(
                f"request {self.id}: {self.prompt_tokens} prompt and {self.output_tokens} output tokens: "
                "give at least 1 of each"
            )
        if not 0 <= self.resumed_tokens < self.output_tokens:
            raise BadInput(
                f"request {self.id}: {self.resumed_tokens} of {self.output_tokens} output tokens are there already: "
                "resume with at least one left"
            )


@dataclass(frozen=True, slots=True)
class Allotment:
    """Tokens one request may compute in this step."""

    request_id: str
    tokens: int
    is_decode: bool


@dataclass(frozen=True, slots=True)
class StepPlan:
    """One engine iteration.

    `context_tokens` is the KV length before the step, summed over the batch, `decode_context_tokens` over its decodes;
    `prefill_pairs` sums over the others their tokens in this step times their KV length before it. `admitted` left the
    queue in this step, with `hit_tokens` of each found in the prefix cache; `preempted` lost their blocks and went back
    to it.
    """

    number: int
    allotments: tuple[Allotment, ...]
    decode_seqs: int
    prefill_tokens: int
    context_tokens: int
    decode_context_tokens: int
    admitted: tuple[str, ...]
    hit_tokens: tuple[int, ...]
    preempted: tuple[str, ...]
    prefill_pairs: int = 0

    @property
    def is_empty(self) -> bool:
        return not self.allotments

    @property
    def total_tokens(self) -> int:
        return self.decode_seqs + self.prefill_tokens


@dataclass(frozen=True, slots=True)
class Emission:
    """One output token: its 0-based position in the request's output, and whether it is the last."""

    request_id: str
    position: int
    is_last: bool


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What a completed step produced, in the plan's order."""

    emitted: tuple[Emission, ...]

    @property
    def finished(self) -> tuple[str, ...]:
        return tuple(emission.request_id for emission in self.emitted if emission.is_last)
