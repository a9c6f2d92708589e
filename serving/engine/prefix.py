"""Names for the KV blocks of one request, so that requests which begin alike can share them.

A block's hash stands for all tokens up to its end (each hash takes the one before it in), as in vLLM. The emulated
tokens are words, so a prompt that quotes an earlier answer finds the blocks of that answer too.
"""

from __future__ import annotations

import hashlib

from serving.engine.tokens import Voice


class BlockChain:
    """The block hashes of a prompt's words followed by the answer's tokens, made as far as the tokens are known."""

    __slots__ = ("_block_size", "_blocks", "_digest", "_voice", "_words")

    def __init__(self, words: list[str], voice: Voice, block_size_tokens: int) -> None:
        self._words, self._voice, self._block_size = words, voice, block_size_tokens
        self._blocks = 0
        self._digest = b""

    def advance(self, known_tokens: int) -> tuple[int, ...]:
        """Hashes of the blocks that got full since the last call, when `known_tokens` are known now."""
        hashes = []
        size = self._block_size
        while (self._blocks + 1) * size <= known_tokens:
            start = self._blocks * size
            text = " ".join(self._tokens(start, start + size))
            self._digest = hashlib.blake2b(self._digest + text.encode(), digest_size=8).digest()
            self._blocks += 1
            hashes.append(int.from_bytes(self._digest, "big"))
        return tuple(hashes)

    def _tokens(self, start: int, end: int) -> list[str]:
        prompt_tokens = len(self._words)
        words = self._words[start:end]
        token = self._voice.token
        if end > prompt_tokens:
            first = max(start, prompt_tokens) - prompt_tokens
            words += [token(position).lstrip() for position in range(first, end - prompt_tokens)]
        return words
