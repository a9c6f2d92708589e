"""A run by the compiled core, where there is one and it can: a fleet without faults and without an autoscaler.

The outcomes are the event loop's own (a test compares them); what the fleet was is told here: nothing happens to it.
"""

from __future__ import annotations

from collections.abc import Callable

from serving.simulator.kernel import can_play, is_compiled, play
from serving.simulator.model import NS
from serving.simulator.result import FleetEvent, FleetResult, Life, Moment
from serving.simulator.scenario import Scenario

_WORTH_LOADING, _WORTH_COMPILING = 5_000, 200_000
"""Requests from which on the compiled core saves more than it takes to load, and to compile the first time."""


def play_compiled(scenario: Scenario, on_progress: Callable[[float], None] | None) -> FleetResult | None:
    """The run; None when it is the event loop's to play."""
    requests = len(scenario.workload)
    if requests < _WORTH_LOADING or can_play(scenario) is not None:
        return None
    if requests < _WORTH_COMPILING and not is_compiled():
        return None
    return compiled(scenario, on_progress)


def compiled(scenario: Scenario, on_progress: Callable[[float], None] | None = None) -> FleetResult:
    """The same for a scenario that `can_play` has nothing against."""
    played, lives = play(scenario, on_progress=on_progress), _lives(scenario)
    period_ns = round(scenario.sync_period_s * NS)
    return FleetResult(
        scenario=scenario,
        outcomes=played.outcomes,
        lives=lives,
        moments=tuple(
            Moment(look * period_ns / NS, len(lives), len(lives), 0, waiting, "")
            for look, waiting in enumerate(played.waiting.tolist())
        ),
        events=tuple(event for life in lives for event in _events(life)),
        series=(),
        scale_events=0,
        max_queue=played.max_queue,
        preemptions=played.preemptions,
        prefix_queries_tokens=0,
        prefix_hits_tokens=0,
    )


def _lives(scenario: Scenario) -> tuple[Life, ...]:
    """All from the start to the end."""
    members = [(group, number) for group in scenario.groups for number in range(group.count)]
    return tuple(
        Life(
            name=f"llm-{index}",
            group=group.name,
            zone=group.zones[number % len(group.zones)],
            start_s=0.0,
            ready_s=0.0,
            end_s=scenario.duration_s,
            spot=group.spot,
        )
        for index, (group, number) in enumerate(members)
    )


def _events(life: Life) -> tuple[FleetEvent, FleetEvent]:
    started = FleetEvent(0.0, "replica_started", {"replica": life.name})
    return started, FleetEvent(0.0, "replica_ready", {"replica": life.name, "cold_start_s": 0.0})
