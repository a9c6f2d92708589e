"""The fixed pool of KV-cache blocks. Block numbers are real, so that a test can see a block given out twice.

Prefix caching is vLLM V1's: a full block is known by the hash of all tokens up to its end, several sequences may hold
it, and when the last lets go it stays findable until its place is needed. Blocks without content are handed out first,
then the least recently freed; of one sequence's blocks the last goes first, since it is of no use without those before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable


class BlockPool:
    """`total` blocks; each is free, or held by one sequence, or (full and registered) by several."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._withheld = 0
        self._blank = list(range(total - 1, -1, -1))  # free, nothing in it worth finding
        self._idle: OrderedDict[int, None] = OrderedDict()  # free and registered, least recently freed first
        self._hash_of: dict[int, int] = {}
        self._block_of: dict[int, int] = {}
        self._holders: dict[int, int] = {}  # of registered blocks that are not free

    @property
    def free(self) -> int:
        return max(0, len(self._blank) + len(self._idle) - self._withheld)

    @property
    def used(self) -> int:
        return self.total - len(self._blank) - len(self._idle)

    @property
    def limit(self) -> int:
        """The most blocks that may be in use."""
        return self.total - self._withheld

    @limit.setter
    def limit(self, blocks: int) -> None:
        self._withheld = self.total - min(self.total, max(0, blocks))

    def take(self, count: int) -> list[int]:
        """Take `count` blocks, of which at least that many must be free. Registered content in them is forgotten."""
        if count > self.free:
            raise ValueError(f"{count} blocks asked, {self.free} free")
        if count == 0:
            return []
        taken = self._blank[-count:]
        del self._blank[-count:]
        while len(taken) < count:
            block, _ = self._idle.popitem(last=False)
            del self._block_of[self._hash_of.pop(block)]
            taken.append(block)
        return taken

    def find(self, hashes: Iterable[int]) -> list[int]:
        """The blocks registered under the longest prefix of `hashes` that is known."""
        found = []
        for block_hash in hashes:
            block = self._block_of.get(block_hash)
            if block is None:
                break
            found.append(block)
        return found

    def count_idle(self, blocks: Iterable[int]) -> int:
        """How many of `blocks` nobody holds: sharing them makes that many fewer free."""
        return sum(block in self._idle for block in blocks)

    def share(self, blocks: Iterable[int]) -> None:
        """Hold registered `blocks` once more."""
        for block in blocks:
            if block in self._idle:
                del self._idle[block]
            self._holders[block] = self._holders.get(block, 0) + 1

    def register(self, block: int, block_hash: int) -> None:
        """Make a held, full block findable. A second block of the same content stays its holder's own."""
        if block_hash not in self._block_of and block not in self._hash_of:
            self._block_of[block_hash] = block
            self._hash_of[block] = block_hash
            self._holders[block] = 1

    def give_back(self, blocks: list[int]) -> None:
        """Let go of `blocks`, emptying the caller's list, so that none can be returned twice."""
        if not self._hash_of:
            self._blank.extend(blocks)
        else:
            for block in reversed(blocks):
                self._let_go(block)
        blocks.clear()

    def _let_go(self, block: int) -> None:
        holders = self._holders.get(block)
        if holders is None:
            self._blank.append(block)
        elif holders > 1:
            self._holders[block] = holders - 1
        else:
            del self._holders[block]
            self._idle[block] = None
