"""Which replicas were sent which prefix blocks: `serving.gateway.routing.PrefixIndex`, asked from the block's side.

The gateway looks a prompt up in the index of each replica; over a thousand of them that is the cost of a request. Here
a block knows its holders. What is remembered and what is forgotten is the same (a test compares the two).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Sequence


class PrefixHolders:
    """At most `max_blocks` a replica; replicas are known by their index."""

    def __init__(self, max_blocks: int) -> None:
        self._max_blocks = max_blocks
        self._known: dict[int, OrderedDict[int, None]] = {}
        self._holders: dict[int, set[int]] = {}

    def note(self, replica: int, hashes: Sequence[int]) -> None:
        """A prompt with these blocks was sent to the replica."""
        known = self._known.setdefault(replica, OrderedDict())
        for block in reversed(hashes):
            if block in known:
                known.move_to_end(block)
            else:
                known[block] = None
                self._holders.setdefault(block, set()).add(replica)
        while len(known) > self._max_blocks:
            self._let_go(known.popitem(last=False)[0], replica)

    def forget(self, replica: int) -> None:
        """Its cache is gone."""
        for block in self._known.pop(replica, ()):
            self._let_go(block, replica)

    def depth(self, hashes: Sequence[int]) -> int:
        """How many leading blocks somebody holds: who holds a block holds those before it."""
        return bisect_left(range(len(hashes)), True, key=lambda at: hashes[at] not in self._holders)

    def holders(self, block: int) -> set[int]:
        """Who holds the block, and with it all before it."""
        return self._holders.get(block, set())

    def matched(self, replica: int, hashes: Sequence[int]) -> int:
        """How many leading blocks of a prompt the replica should hold."""
        known = self._known.get(replica)
        if not known:
            return 0
        return bisect_left(range(len(hashes)), True, key=lambda at: hashes[at] not in known)

    def _let_go(self, block: int, replica: int) -> None:
        holders = self._holders[block]
        holders.discard(replica)
        if not holders:
            del self._holders[block]
