"""One job's tokens, from whichever replica serves them: the only place that decides what happens when a replica fails.

Before the first token the job starts anew elsewhere. After it, the generation goes on elsewhere with what was sent
already (`Resume`): the reader of `next` sees a gap and nothing else. Both are bounded, for the job by its own limits
and for all jobs together by the fleet's retry budget; what an operator moves on purpose is free.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

from serving.gateway.attempt import Attempt
from serving.gateway.config import GatewayConfig
from serving.gateway.errors import ApiError, JobRefused, ReplicaFailed, Truncated, poison_suspected, unavailable
from serving.gateway.hedge import race
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Finish, Job, Piece, Resume
from serving.gateway.replica import Lease, Moved

_RETRY_AFTER_S = 1
_NO_BUDGET = "the retry budget is used up"


NoPlace = Literal["budget", "late", "poison"]
"""Why there is no other place: no retry budget is left, no other replica came up in time, or replicas died of it."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Where a job was tried: replicas by name with their life then; `erred` are those that answered with an error."""

    lives: Mapping[str, int]
    erred: frozenset[str]


class Failover(Protocol):
    """What a generation asks of whoever keeps the replicas. Times are seconds of the generation's clock."""

    async def elsewhere(self, job: Job, tried: Tried, *, until: float, free: bool) -> Lease | NoPlace:
        """A place where the job was not tried, paid from the retry budget unless `free`; waits while none is up."""

    async def spare(self, job: Job, tried: Tried) -> Lease | None:
        """A place for a second attempt at once, on another replica with room, when the budget allows it."""

    def report(self, lease: Lease, failure: ReplicaFailed) -> None:
        """An attempt failed."""

    def see_out(self, ending: Coroutine[Any, Any, None]) -> None:
        """Let a stream whose answer is complete end in its own time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long and how often a generation is tried, seconds (see `GatewayConfig`)."""

    max_attempts: int
    max_replays: int
    first_token_timeout_s: float
    idle_timeout_s: float
    deadline_s: float
    unreplayable: Literal["continue", "fail"] = "continue"
    hedge_after_s: float | None = None

    @classmethod
    def of(cls, config: GatewayConfig) -> Self:
        failover = config.failover
        return cls(
            failover.max_attempts,
            failover.max_replays,
            config.first_token_timeout_s,
            config.idle_timeout_s,
            config.deadline_s,
            failover.unreplayable,
            failover.hedge_after_s,
        )


