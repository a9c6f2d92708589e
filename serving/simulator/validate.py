"""What cannot be simulated, told at once and before anything runs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.autoscale.model import Policy
from serving.autoscale.promql import parse_simple
from serving.errors import BadInput
from serving.simulator.columns import Workload
from serving.simulator.scenario import GatewayRules, ReplicaGroup, Scenario
from serving.simulator.validate_faults import faults_of_faults

MOST_SCRAPES = 1_000_000
"""Fifty-eight days at five seconds; each costs time even where nothing is kept."""


def validate(scenario: Scenario) -> list[str]:
    """All that is wrong with it, a line each; empty when it can be played."""
    return [
        *_of_itself(scenario),
        *_of_gateway(scenario.gateway),
        *(fault for group in scenario.groups for fault in _of_group(group)),
        *_of_workload(scenario.workload, scenario),
        *faults_of_faults(scenario),
        *(_of_policy(scenario.policy) if scenario.policy is not None else ()),
    ]


def require_valid(scenario: Scenario) -> None:
    """Raises BadInput with all of it."""
    faults = validate(scenario)
    if faults:
        raise BadInput("\n".join(f"{scenario.title}: {fault}" for fault in faults))


def _of_itself(scenario: Scenario) -> Iterator[str]:
    for name in (
        "duration_s",
        "scrape_interval_s",
        "sync_period_s",
        "ttft_threshold_s",
        "tpot_threshold_s",
        "unhealthy_restart_s",
    ):
        value = getattr(scenario, name)
        if not (math.isfinite(value) and value > 0):
            yield f"{name} is {value:g}: give a number above 0"
    if scenario.scrape_interval_s > 0 and scenario.duration_s / scenario.scrape_interval_s > MOST_SCRAPES:
        yield (
            f"scrape_interval_s is {scenario.scrape_interval_s:g} in a run of {scenario.duration_s:g} s: "
            f"more than {MOST_SCRAPES:,} scrapes, raise it"
        )
    if not scenario.groups:
        yield "there are no replicas: name at least one group"
    elif sum(group.count for group in scenario.groups) < 1 and scenario.policy is None:
        yield "there are no replicas: give a group a count of at least 1"
    names = [group.name for group in scenario.groups]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"group {name} is there twice: give each its own name"


def _of_gateway(rules: GatewayRules) -> Iterator[str]:
    for name in ("first_token_timeout_s", "deadline_s", "idle_timeout_s"):
        value = getattr(rules, name)
        if not (math.isfinite(value) and value > 0):
            yield f"gateway: {name} is {value:g}: give a number above 0"
    if rules.failover.hedge_after_s is not None:
        yield "gateway: failover.hedge_after_s is set: second attempts for late tokens are not simulated, leave it out"


def _of_group(group: ReplicaGroup) -> Iterator[str]:
    where = f"group {group.name}"
    if group.count < 0:
        yield f"{where}: count is {group.count}: give 0 or more"
    if group.gpus < 1:
        yield f"{where}: gpus is {group.gpus}: give at least 1"
    if not 0 <= group.added_spot_share <= 1:
        yield f"{where}: added_spot_share is {group.added_spot_share:g}: give 0 to 1"
    if not group.zones:
        yield f"{where}: it has no zone: name at least one"
    for phase, seconds in group.cold_start:
        if not (math.isfinite(seconds) and seconds >= 0):
            yield f"{where}: cold start phase {phase!r} takes {seconds:g} s: give 0 or more"


def _of_workload(workload: Workload, scenario: Scenario) -> Iterator[str]:
    if len(workload) == 0:
        yield "the workload is empty: offer at least one request"
        return
    columns: dict[str, NDArray[Any]] = {
        "prompt_tokens": workload.prompt_tokens,
        "output_tokens": workload.output_tokens,
        "priority": workload.priority,
        "klass": workload.klass,
    }
    for name, column in columns.items():
        if len(column) != len(workload):
            yield f"workload: {name} has {len(column):,} entries, at_ns {len(workload):,}: give one a request"
            return
    if workload.at_ns[0] < 0 or bool((np.diff(workload.at_ns) < 0).any()):
        yield "workload: arrivals are not in order of time from 0 on: sort them"
    for name in ("prompt_tokens", "output_tokens"):
        if columns[name].min() < 1:
            yield f"workload: request {int(columns[name].argmin())} has {columns[name].min()} {name}: give at least 1"
    if workload.klass.min() < 0 or workload.klass.max() >= len(workload.classes):
        yield f"workload: klass goes beyond the {len(workload.classes)} classes: name each class"
    if workload.prefix is not None:
        yield from _of_prefixes(workload, scenario)
    longest = max((group.longest_tokens for group in scenario.groups), default=0)
    shortest = int((workload.prompt_tokens.astype(np.int64) + workload.output_tokens).min())
    if scenario.groups and shortest > longest:
        yield f"no request fits: the shortest has {shortest:,} tokens, a replica takes {longest:,} at most"


def _of_prefixes(workload: Workload, scenario: Scenario) -> Iterator[str]:
    if workload.prefix is not None and len(workload.prefix) != len(workload):
        yield f"workload: prefix has {len(workload.prefix):,} entries, at_ns {len(workload):,}: give one a request"
    size = workload.prefix_block_tokens
    for group in scenario.groups:
        if size < 1 or size % group.scheduler.block_size_tokens:
            blocks = f"group {group.name}'s KV blocks of {group.scheduler.block_size_tokens}"
            yield f"workload: prefix_block_tokens is {size}: use a multiple of {blocks}"


def _of_policy(policy: Policy) -> Iterator[str]:
    for metric in policy.metrics:
        if metric.source in ("Resource", "ContainerResource"):
            yield f"{policy.where}: {metric.title} is not simulated: use a Pods or Object metric"
        if metric.query is not None:
            try:
                parse_simple(metric.query)
            except BadInput as error:
                yield f"{policy.where}: {metric.title}: {error}"
