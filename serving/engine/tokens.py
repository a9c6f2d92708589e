"""The emulated tokenizer and the emulated model's answers.

A token is one whitespace-separated word. Token n of an answer is a pure function of (prompt, n), the same in every
process and Python version, so a stream that was cut can be resumed elsewhere and checked byte for byte. No
randomness: a `seed` changes nothing.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from serving.engine.sampling import Sampling

FinishReason = Literal["stop", "length"]

_MASK = (1 << 64) - 1
_MEAN_NATURAL_TOKENS = 180
_MAX_NATURAL_TOKENS = 2048
_VOCABULARY = (
    "the of and to in is that for it as was with be by on not he his but at are this have from or had an they which "
    "one you were all her she there would their we him been has when who will no more if out so up said what its "
    "about than into them can only other time new some could these two may first then do any like my now over such "
    "our man me even most made after also did many off before must well back through years where much your way down "
    "should because long each just state those people too mister how little good world make very year still see own "
    "work men day get here old life both between being under three never know same last another while us might great "
    "go come since against right came take used himself few house use during without again place around small however "
    "found mrs part school thought went say general once high upon every left water night "
)
_WORDS = tuple(_VOCABULARY.split())


def count_tokens(text: str) -> int:
    """Tokens of a prompt."""
    return len(text.split())


class Voice:
    """What the emulated model says to one prompt: an endless stream of words, and where it would stop by itself."""

    __slots__ = ("_seed",)

    def __init__(self, prompt: str) -> None:
        self._seed = int.from_bytes(hashlib.blake2b(prompt.encode(), digest_size=8).digest(), "big")

    def token(self, position: int) -> str:
        """Text of the token at `position` (0-based); all but the first begin with a space."""
        word = _WORDS[_mix(self._seed + position) % len(_WORDS)]
        return f" {word}" if position else word

    @property
    def natural_tokens(self) -> int:
        """Length of the answer when nothing cuts it: exponential with mean 180, at least 1, at most 2,048."""
        uniform = (_mix(self._seed ^ _MASK) >> 11) / (1 << 53)
        return min(_MAX_NATURAL_TOKENS, 1 + int(-math.log1p(-uniform) * _MEAN_NATURAL_TOKENS))


def _mix(value: int) -> int:
    """SplitMix64's output function: 64 well-mixed bits from a counter."""
    z = (value * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return z ^ (z >> 31)


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one request, known before it is generated.

    `text_chars` is set when a stop string cuts the text: then the tokens' texts, put together, end just before it.
    """

    voice: Voice
    tokens: int
    finish_reason: FinishReason
    text_chars: int | None = None

    def text(self) -> str:
        """The whole answer."""
        return "".join(self.voice.token(position) for position in range(self.tokens))[: self.text_chars]

    def deltas(self, start: int = 0) -> Iterator[str]:
        """New text at each token from `start` on; from 0, put together, they are `text()`.

        Tokens that belong to the stop string add nothing.
        """
        left = math.inf
        if self.text_chars is not None:
            left = max(0, self.text_chars - sum(len(self.voice.token(position)) for position in range(start)))
        for position in range(start, self.tokens):
            piece = self.voice.token(position)
            piece = piece if left >= len(piece) else piece[: int(left)]
            left -= len(piece)
            yield piece


def answer(prompt: str, sampling: Sampling) -> Answer:
    """Decide length and finish reason: the first stop string, the natural end unless `ignore_eos`, or `max_tokens`."""
    voice = Voice(prompt)
    tokens, reason = _length(voice, sampling)
    plain = Answer(voice, tokens, reason)
    return _cut_at_stop(plain, sampling.stop) if sampling.stop else plain


def _length(voice: Voice, sampling: Sampling) -> tuple[int, FinishReason]:
    if not sampling.ignore_eos and voice.natural_tokens <= sampling.max_tokens:
        return voice.natural_tokens, "stop"
    return sampling.max_tokens, "length"


def _cut_at_stop(plain: Answer, stops: tuple[str, ...]) -> Answer:
    """End the answer with the token that completes the first stop string; the text ends before that string."""
    pieces = [plain.voice.token(position) for position in range(plain.tokens)]
    text = "".join(pieces)
    found = [(start, start + len(stop)) for stop in stops if (start := text.find(stop)) >= 0]
    if not found:
        return plain
    token_ends = list(accumulate(map(len, pieces)))
    position = bisect_left(token_ends, min(end for _, end in found))
    return Answer(plain.voice, position + 1, "stop", min(start for start, end in found if end <= token_ends[position]))
