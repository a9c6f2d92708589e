"""Plays a scenario by the compiled core: lays its memory out, and says when it cannot.

Some hundred thousand requests a second, where the Python fleet makes some ten thousand; the outcomes are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from serving.simulator.columns import OUTCOMES, Outcomes
from serving.simulator.kernel.layout import FOREVER, GROUP, LONGEST_REACH, NOBODY, PLACE, REPLICA, RUN, Columns, Memory
from serving.simulator.model import NS
from serving.simulator.scenario import ReplicaGroup, Scenario

_MOST_PLACES = 8_000_000  # some 150 bytes each
_CHUNK = 262_144
_FIRST_REACH = 16


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What became of the requests, and what the fleet counts; `waiting` at each look of the autoscaler."""

    outcomes: Outcomes
    waiting: NDArray[np.int64]
    max_queue: int
    preemptions: int


def can_play(scenario: Scenario) -> str | None:
    """Why the compiled core cannot play it; None when it can."""
    workload, groups = scenario.workload, scenario.groups
    if find_spec("numba") is None:
        return "numba is not installed (the extra `fast`)"
    if scenario.policy is not None:
        return "an autoscaler is at work"
    if scenario.faults:
        return "faults are injected"
    if scenario.keep_samples:
        return "samples are kept"
    if len(workload) and (workload.priority != workload.priority[0]).any():
        return "requests have several priorities"
    if workload.prefix is not None and (
        scenario.gateway.routing.affinity or any(group.scheduler.enable_prefix_caching for group in groups)
    ):
        return "prompts share prefixes"
    if sum(group.count for group in groups) * max(group.scheduler.max_num_seqs for group in groups) > _MOST_PLACES:
        return "the replicas have too many seats together"
    return None


def is_compiled() -> bool:
    """Whether the core need not be compiled first, which takes some 20 s, once. Loads numba."""
    from serving.simulator.kernel import core

    return core.is_compiled()


def play(scenario: Scenario, *, on_progress: Callable[[float], None] | None = None, at_once: int = _CHUNK) -> Played:
    """Play a scenario that `can_play` finds nothing against. `on_progress` is told the share of arrivals
    behind it, after each `at_once` of them.
    """

    from serving.simulator.kernel.core import player  # numba is heavy, and optional

    play_arrivals = player()
    memory, columns, count = _memory(scenario), _columns(scenario), len(scenario.workload)
    for first in range(0, max(count, 1), at_once):
        last = min(first + at_once, count)
        play_arrivals(memory, columns, first, last)
        if on_progress is not None and count:
            on_progress(last / count)
    run = memory.run[0]
    return Played(
        outcomes=_outcomes(columns),
        waiting=memory.looks[: int(run["looks"])],
        max_queue=int(run["max_waiting"]),
        preemptions=int(memory.replicas["preemptions"].sum()),
    )


def _memory(scenario: Scenario) -> Memory:
    groups = scenario.groups
    group_of = np.repeat(np.arange(len(groups)), [group.count for group in groups])
    count, seats = len(group_of), max(group.scheduler.max_num_seqs for group in groups)
    batched = max(group.scheduler.max_num_batched_tokens for group in groups)
    replicas = _replicas(scenario, group_of)
    decode_ms, prefill_ms, mixed_ms = _step_times(groups, seats, batched)
    run = _run(scenario)
    looks = 1 + max(0, int(run[0]["end_ns"]) - 1) // int(run[0]["look_period_ns"])
    return Memory(
        run=run,
        groups=_groups(scenario, replicas),
        replicas=replicas,
        places=_places(count, seats),
        due=np.zeros((count, max(group.scheduler.block_size_tokens for group in groups)), np.int64),
        prefills=np.zeros((count, seats), np.int32),
        finishes=np.zeros((count, seats), np.int32),
        ends=np.zeros((count, LONGEST_REACH), np.int64),
        lengths=np.zeros(LONGEST_REACH),
        gap_steps=np.zeros((count, 2 * seats + 16), np.int64),
        gap_ns=np.zeros((count, 2 * seats + 16), np.int64),
        by_load=_by_load(group_of, len(groups)),
        events=np.zeros(count, np.int32),
        joins=np.zeros(count, np.int32),
        decode_ms=decode_ms,
        prefill_ms=prefill_ms,
        mixed_ms=mixed_ms,
        queue=np.zeros(scenario.gateway.admission.max_queue + 1, np.int64),
        looks=np.zeros(looks, np.int64),
    )


def _run(scenario: Scenario) -> NDArray[np.void]:
    run = np.zeros(1, RUN)
    run["in_turn"] = scenario.gateway.balancing == "round_robin"
    run["max_queue"] = scenario.gateway.admission.max_queue
    run["patience_ns"] = round(scenario.gateway.admission.queue_timeout_s * NS)
    run["longest_tokens"] = max(group.longest_tokens for group in scenario.groups)
    run["look_period_ns"] = round(scenario.sync_period_s * NS)
    run["end_ns"] = round(scenario.duration_s * NS)
    return run


