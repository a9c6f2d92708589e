"""Places of a batch, one for each request that a replica has: what `sequence.Sequence` and its lists are there.

Running ones are linked in order of arrival, waiting ones from the queue's head, free ones from `spare`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.simulator.kernel.compiling import compiled
from serving.simulator.kernel.gaps import longest_gap
from serving.simulator.kernel.heaps import take_out
from serving.simulator.kernel.layout import NOBODY

Ints = NDArray[np.int64]


@compiled
def blocks_for(tokens: int, size: int) -> int:
    return (tokens + size - 1) // size


@compiled
def settle(replica: Any, place: Any, group: Any) -> None:
    ahead = replica.steps - place.since
    place.computed += ahead
    place.emitted += ahead
    place.since = replica.steps
    place.blocks = blocks_for(place.computed, group.block_size)


@compiled
def leave_decodes(replica: Any, places: Any, i: int, group: Any, due: Ints, finishes: Any) -> None:
    place = places[i]
    replica.context -= place.computed
    due[(place.computed - replica.steps) % group.block_size] -= 1
    place.decoding = 0
    replica.decoding = take_out(finishes, places["finish_at"], places["finish"], places["arrival"], i, replica.decoding)


@compiled
def link(replica: Any, places: Any, i: int) -> None:
    """Into the running ones, which are in order of arrival: who is admitted comes last."""
    place = places[i]
    place.next, place.prev = NOBODY, replica.tail
    if replica.tail == NOBODY:
        replica.head = i
    else:
        places[replica.tail].next = i
    replica.tail = i


@compiled
def _unlink(replica: Any, places: Any, i: int) -> None:
    before, after = places[i].prev, places[i].next
    if before == NOBODY:
        replica.head = after
    else:
        places[before].next = after
    if after == NOBODY:
        replica.tail = before
    else:
        places[after].prev = before


@compiled
def free_place(replica: Any, places: Any, i: int) -> None:
    _unlink(replica, places, i)
    places[i].next = replica.spare
    replica.spare = i


@compiled
def preempt(replica: Any, places: Any, i: int, group: Any, due: Ints, finishes: Any, steps: Ints, gaps: Ints) -> None:
    place = places[i]
    if place.decoding:
        place.gap_ns = max(place.gap_ns, longest_gap(replica, steps, gaps, place.joined))
        place.last_ns = replica.last_ns
        leave_decodes(replica, places, i, group, due, finishes)
    else:
        replica.prefills = 0  # before anybody is admitted there is at most one
    replica.free += place.blocks
    place.lost += place.computed
    place.blocks = place.computed = place.scheduled = 0
    _unlink(replica, places, i)
    place.next = replica.wait_head
    replica.wait_head = i
    if replica.wait_tail == NOBODY:
        replica.wait_tail = i
    replica.waiting += 1
    replica.preemptions += 1
