"""Who gets a request: `serving.simulator.routing.Router` without prefixes and without replicas in doubt."""

from __future__ import annotations

from typing import Any

from serving.simulator.kernel.compiling import compiled
from serving.simulator.kernel.heaps import before, put, take_out
from serving.simulator.kernel.layout import NOBODY, Memory


@compiled
def listed(memory: Memory, r: int) -> None:
    """Its place among those that may be given work, by load."""
    replica = memory.replicas[r]
    group = memory.groups[replica.group]
    items, at = memory.by_load[replica.group], memory.replicas["load_at"]
    tokens, turns = memory.replicas["outstanding"], memory.replicas["last_turn"]
    if replica.flights < group.max_seqs:
        group.listed = put(items, at, tokens, turns, r, group.listed)
    elif replica.load_at >= 0:
        group.listed = take_out(items, at, tokens, turns, r, group.listed)


@compiled
def _fits(replica: Any, group: Any, cost: int) -> bool:
    if replica.outstanding + cost <= group.room_tokens:
        return True
    return bool(replica.flights == 0 and cost <= group.most_tokens)


@compiled
def choice(memory: Memory, cost: int) -> int:
    """Who gets a request, `Router.choice`; NOBODY when nobody has room."""
    replicas, best = memory.replicas, NOBODY
    for g in range(len(memory.groups)):
        if memory.groups[g].listed:
            least = memory.by_load[g, 0]
            if _fits(replicas[least], memory.groups[g], cost) and (
                best == NOBODY or before(least, best, replicas["outstanding"], replicas["last_turn"])
            ):
                best = least
    if best == NOBODY or not memory.run[0].in_turn:
        return best
    best = NOBODY
    for g in range(len(memory.groups)):
        group, r = memory.groups[g], memory.groups[g].turn_head
        while r != NOBODY and (replicas[r].flights >= group.max_seqs or not _fits(replicas[r], group, cost)):
            r = replicas[r].turn_next
        if r != NOBODY and (best == NOBODY or before(r, best, replicas["last_turn"], replicas["last_turn"])):
            best = r
    return best


@compiled
def took_turn(memory: Memory, r: int) -> None:
    run, replicas, replica = memory.run[0], memory.replicas, memory.replicas[r]
    group = memory.groups[replica.group]
    run.turn += 1
    replica.last_turn = run.turn
    if run.in_turn and group.turn_tail != r:
        if replica.turn_prev == NOBODY:
            group.turn_head = replica.turn_next
        else:
            replicas[replica.turn_prev].turn_next = replica.turn_next
        replicas[replica.turn_next].turn_prev = replica.turn_prev
        replicas[group.turn_tail].turn_next = r
        replica.turn_prev, replica.turn_next = group.turn_tail, NOBODY
        group.turn_tail = r