class Generation:
    """Call `next` until a piece carries `finish`, then `close`.

    `lease` is the job's place on its first replica. `tried` is the caller's list to which the names of replicas are
    added in the order tried.
    """

    def __init__(
        self,
        job: Job,
        lease: Lease,
        failover: Failover,
        limits: Limits,
        metrics: GatewayMetrics,
        *,
        tried: list[str],
        clock: Callable[[], float],
    ) -> None:
        self._job = job
        self._lease: Lease | None = lease
        self._failover = failover
        self._limits = limits
        self._metrics = metrics
        self._clock = clock
        self._deadline = clock() + limits.deadline_s
        self._attempt: Attempt | None = None
        self._failure: ReplicaFailed | None = None
        self._lives: dict[str, int] = {}
        self._erred: set[str] = set()
        self._texts: list[str] = []
        self._token_ids: list[int] = []
        self._tokens = 0
        self._attempts = 0
        self._replays = 0
        self._is_replay = False
        self._started = False
        self._finished = False
        self._last_at = clock()
        self.replicas = tried

    async def next(self) -> Piece:
        """The next piece.

        Raises ApiError (no replica could begin), Truncated (cut later, and not continued), JobRefused or
        DeadlinePassed.
        """
        while True:
            try:
                attempt = self._attempt
                if attempt is not None and not self._is_replay:
                    piece = await attempt.read()
                else:
                    piece = await self._begin()
            except ReplicaFailed as failure:
                self._lost(failure)
            except JobRefused as refusal:
                self._refused(refusal)
            else:
                self._received(piece)
                return piece

    def close(self) -> None:
        """End the attempt: an unfinished one is cancelled on its replica, a finished one ends in its own time.

        Safe to call twice.
        """
        if self._lease is not None:
            self._lease.release()
            self._lease = None
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        if self._finished:
            self._failover.see_out(attempt.finish())
        else:
            attempt.abandon()

    async def _begin(self) -> Piece:
        """The first piece of an attempt, started here."""
        if self._started and self._tokens >= self._job.max_tokens:
            self._finished = True  # all is there but the last word
            return Piece("", Finish("length", self._job.prompt_tokens_estimate, self._tokens), (), 0)
        if self._attempt is None:
            lease = await self._place()
            self._attempt = self._start(lease)
        if self._started or self._limits.hedge_after_s is None:
            return await self._attempt.read()
        return await self._hedged(self._attempt, self._limits.hedge_after_s)

    def _start(self, lease: Lease) -> Attempt:
        now = self._clock()
        lease.first_due_at = now + self._limits.first_token_timeout_s
        if not self._started:
            lease.first_due_at = min(lease.first_due_at, self._deadline)
        self._attempts += 1
        self._lives[lease.replica.name] = lease.life
        self._erred.discard(lease.replica.name)
        self.replicas.append(lease.replica.name)
        self._is_replay = self._started
        return Attempt(lease, self._job, self._resume(), clock=self._clock, stays=self._stays)

    def _resume(self) -> Resume | None:
        """What the client has. Ids go along only when there is one a token: not every replica tells them."""
        if not self._started:
            return None
        known = tuple(self._token_ids) if len(self._token_ids) == self._tokens else ()
        return Resume(self._tokens, "".join(self._texts), known)

    async def _hedged(self, first: Attempt, after_s: float) -> Piece:
        """Race a second attempt against a late first token."""
        outcome = await race(first, after_s, self._hedge, self._drop)
        self._attempt = outcome.attempt
        if outcome.hedged:
            has_won = outcome.attempt is not first and isinstance(outcome.result, Piece)
            self._metrics.hedges["won" if has_won else "lost"].inc()
        if isinstance(outcome.result, ReplicaFailed):
            raise outcome.result
        return outcome.result

    async def _hedge(self) -> Attempt | None:
        """A second attempt, when another replica has room for it and the budget allows."""
        if self._attempts >= self._limits.max_attempts:
            return None
        lease = await self._failover.spare(self._job, self._tried())
        return None if lease is None else self._start(lease)

    # where to go

    async def _place(self) -> Lease:
        """A place for the next attempt. Raises ApiError or Truncated when there is to be none."""
        if self._lease is not None:
            lease, self._lease = self._lease, None
            return lease
        failure = self._failure
        if failure is None:
            raise RuntimeError("the generation is closed")
        why_not = self._why_not_again(failure)
        if why_not is not None:
            raise self._given_up(failure, why_not)
        is_free = isinstance(failure, Moved)
        place = await self._failover.elsewhere(self._job, self._tried(), until=self._until(), free=is_free)
        if place == "budget":
            raise self._given_up(failure, _NO_BUDGET)
        if place == "poison":
            raise self._poisonous(failure)
        if place == "late":
            raise self._given_up(failure, "no other replica came up in time", result="failed")
        if self._started:
            self._replays += not is_free
        elif not is_free:
            self._metrics.retry(failure.reason)
        return place

    def _why_not_again(self, failure: ReplicaFailed) -> str | None:
        """What forbids another attempt, as far as the job itself goes."""
        if self._started and not self._is_replayable():
            return "its kind of request is not continued elsewhere"
        if isinstance(failure, Moved):
            return None
        if self._started and self._replays >= self._limits.max_replays:
            return f"it was continued {self._replays} times already"
        if not self._started and (self._attempts >= self._limits.max_attempts or self._clock() >= self._deadline):
            return "it was tried often enough"
        return None

    def _until(self) -> float:
        """How long a place elsewhere is worth waiting for."""
        if self._started:
            return self._last_at + self._limits.idle_timeout_s
        return min(self._clock() + self._limits.idle_timeout_s, self._deadline)

    def _tried(self) -> Tried:
        return Tried(self._lives, frozenset(self._erred))

    def _is_replayable(self) -> bool:
        replay = self._job.replay
        return replay == "exact" or (replay == "continuation" and self._limits.unreplayable == "continue")

    def _stays(self, failure: ReplicaFailed) -> bool:
        return isinstance(failure, Moved) and self._started and not self._is_replayable()

    # what happened

    def _received(self, piece: Piece) -> None:
        if self._is_replay:
            self._is_replay = False
            self._metrics.replayed(self._job.prompt_tokens_estimate, self._tokens)
        self._started = True
        self._tokens += piece.tokens
        self._texts.append(piece.text)
        if piece.token_ids:
            self._token_ids.extend(piece.token_ids)
        attempt = self._attempt
        if attempt is None:
            return
        self._last_at = attempt.lease.last_at
        if piece.finish is not None:
            self._finished = True
            self._metrics.attempt(attempt.lease.replica.name, ok=True)
            attempt.lease.release()

    def _lost(self, failure: ReplicaFailed) -> None:
        """The current attempt failed."""
        if self._attempt is not None:
            self._drop(self._attempt, failure)
            self._attempt = None
        if self._is_replay:
            self._metrics.replays["failed"].inc()
            self._is_replay = False
        self._failure = failure

    def _drop(self, attempt: Attempt, failure: ReplicaFailed) -> None:
        self._failover.report(attempt.lease, failure)
        if isinstance(failure, Moved):
            self._attempts -= 1
            self._lives.pop(attempt.lease.replica.name, None)  # it did nothing wrong: it may serve again
        else:
            self._metrics.attempt(attempt.lease.replica.name, ok=False)
        if failure.reason == "error":
            self._erred.add(attempt.lease.replica.name)
        attempt.abandon()

    def _refused(self, refusal: JobRefused) -> None:
        """Before the first token it is the client's fault; after it, this replica cannot go on with the job."""
        if not self._started:
            raise refusal
        self._metrics.replays["failed"].inc()
        raise Truncated(f"replica {self.replicas[-1]} refused to go on with the answer: {refusal}") from refusal

    def _poisonous(self, failure: ReplicaFailed) -> ApiError | Truncated:
        if self._started:
            return self._given_up(failure, "replicas died while they served this prompt")
        return poison_suspected()

    def _given_up(
        self, failure: ReplicaFailed, why: str, *, result: Literal["failed", "refused"] = "refused"
    ) -> ApiError | Truncated:
        if self._started:
            self._metrics.replays[result].inc()
            return Truncated(f"replica {self.replicas[-1]} failed after tokens were produced ({failure.reason}); {why}")
        if why == _NO_BUDGET:
            return unavailable(
                f"the replicas tried ({', '.join(self.replicas)}) failed, and {why}: try again later",
                code="retry_budget_exhausted",
                retry_after_s=_RETRY_AFTER_S,
            )
        return _exhausted(failure, self.replicas)


def _exhausted(failure: ReplicaFailed, tried: list[str]) -> ApiError:
    """What the client is told when no replica produced a first token."""
    names = ", ".join(tried)
    if failure.reason == "timeout":
        return unavailable(f"no first token in time (tried {names})", status=504, code="first_token_timeout")
    if failure.reason == "connect":
        return unavailable(
            f"the replicas tried ({names}) are gone: try again", code="replica_lost", retry_after_s=_RETRY_AFTER_S
        )
    return unavailable(f"the replicas tried ({names}) failed", status=502, code="replica_failed")
