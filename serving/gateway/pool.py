"""The replicas of the gateway: who may get the next job, who is taken out of rotation, and where its jobs go then.

Replicas come and go while the gateway runs. One that has to be left keeps its jobs until another can take them: with
nowhere to go, waiting is all that can help.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from serving.gateway.budget import RetryBudget
from serving.gateway.config import AdmissionConfig, FailoverConfig, HealthConfig, ReplicaConfig, RoutingConfig
from serving.gateway.endings import Endings
from serving.gateway.errors import ReplicaFailed, never_arrived, poison_suspected
from serving.gateway.health import Ejection
from serving.gateway.log import emit
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Job
from serving.gateway.replica import Channel, Fallen, Lease, Moved, Replica
from serving.gateway.routing import Candidate, PrefixIndex, Standing, choose
from serving.gateway.suspects import Suspects, who_may_have_done_it

_MOST_FALLEN = 64


@dataclass(frozen=True, slots=True)
class PoolRules:
    """The sections of the configuration that the pool follows."""

    health: HealthConfig
    failover: FailoverConfig
    admission: AdmissionConfig
    routing: RoutingConfig


class Pool:
    """All replicas, those in use by name. `clock` gives monotonic seconds, `connect` opens the way to a replica.

    `prefix_tokens` are the prompt tokens placed so far, `prefix_tokens_held` those that the replica chosen should have
    in its prefix cache: by whole blocks, an estimate.
    """

    def __init__(
        self,
        rules: PoolRules,
        metrics: GatewayMetrics,
        *,
        connect: Callable[[ReplicaConfig], Channel],
        clock: Callable[[], float],
    ) -> None:
        self.rules = rules
        self._metrics = metrics
        self._connect = connect
        self._clock = clock
        self._replicas: dict[str, Replica] = {}
        self._retired: list[Replica] = []
        self._prefixes = PrefixIndex(rules.routing.max_blocks)
        self.prefix_tokens = self.prefix_tokens_held = 0.0
        self._turn = 0
        self._listeners: list[Callable[[], None]] = []
        self._arrival: asyncio.Future[None] | None = None
        self._endings = Endings()
        self.attention = asyncio.Event()
        """Set when a replica should be looked at before the watcher's next round."""
        failover = rules.failover
        self.budget = RetryBudget(
            ratio=failover.budget_ratio,
            min_per_s=failover.budget_min_per_s,
            window_s=failover.budget_window_s,
            now=clock(),
        )
        self.suspects = Suspects(
            deaths=failover.poison_deaths,
            quarantine_s=failover.quarantine_s,
            clock=clock,
            quarantined=self._quarantined,
        )
        metrics.budget.set_function(lambda: self.budget.balance(clock()))

    def __iter__(self) -> Iterator[Replica]:
        return iter(self._replicas.values())

    def __len__(self) -> int:
        return len(self._replicas)

    def get(self, name: str) -> Replica | None:
        return self._replicas.get(name)

    # who is there

    def put(self, configs: Iterable[ReplicaConfig]) -> None:
        """Make these the replicas. Missing ones leave at once. One whose address changed is another one: new work goes
        to the new address once it is proven, what runs at the old one ends there as long as that goes well.
        """
        wanted = {config.name: config for config in configs}
        for name, replica in list(self._replicas.items()):
            if name not in wanted:
                replica.leaving = Moved("the replica was removed")
                self._retire(replica)
            elif _address(wanted[name]) != _address(replica.config):
                self._retire(replica)
        for name, config in wanted.items():
            known = self._replicas.get(name)
            if known is not None:
                known.config = config
            else:
                self._replicas[name] = Replica(config, self._connect(config), self.rules.health, self._clock())
                self._publish(self._replicas[name])
                emit("replica_added", replica=name)
        self.evacuate()
        self.attention.set()
        self._tell()

    def _publish(self, replica: Replica) -> None:
        self._metrics.watch_replica(
            replica.name,
            up=lambda: float(replica.health.routable),
            inflight=lambda: float(replica.inflight),
            state=lambda: replica.health.state,
        )

    def _retire(self, replica: Replica) -> None:
        del self._replicas[replica.name]
        self._retired.append(replica)
        self._prefixes.forget(replica.name)
        self._metrics.forget_replica(replica.name)
        emit("replica_removed", replica=replica.name, inflight=replica.inflight)

    def everyone(self) -> list[Replica]:
        """Those in use, and the removed ones on which something still runs."""
        return [*self._replicas.values(), *self._retired]

    def take_retired(self) -> list[Replica]:
        """The removed replicas on which nothing runs any more, no probe either: theirs is the caller's to close."""
        over = [replica for replica in self._retired if not replica.leases and not replica.health.probing]
        self._retired = [replica for replica in self._retired if replica not in over]
        return over

    def see_out(self, ending: Coroutine[Any, Any, None]) -> None:
        """Let a stream whose answer is complete end, which is bounded in time; its client need not wait for that."""
        self._endings.see_out(ending)

    async def close(self) -> None:
        await self._endings.all()
        for replica in self.everyone():
            await replica.channel.close()

    # who gets a job

    def any_up(self) -> bool:
        return any(replica.health.routable for replica in self)

    def has_room(self, job: Job) -> bool:
        """Whether some replica in rotation has a free place for `job`."""
        return any(replica.health.routable and self._fits(replica, job) for replica in self._holders(job))

    def could_ever_fit(self, job: Job) -> bool:
        """Whether `job` alone fits into some replica's KV cache, as far as its size is known."""
        return not self._replicas or any(self._could_hold(replica, job) for replica in self)

    def _holders(self, job: Job) -> list[Replica]:
        """Whose KV cache is large enough for `job`, as far as sizes are known; all when none is: engines judge then."""
        return [replica for replica in self if self._could_hold(replica, job)] or list(self)

    def _could_hold(self, replica: Replica, job: Job) -> bool:
        size = replica.config.kv_tokens
        return size is None or job.cost_tokens <= size * max(1.0, self.rules.admission.kv_overcommit)

    def acquire(self, job: Job, *, exclude: Collection[str] = (), forced: bool = False) -> Lease | None:
        """A lease on the best replica in rotation that is not excluded; None when there is none.

        `forced` ignores room: work that was admitted once and lost its replica.
        """
        affine = self.rules.routing.affinity
        by_turn = self.rules.routing.balancing == "round_robin"  # loads look alike then, and equals go by longest wait
        holders = self._holders(job)
        candidates = [
            Candidate(
                replica.name,
                0 if by_turn else replica.outstanding_tokens,
                replica.last_turn,
                self._prefixes.matched(replica.name, job.prefix) if affine else 0,
                self._standing(replica, job, exclude, forced) if replica in holders else "out",
            )
            for replica in self
        ]
        choice = choose(candidates, overflow_tokens=self.rules.routing.overflow_tokens)
        if choice is None:
            return None
        if affine and job.prefix:
            self._metrics.routed(choice.route, choice.lost_blocks)
            self._prefixes.note(choice.name, job.prefix)
            held = next(c.matched_blocks for c in candidates if c.name == choice.name)
            self.prefix_tokens_held += job.prompt_tokens_estimate * held / len(job.prefix)
        if affine:
            self.prefix_tokens += job.prompt_tokens_estimate
        self._turn += 1
        replica = self._replicas[choice.name]
        replica.last_turn = self._turn
        return Lease(replica, job, self._clock(), self._released)

    def _released(self, lease: Lease) -> None:
        if lease.pieces:
            self.suspects.answered(lease.fingerprint)
        self._tell()

    def _standing(self, replica: Replica, job: Job, exclude: Collection[str], forced: bool) -> Standing:
        if not replica.health.routable or replica.name in exclude:
            return "out"
        fits = self._fits(replica, job)
        if not fits and not forced:
            return "full"
        strained = not fits and replica.health.state == "half_open"
        return "spare" if replica.health.suspect or strained else "free"

    def _fits(self, replica: Replica, job: Job) -> bool:
        return replica.has_room(
            job,
            kv_overcommit=self.rules.admission.kv_overcommit,
            half_open_requests=self.rules.health.half_open_requests,
        )

    def lives(self) -> dict[str, int]:
        """The present life of each replica by name: a job may come back to one that came up anew."""
        return {replica.name: replica.health.life for replica in self}

    def on_change(self, tell: Callable[[], None]) -> None:
        """`tell` is called whenever room may have appeared. It must return at once."""
        self._listeners.append(tell)

    async def arrival(self, timeout_s: float) -> None:
        """Return when a replica came into rotation, at the latest after `timeout_s`."""
        if self._arrival is None:
            self._arrival = asyncio.get_running_loop().create_future()
        await asyncio.wait([self._arrival], timeout=max(0.0, timeout_s))

    def _tell(self) -> None:
        for tell in self._listeners:
            tell()

    def _came_up(self) -> None:
        if self._arrival is not None:
            self._arrival.set_result(None)
            self._arrival = None
        self.evacuate()
        self._tell()

    # who is well

    def report(self, lease: Lease, failure: ReplicaFailed) -> None:
        """An attempt failed. Ignored when the replica has come up anew since the attempt began, or is out already."""
        replica = lease.replica
        health = replica.health
        if lease.life != health.life or not health.serving or isinstance(failure, Moved):
            return
        if not lease.pieces:
            fallen = Fallen(lease.fingerprint, lease.opened_at, self._clock())
            replica.fallen = [*replica.fallen[-_MOST_FALLEN:], fallen]
        if failure.reason == "connect":
            self.lose(replica, failure)
        elif health.attempt_failed() and self.may_eject(replica):
            self.eject(replica, "error", failure)
        self.attention.set()

    def may_eject(self, replica: Replica) -> bool:
        """The floor: never the last one in rotation, never more than `max_ejected_share` of all."""
        others = [other for other in self if other is not replica]
        ejected = 1 + sum(other.health.state == "ejected" for other in others)
        share = self.rules.health.max_ejected_share
        return any(other.health.routable for other in others) and ejected <= share * len(self)

    def eject(self, replica: Replica, reason: Ejection, failure: ReplicaFailed) -> None:
        """Take it out and move its jobs; those of a slow one may stay, as it does serve them."""
        if replica.health.eject(self._clock(), reason):
            self._out(replica, reason, failure)
            replica.leaving = None if reason == "slow" else failure
            self.evacuate()

    def lose(self, replica: Replica, failure: ReplicaFailed) -> None:
        """Its connection is gone."""
        if replica.health.lose_connection(self._clock()):
            self._out(replica, "connect", failure)
        replica.leaving = failure
        self.evacuate()

    def _out(self, replica: Replica, reason: Ejection, failure: ReplicaFailed) -> None:
        self._metrics.ejected(replica.name, reason)
        if reason != "slow" and not never_arrived(failure):
            self._suspect(replica)
        emit("replica_down", replica=replica.name, reason=reason, detail=failure.detail, inflight=replica.inflight)
        self.attention.set()

    def _suspect(self, replica: Replica) -> None:
        """It died, or as good as that: who waited for its first token then?"""
        waiting = [Fallen(lease.fingerprint, lease.opened_at) for lease in replica.leases if not lease.pieces]
        suspects = who_may_have_done_it([*replica.fallen, *waiting], progress_at=replica.health.progress_at)
        replica.fallen = []
        self.suspects.died(suspects, replica.name, replica.health.life)

    def _quarantined(self) -> None:
        self._metrics.poison["quarantined"].inc()
        emit("prompt_quarantined", level=logging.ERROR)

    def require_harmless(self, job: Job) -> None:
        """Raises ApiError for a prompt in quarantine."""
        if self.suspects.in_quarantine(job.fingerprint):
            self._metrics.poison["refused"].inc()
            raise poison_suspected()

    def on_trial(self, fingerprint: int) -> bool:
        """Whether another suspect waits for its first token: of two at a time nobody could say which it was."""
        return any(
            not lease.pieces and lease.fingerprint != fingerprint and self.suspects.suspected(lease.fingerprint)
            for replica in self
            if replica.health.serving
            for lease in replica.leases
        )

    def in_doubt(self, lives: Mapping[str, int]) -> bool:
        """Whether one of these replicas, in these lives, may prove dead any moment."""
        return any(
            replica.health.serving and replica.health.suspect and lives.get(replica.name) == replica.health.life
            for replica in self
        )

    def probe_passed(self, replica: Replica) -> None:
        if replica in self._retired or not replica.health.probe_passed(self._clock()):
            return
        replica.leaving = None
        self._prefixes.forget(replica.name)  # its KV cache is as new, or was given to others meanwhile
        emit("replica_up", replica=replica.name, state=replica.health.state)
        self._came_up()

    def probe_failed(self, replica: Replica, failure: ReplicaFailed) -> None:
        """A failed inference is no suspicion but a finding: the floor does not hold against it."""
        if replica in self._retired:
            return  # its jobs move as an operator wished, whatever it is worth
        if failure.reason == "connect":
            self.lose(replica, failure)
        else:
            self.eject(replica, "probe", failure)

    # who is to go

    def drain(self, replica: Replica, grace_s: float) -> None:
        """No new work; what runs may finish within the grace, then it moves. A second call sets the grace anew."""
        if not replica.health.draining:
            emit("replica_draining", replica=replica.name, grace_s=grace_s, inflight=replica.inflight)
        replica.health.draining = True
        replica.drain_until = self._clock() + grace_s
        self.attention.set()

    def undrain(self, replica: Replica) -> None:
        replica.health.draining = False
        replica.drain_until = None
        if isinstance(replica.leaving, Moved):
            replica.leaving = None
        if replica.health.routable:
            emit("replica_undrained", replica=replica.name)
            self._came_up()

    def end_graces(self, now: float) -> None:
        for replica in self:
            if replica.drain_until is not None and now >= replica.drain_until and replica.leaving is None:
                replica.leaving = Moved("the replica is drained")

    def evacuate(self) -> None:
        """Tell the jobs of replicas that are to be left, when there is another one in rotation."""
        if not self.any_up():
            return
        for replica in self.everyone():
            in_use = self._replicas.get(replica.name) is replica
            if replica.leaving is not None and not (replica.health.routable and in_use):
                for lease in list(replica.leases):
                    lease.lose(replica.leaving)


def _address(config: ReplicaConfig) -> tuple[str | None, str | None]:
    return config.grpc_address, config.url
