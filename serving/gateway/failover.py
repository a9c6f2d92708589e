"""Where a job goes whose replica failed it: paid from the retry budget, to a replica that has not failed it.

The waiting and choosing of `generation.Failover`, on the pool of this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from serving.gateway.errors import ReplicaFailed
from serving.gateway.generation import NoPlace, Tried
from serving.gateway.model import Job
from serving.gateway.pool import Pool
from serving.gateway.replica import Lease

_SURE_AFTER = 2  # replicas
_DOUBT_S = 2.5  # a probe of a suspect replica takes at most its timeout
_TURN_S = 1.0
_LOOK_S = 0.02


class PoolFailover:
    """For all jobs of one pool. `clock` gives monotonic seconds."""

    def __init__(self, pool: Pool, clock: Callable[[], float]) -> None:
        self._pool = pool
        self._clock = clock

    async def elsewhere(self, job: Job, tried: Tried, *, until: float, free: bool) -> Lease | NoPlace:
        """A place on a replica that did not fail this job in its present life; wait for one while none is up.

        None is risked for a prompt under which replicas died.
        """
        await self._certainty(job, tried)
        if self._pool.suspects.in_quarantine(job.fingerprint):
            return "poison"
        if not free and not self._pool.budget.spend(self._clock()):
            return "budget"
        while True:
            excluded = self._excluded(tried)
            lease = self._pool.acquire(job, exclude=excluded, forced=True)
            if lease is None:  # an error may have been the moment's fault: better than to wait for somebody else
                lease = self._pool.acquire(job, exclude=excluded - tried.erred, forced=True)
            if lease is not None:
                return lease
            left_s = until - self._clock()
            if left_s <= 0:
                return "late"
            await self._pool.arrival(left_s)

    async def spare(self, job: Job, tried: Tried) -> Lease | None:
        """A place for a second attempt, if there is room for one now."""
        if self._pool.suspects.suspected(job.fingerprint):
            return None
        lease = self._pool.acquire(job, exclude=self._excluded(tried))
        if lease is not None and not self._pool.budget.spend(self._clock()):
            lease.release()
            return None
        return lease

    def report(self, lease: Lease, failure: ReplicaFailed) -> None:
        self._pool.report(lease, failure)

    def see_out(self, ending: Coroutine[Any, Any, None]) -> None:
        self._pool.see_out(ending)

    async def _certainty(self, job: Job, tried: Tried) -> None:
        """Before a third replica is risked, wait until it is known whether the other two are well; and suspects are
        tried one after the other. Both for a moment only.
        """
        pool, begun = self._pool, self._clock()
        if len(tried.lives) >= _SURE_AFTER:
            while pool.in_doubt(tried.lives) and self._clock() - begun < _DOUBT_S:
                await asyncio.sleep(_LOOK_S)
        while pool.suspects.suspected(job.fingerprint) and pool.on_trial(job.fingerprint):
            if self._clock() - begun >= _TURN_S:
                return
            await asyncio.sleep(_LOOK_S)

    def _excluded(self, tried: Tried) -> set[str]:
        lives = self._pool.lives()
        return {name for name, life in tried.lives.items() if lives.get(name) == life}
