"""One simulated replica under so many clients that each wait for their answer: what its throughput can be.

Drives the scheduler and the step times that the emulated engine drives, under a clock of its own. No gateway: with one
replica and room for every client it only passes on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from sre.platforms.local.errors import serving_errors_as_ours
from sre.platforms.local.work import load_fields
from sre.platforms.performance import Answer, Fleet, KneePoint, Offer, knee_point, stretched

if TYPE_CHECKING:
    from serving.batching import Emission, Scheduler, SchedulerConfig
    from serving.loadgen.model import PlannedRequest
    from serving.profiles import Profile


def simulated_level(fleet: Fleet, offer: Offer, *, settle_s: float, window_s: float) -> KneePoint:
    """One level of a closed loop on one replica of `fleet`; seconds are the fleet's, stretched as it is.

    Raises SreError for an unknown profile or class.
    """
    from serving.profiles import load

    scale = fleet.time_scale
    with serving_errors_as_ours():
        end_s = (settle_s + window_s) / scale
        answers = _Loop(load(fleet.profile), fleet, offer).until(end_s)
    seen = [stretched(one, scale) for one in answers]
    return knee_point(seen, concurrency=offer.concurrency or 1, start=settle_s, end=settle_s + window_s)


@dataclass
class _Open:
    """A request under way."""

    sent_at: float
    wanted: int
    tokens: list[float] = field(default_factory=list)

    def answer(self, outcome: str, at: float) -> Answer:
        gaps = [after - before for before, after in pairwise(self.tokens)]
        return Answer(
            sent_at=self.sent_at,
            first_at=self.tokens[0] if self.tokens else None,
            last_at=self.tokens[-1] if self.tokens else None,
            ended_at=at,
            tokens=len(self.tokens),
            wanted=self.wanted,
            outcome=outcome,
            longest_gap_s=max(gaps, default=None),
        )


class _Loop:
    """The replica and its clients, from 0 seconds on."""

    def __init__(self, profile: Profile, fleet: Fleet, offer: Offer) -> None:
        from serving.batching import Scheduler

        self._step_time = profile.step_time
        self._scheduler: Scheduler = Scheduler(_limits(profile, fleet))
        self._pending = _requests(offer)
        self._clients = offer.concurrency or 1
        self._open: dict[str, _Open] = {}
        self._ended: list[Answer] = []

    def until(self, end_s: float) -> list[Answer]:
        """All answers, those under way at the end cut there."""
        now = 0.0
        for _ in range(self._clients):
            self._send(now)
        while now < end_s and self._scheduler.has_work:
            plan = self._scheduler.plan()
            now += self._step_time.duration_s(plan)
            for emission in self._scheduler.complete(plan).emitted:
                self._take(emission, now)
        return [*self._ended, *(one.answer("cancelled", now) for one in self._open.values())]

    def _send(self, now: float) -> None:
        from serving.batching import Request

        planned = next(self._pending, None)
        if planned is not None:
            self._open[planned.id] = _Open(now, planned.max_tokens)
            self._scheduler.add(Request(planned.id, planned.prompt_tokens, planned.max_tokens))

    def _take(self, emission: Emission, now: float) -> None:
        under_way = self._open[emission.request_id]
        under_way.tokens.append(now)
        if emission.is_last:
            self._ended.append(self._open.pop(emission.request_id).answer("ok", now))
            self._send(now)


def _limits(profile: Profile, fleet: Fleet) -> SchedulerConfig:
    own = profile.scheduler
    return replace(
        own,
        max_num_seqs=fleet.max_num_seqs or own.max_num_seqs,
        max_num_batched_tokens=fleet.max_num_batched_tokens or own.max_num_batched_tokens,
    )


def _requests(offer: Offer) -> Iterator[PlannedRequest]:
    """What the load generator would send. Prefixes are left out: nothing is shared here."""
    from serving.loadgen.plan import Plan
    from serving.loadgen.schedule import build_schedule

    plan = Plan.model_validate({"url": "http://localhost", "out": Path(), **load_fields(offer)})
    return iter(build_schedule(plan).requests)
