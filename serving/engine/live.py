"""A request inside the emulated engine, from its words to its last event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from serving.batching import Request, SchedulerConfig
from serving.engine.events import EventReceiver
from serving.engine.prefix import BlockChain
from serving.engine.sampling import Sampling
from serving.engine.tokens import Answer, answer
from serving.errors import BadInput


@dataclass(slots=True)
class Live:
    """A request between submission and its last event. `chain` names the KV blocks that its tokens fill."""

    request: Request
    prompt: str
    answer: Answer
    deltas: Iterator[str]
    chain: BlockChain | None
    deadline_at: float | None
    receive: EventReceiver
    last_event_at: float
    has_started: bool = False


def prepare(
    request_id: str,
    prompt: str,
    sampling: Sampling,
    *,
    config: SchedulerConfig,
    require_fits: Callable[[Request], None],
    receive: EventReceiver,
    now: float,
) -> Live | Answer:
    """Work out what will be said and which blocks it fills; just the answer when the client has all of it already.

    Raises what `require_fits` raises for the prompt with all of `max_tokens`, and BadInput for a prompt without a word
    or a resume beyond the end: before the answer is worked out, whose cost grows with `max_tokens`.
    """
    words = prompt.split()
    request = Request(request_id, len(words), sampling.max_tokens, sampling.priority)
    require_fits(request)
    reply, resumed = answer(prompt, sampling), sampling.resumed_tokens
    if resumed > reply.tokens:
        raise BadInput(
            f"resume.output_tokens is {resumed}, more than the {reply.tokens} tokens of this answer: "
            "resume what this prompt began"
        )
    if resumed == reply.tokens:
        return reply
    chain = BlockChain(words, reply.voice, config.block_size_tokens) if config.enable_prefix_caching else None
    hashes = chain.advance(len(words) + resumed) if chain else ()
    request = replace(request, output_tokens=reply.tokens, resumed_tokens=resumed, block_hashes=hashes)
    return Live(request, prompt, reply, reply.deltas(resumed), chain, sampling.deadline_at, receive, now)
