"""What runs next on a replica: `batch.Batch.plan`, decision by decision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.simulator.kernel.compiling import compiled
from serving.simulator.kernel.layout import FOREVER, NOBODY, Memory
from serving.simulator.kernel.places import blocks_for, link, preempt, settle
from serving.simulator.kernel.running import reckon

Ints = NDArray[np.int64]


@compiled
def _can_admit(replica: Any, places: Any, group: Any, budget: int, free: int) -> bool:
    if replica.waiting == 0 or budget == 0 or replica.decoding + replica.prefills >= group.max_seqs:
        return False
    place = places[replica.wait_head]
    return bool(blocks_for(min(place.prompt + place.emitted - place.computed, budget), group.block_size) <= free)


@compiled
def _admit(replica: Any, places: Any, group: Any, prefills: Any, budget: int) -> None:
    while _can_admit(replica, places, group, budget, replica.free):
        i = replica.wait_head
        place = places[i]
        replica.wait_head = place.next
        if replica.wait_head == NOBODY:
            replica.wait_tail = NOBODY
        replica.waiting -= 1
        link(replica, places, i)
        prefills[replica.prefills] = i
        replica.prefills += 1
        tokens = min(place.prompt + place.emitted - place.computed, budget)
        place.scheduled = tokens
        place.blocks = blocks_for(tokens, group.block_size)
        replica.free -= place.blocks
        budget -= tokens


@compiled
def _plan_prefills(replica: Any, places: Any, group: Any, prefills: Any, due: int) -> bool:
    budget = group.max_batched - replica.decoding
    free = replica.free - due
    tokens = blocks = 0
    if replica.prefills:
        place = places[prefills[0]]
        missing = place.prompt + place.emitted - place.computed
        if place.emitted > 0 and missing == 1:
            return False
        tokens = min(missing, budget)
        blocks = blocks_for(place.computed + tokens, group.block_size) - place.blocks
        if blocks > free:
            return False
    if replica.prefills or _can_admit(replica, places, group, budget, free):
        replica.free -= due
        replica.taken = 1
        if replica.prefills:
            place = places[prefills[0]]
            place.scheduled = tokens
            place.blocks += blocks
            replica.free -= blocks
        _admit(replica, places, group, prefills, budget - tokens)
    return True


@compiled
def _grant_carefully(memory: Memory, r: int, budget: int, to_decodes: bool) -> int:
    """Tokens and blocks for the decodes or for the others, in order; victims from the end. Returns the budget left."""
    replica, places = memory.replicas[r], memory.places[r]
    group, due, finishes = memory.groups[replica.group], memory.due[r], memory.finishes[r]
    i = replica.head
    while i != NOBODY:
        place = places[i]
        missing = place.prompt + place.emitted - place.computed
        if (place.emitted > 0 and missing == 1) == to_decodes:
            tokens = min(missing, budget)
            blocks = blocks_for(place.computed + tokens, group.block_size) - place.blocks
            victim = NOBODY
            while blocks > replica.free and victim != i:
                victim = replica.tail
                budget += places[victim].scheduled
                preempt(replica, places, victim, group, due, finishes, memory.gap_steps[r], memory.gap_ns[r])
            if victim == i:
                break
            place.scheduled = tokens
            place.blocks += blocks
            replica.free -= blocks
            budget -= tokens
        i = place.next
    return budget


@compiled
def _plan_carefully(memory: Memory, r: int) -> None:
    replica, places = memory.replicas[r], memory.places[r]
    group = memory.groups[replica.group]
    i = replica.head
    while i != NOBODY:
        if places[i].decoding:
            settle(replica, places[i], group)
        i = places[i].next
    before = replica.preemptions
    budget = _grant_carefully(memory, r, group.max_batched, True)
    budget = _grant_carefully(memory, r, budget, False)
    replica.taken = 1
    if replica.preemptions == before:
        _admit(replica, places, group, memory.prefills[r], budget)
    i = replica.head
    while i != NOBODY:
        if places[i].decoding:
            places[i].scheduled = 0
        i = places[i].next


@compiled
def _run_length(replica: Any, places: Any, group: Any, due: Ints, finishes: Any) -> int:
    steps = min(replica.reach, places[finishes[0]].finish - replica.steps)
    size, free = group.block_size, replica.free
    if replica.decoding * (steps // size + 1) <= free:
        return int(steps)
    sure = 0
    while sure < steps:
        free -= due[-(replica.steps + sure) % size]
        if free < 0:
            break
        sure += 1
    return max(1, sure)


@compiled
def start(memory: Memory, r: int, now_ns: int) -> None:
    replica, places = memory.replicas[r], memory.places[r]
    group, due = memory.groups[replica.group], memory.due[r]
    if replica.run_end != FOREVER or replica.decoding + replica.prefills + replica.waiting == 0:
        return
    replica.taken = 0
    now_due = due[-replica.steps % group.block_size]
    asks = replica.prefills + replica.waiting > 0
    if now_due > replica.free or (asks and not _plan_prefills(replica, places, group, memory.prefills[r], now_due)):
        _plan_carefully(memory, r)
    decodes, prefill_tokens, context, pairs = replica.decoding, 0, replica.context, 0
    for j in range(replica.prefills):
        place = places[memory.prefills[r, j]]
        if place.emitted > 0 and place.prompt + place.emitted - place.computed == 1:
            decodes += 1
            context += place.computed
        else:
            prefill_tokens += place.scheduled
            pairs += np.int64(place.scheduled) * place.computed
    replica.decodes, replica.prefill_tokens = decodes, prefill_tokens
    replica.context_tokens, replica.prefill_pairs = context, pairs
    replica.run_steps = 1
    if not replica.taken:
        replica.run_steps = _run_length(replica, places, group, due, memory.finishes[r])
    replica.run_start = now_ns
    reckon(memory, r)
