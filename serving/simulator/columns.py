"""Requests of a simulation as columns, one array a property: ten million of them must fit into memory.

Times are whole nanoseconds from the simulation's start; -1 stands for what was never reached.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OUTCOMES = ("ok", "error", "truncated", "rejected", "invalid", "cancelled")
"""The gateway's words (`serving.gateway.model`), in the order of the codes in `Outcomes.outcome`."""


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """What is offered, in order of arrival; all arrays have one entry a request.

    `at_ns` is int64 and never falls, `prompt_tokens` and `output_tokens` int32 of at least 1, `priority` int16 (lower
    goes first), `klass` int16 an index into `classes`. `prefix` (None: nothing is shared) names of each prompt the
    leading blocks, each hash standing for all tokens up to the block's end; a block has `prefix_block_tokens` tokens.
    """

    title: str
    at_ns: NDArray[np.int64]
    prompt_tokens: NDArray[np.int32]
    output_tokens: NDArray[np.int32]
    priority: NDArray[np.int16]
    klass: NDArray[np.int16]
    classes: tuple[str, ...] = ("all",)
    prefix: tuple[tuple[int, ...], ...] | None = None
    prefix_block_tokens: int = 16

    def __len__(self) -> int:
        return len(self.at_ns)


@dataclass(frozen=True, slots=True, eq=False)
class Outcomes:
    """What became of each request of a `Workload`, in its order.

    `first_ns` and `last_ns` (int64) are when the client got its first and last token, `ended_ns` when the request was
    over whatever its outcome, `placed_ns` when a replica first took it. `emitted` (int32) tokens reached the client,
    `longest_gap_ns` lay between two of them, `attempts` (int16) replicas were tried, `wasted_tokens` (int32) were
    computed twice or for nobody. `outcome` (int8) is an index into OUTCOMES, `replica` (int32) the last one's index in
    the run's lives, -1 when there was none.
    """

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

    def __len__(self) -> int:
        return len(self.outcome)
