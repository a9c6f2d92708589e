"""The replicas as a worker sees them: a channel to each that it has work on, and the leases it was given.

Generations hold the same `Lease` as in a gateway of one process, so a token costs them nothing more. What leases come
to is looked up at the beat of the reports, and told as far as it changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from serving.gateway.config import HealthConfig, ReplicaConfig
from serving.gateway.endings import Endings
from serving.gateway.errors import ReplicaFailed
from serving.gateway.model import Job
from serving.gateway.replica import Channel, Lease, Moved, Replica
from serving.gateway.workers.messages import Failed, Granted, Lost, Message, Progress, Release


@dataclass(slots=True)
class _Held:
    """A lease, and what was told of it."""

    lease: Lease
    told: Progress


class Mirror:
    """`connect` opens the way to a replica, `send` speaks to the coordinator."""

    def __init__(
        self, rules: HealthConfig, connect: Callable[[ReplicaConfig], Channel], send: Callable[[Message], None]
    ) -> None:
        self._rules = rules
        self._connect = connect
        self._send = send
        self._replicas: dict[str, Replica] = {}
        self._left: list[Replica] = []
        self._held: dict[int, _Held] = {}
        self._numbers: dict[Lease, int] = {}
        self.endings = Endings()

    def __len__(self) -> int:
        """Open leases."""
        return len(self._held)

    def lease(self, granted: Granted, job: Job) -> Lease:
        """The place that was given to `job`."""
        number = granted.lease
        replica = self._replica(ReplicaConfig.model_validate(granted.replica), granted.life)
        lease = Lease(replica, job, granted.opened_at, lambda _: self._released(number))
        self._held[number] = _Held(lease, _progress(number, lease))
        self._numbers[lease] = number
        return lease

    def lose(self, lost: Lost) -> None:
        held = self._held.get(lost.lease)
        if held is not None:
            held.lease.lose(Moved(lost.detail) if lost.moved else ReplicaFailed(lost.reason, lost.detail))

    def report(self, lease: Lease, failure: ReplicaFailed) -> None:
        """An attempt failed; what it came to before is told first. Whom an operator moved is no failure."""
        number = self._numbers.get(lease)
        if number is not None and not isinstance(failure, Moved):
            self._tell(number)
            self._send(Failed(number, failure.reason, failure.detail))

    def changed(self) -> list[Progress]:
        """What changed since it was told."""
        return [now for number in self._held if (now := self._news(number)) is not None]

    def keep(self, names: Collection[str]) -> None:
        """These are the replicas there are: others are left."""
        for name in [name for name in self._replicas if name not in names]:
            self._left.append(self._replicas.pop(name))

    def sweep(self) -> None:
        """Close the channels to replicas that were left, once nothing runs on them."""
        over = [replica for replica in self._left if not replica.leases]
        self._left = [replica for replica in self._left if replica.leases]
        for replica in over:
            self.endings.see_out(replica.channel.close())

    async def close(self) -> None:
        await self.endings.all()
        for replica in (*self._replicas.values(), *self._left):
            await replica.channel.close()

    def _replica(self, config: ReplicaConfig, life: int) -> Replica:
        """The replica in that life. Each life has a channel of its own: an old one may be in back-off still."""
        known = self._replicas.get(config.name)
        if known is not None and known.config == config and known.health.life == life:
            return known
        if known is not None:
            self._left.append(known)
        replica = Replica(config, self._connect(config), self._rules, 0.0)
        replica.health.life = life
        self._replicas[config.name] = replica
        return replica

    def _released(self, number: int) -> None:
        self._tell(number)
        self._numbers.pop(self._held.pop(number).lease)
        self._send(Release(number))

    def _tell(self, number: int) -> None:
        news = self._news(number)
        if news is not None:
            self._send(news)

    def _news(self, number: int) -> Progress | None:
        held = self._held[number]
        now = _progress(number, held.lease)
        if now == held.told:
            return None
        held.told = now
        return now


def _progress(number: int, lease: Lease) -> Progress:
    return Progress(
        number,
        lease.pieces,
        lease.waiting,
        lease.first_at,
        lease.last_at,
        lease.first_due_at,
        lease.prefill_tokens,
    )
