"""One replica as the gateway holds it: its address, its health, and the leases of the jobs that run on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

from serving.gateway.config import HealthConfig, ReplicaConfig
from serving.gateway.errors import ReplicaFailed
from serving.gateway.health import Health
from serving.gateway.model import Job, Piece, Resume


class Stream(Protocol):
    """One attempt: what `backend.TokenStream` and `openai_backend.OpenAIStream` offer."""

    async def read(self, timeout_s: float) -> Piece: ...
    async def finish(self) -> None: ...
    def cancel(self) -> None: ...


class Channel(Protocol):
    """The way to one replica: `backend.ReplicaChannel` or `openai_backend.OpenAIChannel`."""

    def start(self, job: Job, resume: Resume | None = None) -> Stream: ...
    async def close(self) -> None: ...


class Fallen(NamedTuple):
    """A job that waited for its first token on a replica, until it failed there or, at infinity, still does."""

    fingerprint: int
    opened_at: float
    until: float = math.inf


class Moved(ReplicaFailed):
    """The replica is to be left because an operator says so: no failure, and free of any budget."""

    def __init__(self, detail: str) -> None:
        super().__init__("connect", detail)


class Replica:
    """Health and load of one replica. `leaving` says why its jobs are to go elsewhere, as soon as there is elsewhere.

    `fallen` are the latest jobs that failed on it without a token: it may prove dead a moment later.
    `drain_until` is when a draining replica's grace ends. Times are seconds of the pool's clock.
    """

    __slots__ = (
        "channel",
        "config",
        "drain_until",
        "fallen",
        "health",
        "last_turn",
        "leases",
        "leaving",
        "outstanding_tokens",
    )

    def __init__(self, config: ReplicaConfig, channel: Channel, rules: HealthConfig, now: float) -> None:
        self.config = config
        self.channel = channel
        self.health = Health(rules, now)
        self.leases: dict[Lease, None] = {}
        self.fallen: list[Fallen] = []
        self.outstanding_tokens = 0
        self.last_turn = 0
        self.leaving: ReplicaFailed | None = None
        self.drain_until: float | None = None

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def up(self) -> bool:
        """Work is routed to it."""
        return self.health.routable

    @property
    def suspect(self) -> bool:
        return self.health.suspect

    @property
    def inflight(self) -> int:
        return len(self.leases)

    def has_room(self, job: Job, *, kv_overcommit: float, half_open_requests: int) -> bool:
        """Whether `job` fits beside what runs. Into an empty replica everything fits: its engine knows better."""
        running = len(self.leases)
        if self.health.state == "half_open" and running >= half_open_requests:
            return False
        seqs, kv_tokens = self.config.max_seqs, self.config.kv_tokens
        if seqs is not None and running >= seqs:
            return False
        fits = kv_tokens is None or self.outstanding_tokens + job.cost_tokens <= kv_tokens * kv_overcommit
        return fits or not running

    def silent_s(self, now: float) -> float:
        """How long jobs that wait for this replica have got nothing from it; 0 when none waits."""
        longest_wait = max((now - lease.waiting_from for lease in self.leases if lease.waiting), default=0.0)
        return max(0.0, min(now - self.health.progress_at, longest_wait))

    def patience_s(self) -> float:
        """The longest silence that is sound with the jobs it has."""
        decoding = any(lease.pieces for lease in self.leases)
        prefill = 0 if decoding else sum(lease.prefill_tokens for lease in self.leases)
        return self.health.patience_s(decoding=decoding, prefill_tokens=prefill)


class Lease:
    """A job's share of a replica's load, given back once, and how its holder hears that the replica is lost.

    Who waits for a piece sets `waiting`; the watcher notes at its looks since when (`observe`), so that a token costs
    no clock call for it, and a client that reads slowly is not taken for a silent replica.
    """

    __slots__ = (
        "_pool_released",
        "_seen_pieces",
        "fingerprint",
        "first_at",
        "first_due_at",
        "is_open",
        "last_at",
        "life",
        "lost",
        "on_lost",
        "opened_at",
        "pieces",
        "prefill_tokens",
        "replica",
        "tokens",
        "waiting",
        "waiting_from",
    )

    def __init__(self, replica: Replica, job: Job, now: float, released: Callable[[Lease], None]) -> None:
        self.replica = replica
        self.fingerprint = job.fingerprint
        self.tokens = job.cost_tokens
        self.prefill_tokens = job.prompt_tokens_estimate
        self.life = replica.health.life
        self.opened_at = self.last_at = self.waiting_from = now
        self.first_at = now
        self.first_due_at: float | None = None
        self.pieces = 0
        self.waiting = False
        self.is_open = True
        self.lost: ReplicaFailed | None = None
        self.on_lost: Callable[[ReplicaFailed], None] | None = None
        self._seen_pieces = -1
        self._pool_released = released
        replica.leases[self] = None
        replica.outstanding_tokens += self.tokens

    def piece(self, now: float) -> None:
        """The replica sent something."""
        health = self.replica.health
        self.pieces += 1
        if self.pieces > 1:
            health.pace.step(now - self.last_at)
            health.progress_at = now
        else:
            health.pace.prefill(self.prefill_tokens, now - max(self.opened_at, health.progress_at))
            health.served(now)
            self.first_at = now
        self.last_at = now

    def pieces_came(self, pieces: int, first_at: float, last_at: float) -> None:
        """As `piece`, told later and of several: there are `pieces` now, the first came then and the last then."""
        health, progress_at = self.replica.health, self.replica.health.progress_at
        steps = pieces - self.pieces
        since = self.last_at
        if not self.pieces and pieces:
            health.pace.prefill(self.prefill_tokens, max(0.0, first_at - max(self.opened_at, progress_at)))
            health.served(first_at)
            self.first_at = since = first_at
            steps -= 1
        for _ in range(steps):
            health.pace.step(max(0.0, last_at - since) / steps)
        health.progress_at = max(progress_at, last_at)
        self.pieces = pieces
        self.last_at = last_at

    def observe(self, now: float) -> None:
        """A look of the watcher: whether the holder still waits for the same piece as at the look before."""
        if not self.waiting or self._seen_pieces != self.pieces:
            self._seen_pieces = self.pieces
            self.waiting_from = now

    def lose(self, failure: ReplicaFailed) -> None:
        """The replica is lost, or to be left: the holder is told, maybe again. One that comes later sees `lost`."""
        if not self.is_open:
            return
        if self.on_lost is not None:
            self.on_lost(failure)
        else:
            self.lost = failure

    def release(self) -> None:
        if self.is_open:
            self.is_open = False
            self.replica.leases.pop(self, None)
            self.replica.outstanding_tokens -= self.tokens
            self._pool_released(self)
