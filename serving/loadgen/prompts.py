"""Prompts of an exact number of words, made from nothing but (seed, index) or a trace's block hashes.

The emulated tokenizer counts words. The words are common English ones, mostly one token each in byte-pair vocabularies
too, so that a real model sees about the stated length. Each block of 512 words starts with a word of its own: two
prompts share a prefix exactly as far as their blocks are the same.
"""

from __future__ import annotations

import random
import zlib
from functools import cache

from serving.loadgen.model import PlannedRequest
from serving.loadgen.traces import MOONCAKE_BLOCK_TOKENS as BLOCK_TOKENS

_WORDS = (
    "the of and to in is that for it as was with be by on not he his but at are this have from or had an they which "
    "one you were her all she there would their we him been has when who will more no if out so said what up its about "
    "into than them can only other new some could time these two may then do first any my now such like our over man "
    "me even most made after also did many before must through back years where much your way well down should because "
    "each just those people how too little state good very make world still own see men work long get here between both"
)
_CORPUS_WORDS = 8192


def prompt_text(request: PlannedRequest, *, seed: int) -> str:
    """Exactly `request.prompt_tokens` words; shared prefixes follow `request.hash_ids` where the trace has them."""
    words: list[str] = []
    for number, start in enumerate(range(0, request.prompt_tokens, BLOCK_TOKENS)):
        key = f"h{request.hash_ids[number]}" if request.hash_ids else f"s{seed}r{request.index}b{number}"
        words += _block(key, min(BLOCK_TOKENS, request.prompt_tokens - start))
    return " ".join(words)


def _block(key: str, n: int) -> list[str]:
    offset = zlib.crc32(key.encode()) % _CORPUS_WORDS
    return [key, *_corpus()[offset : offset + n - 1]]


@cache
def _corpus() -> list[str]:
    rng = random.Random("corpus")  # noqa: S311
    words = rng.choices(_WORDS.split(), k=_CORPUS_WORDS)
    return words + words[:BLOCK_TOKENS]
