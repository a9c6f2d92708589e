"""One job's tokens, from whichever replica serves them: the only place that decides what happens when a replica fails.

Before the first token the job moves to another replica: when its attempt fails, and also when the health probe takes
the replica down and another one is up (a frozen process fails no call, it only keeps silent). After the first token
the generation is truncated; replaying the sent tokens on another replica belongs into `Generation._move_on`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from serving.gateway.errors import ApiError, JobRefused, ReplicaFailed, Truncated, unavailable
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Job, Piece
from serving.gateway.pool import Lease, Pool, Stream

_RETRY_AFTER_S = 1


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often a generation is tried, seconds (see `GatewayConfig`)."""

    max_attempts: int
    first_token_timeout_s: float
    idle_timeout_s: float
    deadline_s: float


class Generation:
    """Call `next` until a piece carries `finish`, then `close`.

    `tried` is the caller's list to which the names of replicas are added in the order tried.
    """

    def __init__(
        self,
        job: Job,
        pool: Pool,
        limits: Limits,
        metrics: GatewayMetrics,
        *,
        tried: list[str],
        clock: Callable[[], float],
    ) -> None:
        self._job = job
        self._pool = pool
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._deadline = clock() + limits.deadline_s
        self._lease: Lease | None = None
        self._stream: Stream | None = None
        self._started = False
        self._finished = False
        self.replicas = tried

    async def next(self) -> Piece:
        """The next piece. Raises ApiError (no replica could begin), Truncated (it was cut later) or JobRefused."""
        if self._stream is None:
            self._attempt(None)
        while True:
            try:
                piece = await (self._current().read(self._timeout_s()) if self._started else self._read_first())
            except ReplicaFailed as failure:
                self._move_on(failure)
            except JobRefused as refusal:
                if not self._started:
                    self._release()
                    raise
                self._move_on(ReplicaFailed("error", f"refused after tokens were produced: {refusal}"))
            else:
                self._received(piece)
                return piece

    async def close(self) -> None:
        """End the attempt: an unfinished one is cancelled on its replica. Safe to call twice."""
        stream, self._stream = self._stream, None
        self._release()
        if stream is None:
            return
        if self._finished:
            await stream.finish()
        else:
            stream.cancel()

    async def _read_first(self) -> Piece:
        """The first piece. Raises ReplicaFailed also when the replica goes down meanwhile and there is another."""
        replica = self._held().replica
        lost: list[ReplicaFailed] = []
        try:
            async with asyncio.timeout(None) as patience:

                def leave(failure: ReplicaFailed) -> None:
                    if not lost and self._may_move_on():
                        lost.append(failure)
                        patience.reschedule(0.0)

                with replica.telling(leave):
                    return await self._current().read(self._timeout_s())
        except TimeoutError as error:
            raise lost[0] from error

    def _may_move_on(self) -> bool:
        tries_left = len(self.replicas) < self._limits.max_attempts and self._clock() < self._deadline
        return tries_left and self._pool.offers(exclude=self.replicas)

    def _held(self) -> Lease:
        if self._lease is None:
            raise RuntimeError("no attempt is running")
        return self._lease

    def _current(self) -> Stream:
        if self._stream is None:
            raise RuntimeError("the generation is closed")
        return self._stream

    def _timeout_s(self) -> float:
        if self._started:
            return self._limits.idle_timeout_s
        return min(self._limits.first_token_timeout_s, max(0.0, self._deadline - self._clock()))

    def _attempt(self, failure: ReplicaFailed | None) -> None:
        """Start on the least loaded replica not tried yet; `failure` ended the attempt before."""
        lease = self._pool.acquire(self._job.cost_tokens, exclude=self.replicas)
        if lease is None:
            raise _exhausted(failure, self.replicas)
        if failure is not None:
            self._metrics.retry(failure.reason)
        self._lease = lease
        self.replicas.append(lease.replica.name)
        self._stream = lease.replica.channel.start(self._job)

    def _move_on(self, failure: ReplicaFailed) -> None:
        """The current attempt failed: continue on another replica, or raise what the client is told."""
        if self._lease is not None:
            self._pool.report(self._lease, failure)
            self._metrics.attempt(self._lease.replica.name, ok=False)
        self._release()
        self._current().cancel()
        self._stream = None
        if self._started:
            raise Truncated(f"replica {self.replicas[-1]} failed after tokens were produced ({failure.reason})")
        if len(self.replicas) >= self._limits.max_attempts or self._clock() >= self._deadline:
            raise _exhausted(failure, self.replicas)
        self._attempt(failure)

    def _received(self, piece: Piece) -> None:
        self._started = True
        if self._lease is None:
            return
        self._lease.replica.served_at = self._clock()
        if piece.finish is not None:
            self._finished = True
            self._metrics.attempt(self._lease.replica.name, ok=True)
            self._release()

    def _release(self) -> None:
        if self._lease is not None:
            self._lease.release()
            self._lease = None


def _exhausted(failure: ReplicaFailed | None, tried: list[str]) -> ApiError:
    """What the client is told when no replica produced a first token."""
    if failure is None:
        return unavailable("no replica is healthy: try again", code="no_healthy_replica", retry_after_s=_RETRY_AFTER_S)
    names = ", ".join(tried)
    if failure.reason == "timeout":
        return unavailable(f"no first token in time (tried {names})", status=504, code="first_token_timeout")
    if failure.reason == "connect":
        return unavailable(
            f"the replicas tried ({names}) are gone: try again", code="replica_lost", retry_after_s=_RETRY_AFTER_S
        )
    return unavailable(f"the replicas tried ({names}) failed", status=502, code="replica_failed")
