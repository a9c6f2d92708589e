"""How fast a replica steps, as the gateway learns it from the gaps between tokens (`serving.gateway.pace`).

Learnt while a replica is watched, from how far its requests got between two looks: the gaps of a look count with their
mean. Before that a replica's usual step is that of the requests it has.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from serving.simulator.member import Member
from serving.simulator.model import NS

_WARM_STEPS = 64
_MOST_STEPS = 256  # beyond, nothing of the former pace is left


@dataclass(slots=True)
class Steps:
    """Where the requests of a replica were at the last look: tokens out, and when the last of them came."""

    seen: dict[int, tuple[int, int]] = field(default_factory=dict)


def learn(member: Member, steps: Steps, now_ns: int) -> None:
    """Tell the member's pace of the tokens since the last look."""
    pace, seen = member.health.pace, {}
    for id_, flight in member.flights.items():
        progress = member.progress(flight, now_ns)
        if progress.last_ns < 0:
            continue
        seen[id_] = progress.emitted, progress.last_ns
        tokens, last_ns = steps.seen.get(id_, (progress.emitted, progress.last_ns))
        new = progress.emitted - tokens
        for _ in range(min(new, _MOST_STEPS)):
            pace.step((progress.last_ns - last_ns) / NS / new)
    steps.seen = seen
    if pace.steps < _WARM_STEPS and (usual_s := _mean_step_s(member, now_ns)) is not None:
        pace.step_s, pace.steps = usual_s, _WARM_STEPS


def _mean_step_s(member: Member, now_ns: int) -> float | None:
    """The mean gap of the requests that decode here now."""
    tokens = spans_ns = 0
    for flight in member.flights.values():
        progress = member.progress(flight, now_ns)
        before = flight.past.emitted if flight.past else 0
        if progress.last_ns >= 0 and progress.emitted - before > 1 and flight.first_here_ns >= 0:
            tokens += progress.emitted - before - 1
            spans_ns += progress.last_ns - flight.first_here_ns
    return spans_ns / tokens / NS if tokens else None


def usual_step_s(member: Member, now_ns: int) -> float | None:
    """What the gateway would take for the replica's step time; None when too little is known."""
    return member.health.usual_step_s or _mean_step_s(member, now_ns)
