"""The fixed pool of KV-cache blocks. Block numbers are real, so that a test can see a block given out twice."""

from __future__ import annotations


class BlockPool:
    """`total` blocks; each is either free or held by exactly one sequence."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = list(range(total - 1, -1, -1))

    @property
    def free(self) -> int:
        return len(self._free)

    @property
    def used(self) -> int:
        return self.total - len(self._free)

    def take(self, count: int) -> list[int]:
        """Take `count` blocks, of which at least that many must be free."""
        if count > len(self._free):
            raise ValueError(f"{count} blocks asked, {len(self._free)} free")
        if count == 0:
            return []
        taken = self._free[-count:]
        del self._free[-count:]
        return taken

    def give_back(self, blocks: list[int]) -> None:
        """Return `blocks`, emptying the caller's list, so that none can be returned twice."""
        self._free.extend(blocks)
        blocks.clear()
