"""The replicas as the gateway sees them: who is up, how loaded, and who gets the next job.

A connection failure takes a replica down at once; other failures make it *suspect*: it is probed, and chosen last until
the probe's verdict, so that a replica which fails fast (and therefore looks idle) does not attract the traffic.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from serving.gateway.errors import ReplicaFailed
from serving.gateway.log import emit
from serving.gateway.model import Job, Piece


class Stream(Protocol):
    """What `backend.TokenStream` offers."""

    async def read(self, timeout_s: float) -> Piece: ...
    async def finish(self) -> None: ...
    def cancel(self) -> None: ...


class Channel(Protocol):
    """What `backend.ReplicaChannel` offers."""

    def start(self, job: Job) -> Stream: ...
    async def close(self) -> None: ...


class Replica:
    """One replica's health and load. Down until its first inference. `life` grows each time it comes up."""

    def __init__(self, name: str, channel: Channel) -> None:
        self.name = name
        self.channel = channel
        self.up = False
        self.suspect = False
        self.life = 0
        self.inflight = 0
        self.outstanding_tokens = 0
        self.served_at = 0.0
        self.needs_probe = asyncio.Event()
        self._on_down: list[Callable[[ReplicaFailed], None]] = []

    def mark_up(self) -> None:
        """An inference passed."""
        self.suspect = False
        if not self.up:
            self.up = True
            self.life += 1
            emit("replica_up", replica=self.name)

    def mark_down(self, failure: ReplicaFailed) -> None:
        """No more work until an inference passes."""
        self.suspect = False
        if self.up:
            self.up = False
            emit("replica_down", replica=self.name, reason=failure.reason, detail=failure.detail)
            for tell in self._on_down:
                tell(failure)

    @contextmanager
    def telling(self, tell: Callable[[ReplicaFailed], None]) -> Iterator[None]:
        """While inside, `tell` hears why the replica went down. It must return at once."""
        self._on_down.append(tell)
        try:
            yield
        finally:
            self._on_down.remove(tell)


@dataclass(slots=True)
class Lease:
    """A job's share of a replica's load, given back once."""

    replica: Replica
    tokens: int
    life: int
    open: bool = True

    def release(self) -> None:
        if self.open:
            self.open = False
            self.replica.inflight -= 1
            self.replica.outstanding_tokens -= self.tokens


class Pool:
    """All replicas of the gateway."""

    def __init__(self, replicas: Sequence[Replica]) -> None:
        self._replicas = tuple(replicas)
        self._turn = 0
        self._last_turn = dict.fromkeys((r.name for r in replicas), 0)

    def __iter__(self) -> Iterator[Replica]:
        return iter(self._replicas)

    def acquire(self, cost_tokens: int, *, exclude: Collection[str] = ()) -> Lease | None:
        """A lease on the least loaded replica that is up and not excluded; None when there is none.

        Equal loads go to the one that waited longest.
        """
        candidates = self._candidates(exclude)
        if not candidates:
            return None
        replica = min(candidates, key=lambda r: (r.suspect, r.outstanding_tokens, self._last_turn[r.name]))
        self._turn += 1
        self._last_turn[replica.name] = self._turn
        replica.inflight += 1
        replica.outstanding_tokens += cost_tokens
        return Lease(replica, cost_tokens, replica.life)

    def offers(self, *, exclude: Collection[str]) -> bool:
        """Whether `acquire` would find a replica."""
        return bool(self._candidates(exclude))

    def _candidates(self, exclude: Collection[str]) -> list[Replica]:
        return [r for r in self._replicas if r.up and r.name not in exclude]

    def report(self, lease: Lease, failure: ReplicaFailed) -> None:
        """An attempt failed. Ignored when the replica has come up anew since the attempt began."""
        replica = lease.replica
        if lease.life != replica.life or not replica.up:
            return
        if failure.reason == "connect":
            replica.mark_down(failure)
        else:
            replica.suspect = True
        replica.needs_probe.set()
