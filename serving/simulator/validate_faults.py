"""What is wrong with the faults of a scenario: unknown kinds and targets, times outside the run, senseless values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import get_args

from serving.simulator.scenario import FaultKind, FleetFault, Scenario

_KINDS = get_args(FaultKind)
_ON_REPLICAS = ("crash", "hang", "slow", "kv_loss", "spot_notice")
_WORDS = ("busiest", "random", "all")
_VALUES: Mapping[str, tuple[str, float, float]] = MappingProxyType(
    {
        "slow": ("a factor above 1", 1.0, 1000.0),
        "cold_start_slow": ("a factor above 1", 1.0, 1000.0),
        "surge": ("a factor above 1", 1.0, 1000.0),
        "kv_loss": ("the share that stays, below 1", -1e-12, 1.0),
        "spot_notice": ("seconds of notice", -1e-12, 3600.0),
        "poison": ("a share above 0, up to 1", 0.0, 1.0),
    }
)
"""What the value of a kind is, above which and up to which it makes sense."""


def faults_of_faults(scenario: Scenario) -> Iterator[str]:
    """A line for each thing that is wrong."""
    for number, fault in enumerate(scenario.faults):
        where = f"fault {number + 1} ({fault.kind})"
        if fault.kind not in _KINDS:
            yield f"fault {number + 1}: unknown kind {fault.kind!r}: use one of {', '.join(_KINDS)}"
            continue
        yield from (f"{where}: {said}" for said in _of_times(fault, scenario))
        yield from (f"{where}: {said}" for said in _of_value(fault))
        yield from (f"{where}: {said}" for said in _of_target(fault, scenario))


def _of_times(fault: FleetFault, scenario: Scenario) -> Iterator[str]:
    if not 0 <= fault.at_s < scenario.duration_s:
        yield f"at_s is {fault.at_s:g}, outside the run: use 0 to below {scenario.duration_s:g}"
    if fault.duration_s is not None and not (math.isfinite(fault.duration_s) and fault.duration_s > 0):
        yield f"duration_s is {fault.duration_s:g}: give a number above 0, or none for the rest of the run"


def _of_value(fault: FleetFault) -> Iterator[str]:
    if fault.value is None:
        return
    if fault.kind not in _VALUES:
        yield f"value is {fault.value:g}: this kind has none, leave it out"
        return
    meaning, above, most = _VALUES[fault.kind]
    if not above < fault.value <= most or (fault.kind == "kv_loss" and fault.value == most):
        yield f"value is {fault.value:g}: give {meaning}"


def _of_target(fault: FleetFault, scenario: Scenario) -> Iterator[str]:
    if fault.kind == "autoscaler_down" and scenario.policy is None:
        yield "the fleet has no autoscaler: give it a policy, or leave the fault out"
    if fault.kind == "zone_loss":
        zones = sorted({zone for group in scenario.groups for zone in group.zones})
        if fault.target not in zones and fault.target in _WORDS:
            yield f"names no zone as its target: use one of {', '.join(zones)}"
        elif fault.target not in zones:
            yield f"unknown zone {fault.target!r}: use one of {', '.join(zones)}"
    elif fault.kind in _ON_REPLICAS or (fault.kind == "metrics_loss" and fault.target not in _WORDS):
        yield from _of_replica(fault.target, scenario)
    elif fault.target not in _WORDS:
        yield f"hits no single replica: leave the target {fault.target!r} out"


def _of_replica(target: str, scenario: Scenario) -> Iterator[str]:
    """A replica that an autoscaler may add is known by its name too."""
    most = sum(group.count for group in scenario.groups)
    if scenario.policy is not None:
        most += max(0, scenario.policy.max_replicas - scenario.groups[0].count) if scenario.groups else 0
    named = re.fullmatch(r"llm-(0|[1-9][0-9]*)", target)
    if target not in _WORDS and (named is None or int(named[1]) >= most):
        last = f", llm-0 to llm-{most - 1}" if most else ""
        yield f"unknown target {target!r}: use {', '.join(_WORDS)}{last}"
