"""What faults change in the offered load: a surge brings more of the requests around it, poison is among what arrives.

Both are drawn from the scenario's seed and the fault's place in the list, so that another fault changes nothing in it.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
from numpy.typing import NDArray

from serving.simulator.columns import Workload
from serving.simulator.faults import value_of
from serving.simulator.model import NS
from serving.simulator.scenario import FleetFault, Scenario

_NEIGHBOURS = 50
_JITTER_S = 5.0


def with_surges(scenario: Scenario) -> Scenario:
    """The scenario with the workload that arrives: for each request within a surge `value` - 1 more on average.

    One more arrives within 5 s of its original and has the lengths, the class, the priority and the prefix of one of
    the 50 requests around it.
    """
    extras = [
        _extra(scenario.workload, fault, scenario.duration_s, Random(f"{scenario.seed}/surge/{number}"))  # noqa: S311
        for number, fault in enumerate(scenario.faults)
        if fault.kind == "surge"
    ]
    extras = [(at_ns, like) for at_ns, like in extras if len(at_ns)]
    return replace(scenario, workload=_merged(scenario.workload, extras)) if extras else scenario


def _window(workload: Workload, fault: FleetFault, duration_s: float) -> tuple[int, int]:
    """The requests that arrive while the fault holds, as a range."""
    end_s = duration_s if fault.duration_s is None else min(duration_s, fault.at_s + fault.duration_s)
    first, last = np.searchsorted(workload.at_ns, [round(fault.at_s * NS), round(end_s * NS)])
    return int(first), int(last)


def _extra(
    workload: Workload, fault: FleetFault, duration_s: float, rng: Random
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """When the additional requests arrive, and which request each is like."""
    first, last = _window(workload, fault, duration_s)
    begin_ns = round(fault.at_s * NS)
    end_ns = int(workload.at_ns[last - 1]) if last > first else begin_ns
    more = value_of(fault) - 1
    at_ns, like = [], []
    for index in range(first, last):
        copies = int(more) + (rng.random() < more - int(more))
        for _ in range(copies):
            jitter_ns = round(rng.uniform(-_JITTER_S, _JITTER_S) * NS)
            at_ns.append(min(max(int(workload.at_ns[index]) + jitter_ns, begin_ns), end_ns))
            low, high = max(0, index - _NEIGHBOURS // 2), min(len(workload), index + _NEIGHBOURS // 2)
            like.append(rng.randrange(low, high))
    return np.array(at_ns, np.int64), np.array(like, np.int64)


def _merged(workload: Workload, extras: list[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> Workload:
    at_ns = np.concatenate([workload.at_ns, *(at for at, _ in extras)])
    like = np.concatenate([np.arange(len(workload)), *(like for _, like in extras)])
    order = np.argsort(at_ns, kind="stable")
    like = like[order]
    prefix = None if workload.prefix is None else tuple(workload.prefix[index] for index in like.tolist())
    return replace(
        workload,
        at_ns=at_ns[order],
        prompt_tokens=workload.prompt_tokens[like],
        output_tokens=workload.output_tokens[like],
        priority=workload.priority[like],
        klass=workload.klass[like],
        prefix=prefix,
    )


def poisonous(scenario: Scenario) -> bytearray | None:
    """One byte a request: 1 for those that kill the replica they come to. None when there is no poison at all."""
    faults = [(number, fault) for number, fault in enumerate(scenario.faults) if fault.kind == "poison"]
    if not faults:
        return None
    marks = bytearray(len(scenario.workload))
    for number, fault in faults:
        rng = Random(f"{scenario.seed}/poison/{number}")  # noqa: S311
        first, last = _window(scenario.workload, fault, scenario.duration_s)
        for index in range(first, last):
            if rng.random() < value_of(fault):
                marks[index] = 1
    return marks
