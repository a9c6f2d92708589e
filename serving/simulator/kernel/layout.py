"""The memory of the compiled core: one record a group of replicas, a replica, a place in a batch, a run.

A field means what the attribute of that name means in `serving.simulator.batch`, `sequence` and `gateway`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NOBODY = -1
FOREVER = 2**62
LONGEST_REACH = 128

GROUP = np.dtype(
    [
        ("kv_blocks", "i8"),
        ("block_size", "i8"),
        ("max_seqs", "i8"),
        ("max_batched", "i8"),
        ("longest_tokens", "i8"),
        ("included_tokens", "i8"),
        ("overhead_ns", "i8"),
        ("room_tokens", "f8"),
        ("most_tokens", "f8"),
        ("has_mixed", "i8"),
        ("mixed_factor", "f8"),
        ("host_ms", "f8"),
        ("kv_ms", "f8"),
        ("pairs_ms", "f8"),
        ("listed", "i8"),  # replicas in the group's heap by load
        ("turn_head", "i8"),
        ("turn_tail", "i8"),
    ]
)

REPLICA = np.dtype(
    [
        ("group", "i8"),
        # as the gateway sees it
        ("outstanding", "i8"),
        ("flights", "i8"),
        ("last_turn", "i8"),
        ("noted_waiting", "i8"),
        ("load_at", "i8"),  # where in the heap by load
        ("event_at", "i8"),  # where in the heap of events
        ("turn_next", "i8"),
        ("turn_prev", "i8"),
        # placed and not yet read
        ("coming_head", "i8"),
        ("coming_tail", "i8"),
        ("join_ns", "i8"),  # of the first of them
        ("join_at", "i8"),  # where in the heap of joins
        # the run under way; it ends FOREVER when there is none
        ("run_start", "i8"),
        ("run_end", "i8"),
        ("run_step", "i8"),  # the length of each step; 0: each has its own
        ("run_steps", "i8"),
        ("decodes", "i8"),
        ("prefill_tokens", "i8"),
        ("context_tokens", "i8"),
        ("prefill_pairs", "i8"),
        # the batch
        ("free", "i8"),
        ("steps", "i8"),
        ("reach", "i8"),
        ("context", "i8"),
        ("last_ns", "i8"),
        ("taken", "i8"),
        ("arrivals", "i8"),
        ("preemptions", "i8"),
        ("decoding", "i8"),
        ("prefills", "i8"),
        ("waiting", "i8"),
        ("gaps", "i8"),
        ("wait_head", "i8"),
        ("wait_tail", "i8"),
        ("head", "i8"),
        ("tail", "i8"),
        ("spare", "i8"),  # the first place that nobody has
    ]
)

PLACE = np.dtype(
    [
        ("id", "i8"),
        ("arrival", "i8"),
        ("finish", "i8"),
        ("gap_ns", "i8"),
        ("last_ns", "i8"),
        ("prompt", "i4"),
        ("output", "i4"),
        ("emitted", "i4"),
        ("computed", "i4"),
        ("blocks", "i4"),
        ("since", "i8"),
        ("joined", "i8"),
        ("joins_ns", "i8"),
        ("scheduled", "i4"),
        ("lost", "i4"),
        ("next", "i4"),
        ("prev", "i4"),
        ("finish_at", "i4"),  # where in the heap of finishes
        ("decoding", "i4"),
    ]
)

RUN = np.dtype(
    [
        ("queue_head", "i8"),
        ("queue_tail", "i8"),
        ("events", "i8"),
        ("joins", "i8"),
        ("turn", "i8"),
        ("in_turn", "i8"),
        ("max_queue", "i8"),
        ("patience_ns", "i8"),
        ("longest_tokens", "i8"),
        ("waiting_inside", "i8"),
        ("max_waiting", "i8"),
        ("looks", "i8"),
        ("look_ns", "i8"),
        ("look_period_ns", "i8"),
        ("end_ns", "i8"),
    ]
)


class Memory(NamedTuple):
    """All of a run. Rows are replicas, unless said otherwise; `*_ms` have a row for each group."""

    run: NDArray[np.void]
    groups: NDArray[np.void]
    replicas: NDArray[np.void]
    places: NDArray[np.void]
    due: NDArray[np.int64]
    prefills: NDArray[np.int32]
    finishes: NDArray[np.int32]
    ends: NDArray[np.int64]
    lengths: NDArray[np.float64]
    gap_steps: NDArray[np.int64]
    gap_ns: NDArray[np.int64]
    by_load: NDArray[np.int32]
    events: NDArray[np.int32]
    joins: NDArray[np.int32]
    decode_ms: NDArray[np.float64]
    prefill_ms: NDArray[np.float64]
    mixed_ms: NDArray[np.float64]
    queue: NDArray[np.int64]
    looks: NDArray[np.int64]


class Columns(NamedTuple):
    """What is offered, and what becomes of it, as in `serving.simulator.columns`."""

    at_ns: NDArray[np.int64]
    prompt_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]
    placed_ns: NDArray[np.int64]
    first_ns: NDArray[np.int64]
    last_ns: NDArray[np.int64]
    ended_ns: NDArray[np.int64]
    longest_gap_ns: NDArray[np.int64]
    emitted: NDArray[np.int32]
    wasted_tokens: NDArray[np.int32]
    attempts: NDArray[np.int16]
    outcome: NDArray[np.int8]
    replica: NDArray[np.int32]