def _replicas(scenario: Scenario, group_of: NDArray[np.int64]) -> NDArray[np.void]:
    replicas = np.zeros(len(group_of), REPLICA)
    replicas["group"] = group_of
    replicas["run_end"] = FOREVER
    replicas["reach"] = _FIRST_REACH
    replicas["free"] = np.array([group.scheduler.kv_blocks for group in scenario.groups])[group_of]
    for field in ("event_at", "join_at", "coming_head", "coming_tail", "wait_head", "wait_tail", "head", "tail"):
        replicas[field] = NOBODY
    indices = np.arange(len(group_of))
    starts = np.searchsorted(group_of, group_of)
    ends = np.searchsorted(group_of, group_of, side="right")
    replicas["load_at"] = indices - starts
    replicas["turn_prev"] = np.where(indices > starts, indices - 1, NOBODY)
    replicas["turn_next"] = np.where(indices < ends - 1, indices + 1, NOBODY)
    return replicas


def _groups(scenario: Scenario, replicas: NDArray[np.void]) -> NDArray[np.void]:
    rows = np.zeros(len(scenario.groups), GROUP)
    overcommit = scenario.gateway.admission.kv_overcommit
    for index, group in enumerate(scenario.groups):
        members = np.flatnonzero(replicas["group"] == index)
        scheduler, times = group.scheduler, group.step_time
        kv_tokens = scheduler.kv_blocks * scheduler.block_size_tokens
        rows[index] = (
            scheduler.kv_blocks,
            scheduler.block_size_tokens,
            scheduler.max_num_seqs,
            scheduler.max_num_batched_tokens,
            group.longest_tokens,
            times.kv_included_tokens,
            round(times.request_overhead_ms * 1e6),
            overcommit * kv_tokens,
            max(1.0, overcommit) * kv_tokens,
            times.mixed_ms is not None,
            times.mixed_factor,
            times.host_overhead_ms,
            times.kv_ms_per_1k_tokens,
            times.prefill_ms_per_1m_pairs,
            len(members),
            members[0] if len(members) else NOBODY,
            members[-1] if len(members) else NOBODY,
        )
    return rows


def _places(count: int, seats: int) -> NDArray[np.void]:
    """Nobody's at first, each with the number of the next."""
    places = np.zeros((count, seats), PLACE)
    places["next"] = np.append(np.arange(1, seats), NOBODY)
    places["finish_at"] = NOBODY
    return places


def _by_load(group_of: NDArray[np.int64], groups: int) -> NDArray[np.int32]:
    items = np.zeros((groups, len(group_of)), np.int32)
    for index in range(groups):
        members = np.flatnonzero(group_of == index)
        items[index, : len(members)] = members
    return items


def _step_times(
    groups: tuple[ReplicaGroup, ...], seats: int, batched: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The model's milliseconds for each number of decodes, of prefill tokens, and of both in a mixed batch."""
    decode_ms = np.zeros((len(groups), seats + 1))
    prefill_ms = np.zeros((len(groups), batched + 1))
    mixed_ms = np.zeros((len(groups), batched + 1))
    for index, group in enumerate(groups):
        model = group.step_time
        decode_ms[index, 1:] = [model.plain_ms(n, 0) for n in range(1, seats + 1)]
        prefill_ms[index, 1:] = [model.plain_ms(0, n) for n in range(1, batched + 1)]
        if model.mixed_ms is not None:
            mixed_ms[index, 2:] = [model.plain_ms(1, n - 1) for n in range(2, batched + 1)]
    return decode_ms, prefill_ms, mixed_ms


def _columns(scenario: Scenario) -> Columns:
    workload, count = scenario.workload, len(scenario.workload)
    return Columns(
        at_ns=np.ascontiguousarray(workload.at_ns, np.int64),
        prompt_tokens=np.ascontiguousarray(workload.prompt_tokens, np.int32),
        output_tokens=np.ascontiguousarray(workload.output_tokens, np.int32),
        placed_ns=np.full(count, -1, np.int64),
        first_ns=np.full(count, -1, np.int64),
        last_ns=np.full(count, -1, np.int64),
        ended_ns=np.full(count, -1, np.int64),
        longest_gap_ns=np.zeros(count, np.int64),
        emitted=np.zeros(count, np.int32),
        wasted_tokens=np.zeros(count, np.int32),
        attempts=np.zeros(count, np.int16),
        outcome=np.full(count, -1, np.int8),
        replica=np.full(count, -1, np.int32),
    )


def _outcomes(columns: Columns) -> Outcomes:
    if len(columns.outcome) and not (0 <= columns.outcome.min() <= columns.outcome.max() < len(OUTCOMES)):
        raise RuntimeError("a request never ended")
    kept = {name: getattr(columns, name) for name in Outcomes.__slots__}
    return Outcomes(**kept)
