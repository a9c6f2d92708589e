"""When the steps of a run end, and what they leave: `steps.StepTimes`, `Batch.advance`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.simulator.kernel.compiling import compiled
from serving.simulator.kernel.gaps import note_gap
from serving.simulator.kernel.layout import FOREVER, LONGEST_REACH, Memory

Ints = NDArray[np.int64]
_SHORTEST_REACH = 4
_NS = 1_000_000_000


@compiled
def _plain_ms(memory: Memory, replica: Any, group: Any) -> float:
    decodes, prefill_tokens, g = replica.decodes, replica.prefill_tokens, replica.group
    if prefill_tokens == 0:
        return float(memory.decode_ms[g, decodes])
    if decodes == 0:
        return float(memory.prefill_ms[g, prefill_tokens])
    if group.has_mixed:
        return float(memory.mixed_ms[g, decodes + prefill_tokens])
    return float(group.mixed_factor) * float(memory.decode_ms[g, decodes] + memory.prefill_ms[g, prefill_tokens])


@compiled
def reckon(memory: Memory, r: int) -> None:
    """When the run's steps end."""
    replica, ends = memory.replicas[r], memory.ends[r]
    group = memory.groups[replica.group]
    plain_ms = _plain_ms(memory, replica, group)
    pairs_ms = group.pairs_ms * replica.prefill_pairs / 1e6
    beyond = replica.context_tokens - group.included_tokens * replica.decodes
    if group.kv_ms == 0.0 or beyond + replica.run_steps * replica.decodes <= 0:
        replica.run_step = max(1, np.int64(np.rint((plain_ms + pairs_ms + group.host_ms) / 1000 * _NS)))
        replica.run_end = replica.run_start + replica.run_steps * replica.run_step
        return
    lengths, first, each = memory.lengths, np.float64(beyond), np.float64(replica.decodes)
    for step in range(np.int32(replica.run_steps)):  # a loop of its own, for the processor's wide registers
        tokens = first + np.float64(np.int32(step)) * each
        kv = group.kv_ms * tokens / 1000 if tokens > 0 else 0.0
        lengths[step] = max(1.0, np.rint((plain_ms + kv + pairs_ms + group.host_ms) / 1000 * _NS))
    at = replica.run_start
    for step in range(replica.run_steps):
        at += np.int64(lengths[step])
        ends[step] = at
    replica.run_step, replica.run_end = 0, at


@compiled
def cut(memory: Memory, r: int, now_ns: int) -> None:
    """End with the step that is under way."""
    replica, ends = memory.replicas[r], memory.ends[r]
    if replica.run_end == FOREVER or now_ns >= replica.run_end:
        return
    steps = replica.run_steps - 1
    if replica.run_step:
        steps = min(steps, max(0, (now_ns - 1 - replica.run_start) // replica.run_step))
    else:
        while steps > 0 and ends[steps - 1] >= now_ns:
            steps -= 1
    steps += 1
    if steps < replica.run_steps:
        replica.run_steps = steps
        replica.run_end = replica.run_start + steps * replica.run_step if replica.run_step else ends[steps - 1]
        replica.reach = min(LONGEST_REACH, max(_SHORTEST_REACH, 2 * steps))


@compiled
def _run_gap(replica: Any, ends: Ints) -> int:
    """The longest distance between two ends of the run, and the one before it."""
    if replica.run_step:
        return int(replica.run_start - replica.last_ns + replica.run_step)
    gap = ends[0] - replica.last_ns
    for step in range(1, replica.run_steps):
        gap = max(gap, ends[step] - ends[step - 1])
    return int(gap)


@compiled
def _blocks_due(replica: Any, group: Any, due: Ints, steps: int) -> int:
    size = group.block_size
    blocks = (steps // size) * replica.decoding
    for step in range(steps % size):
        blocks += due[(-replica.steps - step) % size]
    return int(blocks)


@compiled
def advance(memory: Memory, r: int) -> None:
    replica = memory.replicas[r]
    group, steps = memory.groups[replica.group], replica.run_steps
    if not replica.taken:
        replica.free -= _blocks_due(replica, group, memory.due[r], steps)
        replica.taken = 1
    if steps == replica.reach:
        replica.reach = min(LONGEST_REACH, 2 * steps)
    replica.steps += steps
    replica.context += steps * replica.decoding
    if replica.decoding:
        gap = _run_gap(replica, memory.ends[r])
        note_gap(replica, memory.places[r], memory.gap_steps[r], memory.gap_ns[r], gap)
    else:
        replica.gaps = 0
    replica.last_ns = replica.run_end
    replica.run_end = FOREVER
