"""Which replica gets a job: least outstanding tokens, with prefix affinity and overflow (docs/adr/0006-routing.md).

Pure: the pool says how its replicas stand, this decides. A prompt's prefix is known by the chained hashes of its
leading blocks, so that an equal hash means an equal prompt up to the end of that block. The hashes are the same in
every process.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Standing = Literal["free", "spare", "full", "out"]
"""`free` takes work; `spare` does when nobody is free (a suspect); `full` is in rotation without room; `out` is not."""
Route = Literal["hit", "overflow", "failover", "new"]
_HASH_BYTES = 8


def prefix_hashes(prompt: str, block_chars: int, limit: int = 256) -> tuple[int, ...]:
    """One hash for each whole block of `block_chars` characters, at most `limit`, each over all text up to its end."""
    hashes: list[int] = []
    before = b""
    for start in range(0, min(len(prompt) // block_chars, limit) * block_chars, block_chars):
        block = prompt[start : start + block_chars].encode(errors="surrogatepass")
        before = hashlib.blake2b(before + block, digest_size=_HASH_BYTES).digest()
        hashes.append(int.from_bytes(before, "big"))
    return tuple(hashes)


class PrefixIndex:
    """Which prefix blocks each replica was sent lately: a guess about its KV cache, at most `max_blocks` a replica.

    The block unused for longest is forgotten first, and of one prompt the last block before the first, so that a known
    block's predecessors are always known too.
    """

    def __init__(self, max_blocks: int) -> None:
        self._max_blocks = max_blocks
        self._known: dict[str, OrderedDict[int, None]] = {}

    def note(self, replica: str, hashes: Sequence[int]) -> None:
        """A prompt with these blocks was sent to `replica`."""
        if not hashes:
            return
        known = self._known.setdefault(replica, OrderedDict())
        for block in reversed(hashes):
            known[block] = None
            known.move_to_end(block)
        while len(known) > self._max_blocks:
            known.popitem(last=False)

    def matched(self, replica: str, hashes: Sequence[int]) -> int:
        """How many leading blocks of a prompt `replica` should hold."""
        known = self._known.get(replica)
        if not known:
            return 0
        return bisect_left(range(len(hashes)), True, key=lambda at: hashes[at] not in known)

    def forget(self, replica: str) -> None:
        """The replica's cache is gone: it came up anew, or left."""
        self._known.pop(replica, None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """How a replica stands at the moment of a choice. `last_turn` grows with each choice; 0 is never chosen.

    A replica that this job was tried on already is `out` to it.
    """

    name: str
    outstanding_tokens: int
    last_turn: int
    matched_blocks: int = 0
    standing: Standing = "free"


@dataclass(frozen=True, slots=True)
class Choice:
    """`lost_blocks` are prefix blocks that only a replica out of rotation holds: to be computed again."""

    name: str
    route: Route
    lost_blocks: int = 0


def choose(candidates: Sequence[Candidate], *, overflow_tokens: int) -> Choice | None:
    """Of all replicas, the one to take a job; None when none takes work.

    That is the holder of the longest known prefix, unless its outstanding tokens exceed the least by more than
    `overflow_tokens` (or it has no room); then, and for an unknown prefix, the least loaded. Equals go by longest wait.
    """
    takers = [c for c in candidates if c.standing == "free"] or [c for c in candidates if c.standing == "spare"]
    if not takers:
        return None
    least = min(takers, key=_load)
    longest = max(c.matched_blocks for c in takers)
    held = max(c.matched_blocks for c in candidates if c.standing != "out")
    lost = max(0, max(c.matched_blocks for c in candidates) - held)
    if longest == 0:
        return Choice(least.name, _route(held > 0, lost), lost)
    holder = min((c for c in takers if c.matched_blocks == longest), key=_load)
    if holder.outstanding_tokens - least.outstanding_tokens > overflow_tokens:
        return Choice(least.name, _route(True, lost), lost)
    return Choice(holder.name, "failover" if lost else "hit" if longest == held else "overflow", lost)


def _load(candidate: Candidate) -> tuple[int, int]:
    return candidate.outstanding_tokens, candidate.last_turn


def _route(known: bool, lost: int) -> Route:
    if lost:
        return "failover"
    return "overflow" if known else "new"
