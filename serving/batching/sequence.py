"""A request under way, and the step it is part of while that step is put together."""

from __future__ import annotations

from dataclasses import dataclass, field

from serving.batching.model import Allotment, Request, StepPlan


@dataclass(slots=True, eq=False)
class Sequence:
    """A request under way.

    `known_tokens` are prompt and emitted ones. `computed_tokens` have their KV in `blocks`, of which the first
    `registered` can be found by others; `scheduled_tokens` is its part of the open step. `hashes` grows as generated
    tokens fill blocks.
    """

    request: Request
    arrival: int
    emitted_tokens: int
    hashes: list[int]
    computed_tokens: int = 0
    scheduled_tokens: int = 0
    is_running: bool = False
    registered: int = 0
    blocks: list[int] = field(default_factory=list)
    known_tokens: int = field(init=False)

    def __post_init__(self) -> None:
        self.known_tokens = self.request.prompt_tokens + self.emitted_tokens

    @property
    def is_decode(self) -> bool:
        """Only the last emitted token is left to compute."""
        return self.emitted_tokens > 0 and self.known_tokens - self.computed_tokens == 1


def order(sequence: Sequence) -> tuple[int, int]:
    """Who goes first: priority, then arrival."""
    return sequence.request.priority, sequence.arrival


class Step:
    """A step being put together."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.batch: list[Sequence] = []
        self.admitted: list[str] = []
        self.hit_tokens: list[int] = []
        self.preempted: list[str] = []

    def schedule(self, sequence: Sequence, tokens: int) -> None:
        sequence.scheduled_tokens = tokens
        self.budget -= tokens
        self.batch.append(sequence)

    def withdraw(self, sequence: Sequence) -> None:
        """Take a preempted sequence out of the batch again, giving its tokens back to the budget."""
        if sequence.scheduled_tokens:
            self.budget += sequence.scheduled_tokens
            sequence.scheduled_tokens = 0
            self.batch.remove(sequence)

    def to_plan(self, number: int) -> StepPlan:
        allotments = []
        decode_seqs = prefill_tokens = context_tokens = decode_context_tokens = prefill_pairs = 0
        for sequence in self.batch:
            tokens, computed = sequence.scheduled_tokens, sequence.computed_tokens
            is_decode = sequence.known_tokens - computed == 1 and sequence.emitted_tokens > 0
            allotments.append(Allotment(sequence.request.id, tokens, is_decode))
            context_tokens += computed
            if is_decode:
                decode_seqs += 1
                decode_context_tokens += computed
            else:
                prefill_tokens += tokens
                prefill_pairs += tokens * computed
        return StepPlan(
            number=number,
            allotments=tuple(allotments),
            decode_seqs=decode_seqs,
            prefill_tokens=prefill_tokens,
            context_tokens=context_tokens,
            decode_context_tokens=decode_context_tokens,
            admitted=tuple(self.admitted),
            hit_tokens=tuple(self.hit_tokens),
            preempted=tuple(self.preempted),
            prefill_pairs=prefill_pairs,
        )
