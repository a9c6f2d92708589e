"""Watches over the replicas: silence, lateness and drains at a short beat, and probes by real inference.

A replica is well when it produces tokens, and not because it says so. Silence counts only while jobs wait for it, and
only as far as the gateway itself was on time: what it was late by is forgiven.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from statistics import median
from typing import Any

from serving.engine.inference import PROBE_PROMPT
from serving.gateway.errors import DeadlinePassed, JobRefused, ReplicaFailed
from serving.gateway.model import Job
from serving.gateway.pool import Pool
from serving.gateway.replica import Lease, Replica

_BEAT_S = 0.1
_LATE_S = 0.02  # less is the ordinary jitter of a timer
_SAMPLING = {"max_tokens": 1, "ignore_eos": True, "priority": -1}


def probe_job(model: str) -> Job:
    """The smallest real job, ahead of users' work."""
    return Job("probe", model, PROBE_PROMPT, _SAMPLING, max_tokens=1, prompt_tokens_estimate=3)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: how long a probe may take, and how long the next piece of a job."""

    probe_timeout_s: float
    idle_timeout_s: float


class Watcher:
    """`run` it as a task of its own beside the pool's traffic."""

    def __init__(self, pool: Pool, job: Job, patience: Patience, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._job = job
        self._patience = patience
        self._clock = clock
        self._late_s = 0.0
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Watch until cancelled. What a probe raises unforeseen is raised here: health would be stale without it."""
        try:
            while True:
                self._collect()
                self.look(self._clock())
                await self._wait()
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _wait(self) -> None:
        """Until the next beat or until something needs attention."""
        due = self._clock() + _BEAT_S
        self._pool.attention.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_BEAT_S):
                await self._pool.attention.wait()
        now = self._clock()
        if now - due > _LATE_S:
            self._late_s += now - due
            for replica in self._pool.everyone():
                replica.health.forgive(now - due, now)

    def look(self, now: float) -> None:
        """One round over all replicas."""
        pool = self._pool
        for replica in pool.everyone():
            for lease in list(replica.leases):
                self._observe(lease, now)
            self._judge(replica, now)
        self._compare()
        pool.end_graces(now)
        pool.evacuate()
        for replica in pool:
            if replica.health.probe_due(now, busy=replica.inflight > 0):
                replica.health.probe_began(now)
                self._spawn(self.probe(replica), f"probe {replica.name}")
        for replica in pool.take_retired():
            self._spawn(replica.channel.close(), f"close {replica.name}")

    def _observe(self, lease: Lease, now: float) -> None:
        lease.observe(now)
        if not lease.waiting:
            return
        if lease.pieces and now - lease.waiting_from >= self._patience.idle_timeout_s:
            lease.lose(ReplicaFailed("timeout", f"no token for {self._patience.idle_timeout_s:g} s"))
        elif not lease.pieces and lease.first_due_at is not None and now >= lease.first_due_at:
            lease.lose(ReplicaFailed("timeout", "no first token in time"))

    def _judge(self, replica: Replica, now: float) -> None:
        """Is its silence too long?"""
        silent_s = replica.silent_s(now)
        if not silent_s or replica.leaving is not None or silent_s < replica.patience_s():
            return
        failure = ReplicaFailed("timeout", f"no progress for {silent_s:.2f} s with {replica.inflight} jobs in hand")
        if not replica.health.serving:
            replica.leaving = failure  # out for being slow, and silent now
        elif self._pool.may_eject(replica):
            self._pool.eject(replica, "stall", failure)
        else:
            replica.health.suspect = True

    def _compare(self) -> None:
        """Take out who is much slower than the others."""
        if not self._pool.rules.health.slow_factor:
            return
        for replica in self._pool:
            others = [r.health.usual_step_s for r in self._pool if r is not replica and r.health.routable]
            known = [step_s for step_s in others if step_s is not None]
            usual_s = median(known) if known else None
            health = replica.health
            if health.routable and health.is_slow(usual_s) and self._pool.may_eject(replica):
                detail = f"{health.pace.step_s * 1e3:.0f} ms a token, the others {(usual_s or 0) * 1e3:.0f} ms"
                self._pool.eject(replica, "slow", ReplicaFailed("timeout", detail))

    async def probe(self, replica: Replica) -> None:
        """One inference decides."""
        began, late_before_s = self._clock(), self._late_s
        try:
            await self._infer(replica)
        except TimeoutError:
            late_s = self._late_s - late_before_s
            if replica.health.progress_at > began or late_s > self._patience.probe_timeout_s / 2:
                replica.health.suspect = False  # busy, or we were: others' tokens came, or nobody could have been heard
            else:
                timeout_s = self._patience.probe_timeout_s
                self._pool.probe_failed(replica, ReplicaFailed("timeout", f"no inference within {timeout_s:g} s"))
        except ReplicaFailed as failure:
            self._pool.probe_failed(replica, failure)
        except (JobRefused, DeadlinePassed) as refusal:
            self._pool.probe_failed(replica, ReplicaFailed("error", f"probe refused: {refusal}"))
        else:
            self._pool.probe_passed(replica)
        finally:
            replica.health.probe_ended()

    async def _infer(self, replica: Replica) -> None:
        stream = replica.channel.start(self._job)
        try:
            async with asyncio.timeout(self._patience.probe_timeout_s):
                while (await stream.read(math.inf)).finish is None:
                    pass
                await stream.finish()
        finally:
            stream.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        self._tasks.add(asyncio.create_task(work, name=name))

    def _collect(self) -> None:
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            task.result()
