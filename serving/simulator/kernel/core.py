"""The way into the compiled core: `serving.simulator.batch` and the gateway without faults, on records.

Function by function the same decisions as there, in the same order, down to how many steps are reckoned at once: the
outcomes have the same bytes, which the tests hold it to. Read each module beside its model.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from serving.simulator.kernel.compiling import entry, is_kept
from serving.simulator.kernel.gateway import arrive, expire, until
from serving.simulator.kernel.layout import FOREVER, Columns, Memory

Player = Callable[[Memory, Columns, int, int], None]


@cache
def player() -> Player:
    """A function that plays the requests from `first` to before `last`, and all that happens until the next one.

    After the last request of all, everything ends.
    """

    def play_arrivals(memory: Memory, columns: Columns, first: int, last: int) -> None:
        for id_ in range(first, last + 1):
            now_ns = int(columns.at_ns[id_]) if id_ < len(columns.at_ns) else FOREVER
            until(memory, columns, now_ns)
            if id_ < last:
                arrive(memory, columns, id_)
        if last == len(columns.at_ns):
            expire(memory, columns, FOREVER)

    return entry(play_arrivals)


def is_compiled() -> bool:
    """Whether the code is on disk, so that `player` need not compile it."""
    return is_kept(player())
