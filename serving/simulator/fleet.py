"""The fleet's event loop: arrivals, step ends, replicas coming up, scrapes and decisions, in time order.

Everything at one instant happens in a fixed order, so that a run depends on nothing but its inputs. The gateway is the
one of `docs/adr/0006-routing.md` without prefix affinity: the ready replica with the fewest outstanding tokens.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

from serving.autoscale.controller import Autoscaler
from serving.autoscale.model import Pod, Policy
from serving.autoscale.promql import parse_simple
from serving.autoscale.signals import Snapshot, Unavailable
from serving.errors import BadInput
from serving.simulator.expectation import Expectation
from serving.simulator.model import NS, Arrival, FixedFleet, FleetRun, FleetSpec, Moment, ReplicaLife, Served
from serving.simulator.replica import Replica
from serving.simulator.scrape import Member, snapshot_of

_READY, _STEP, _SCRAPE, _SYNC = range(4)


def simulate(
    spec: FleetSpec,
    arrivals: Sequence[Arrival],
    scaling: Policy | FixedFleet,
    *,
    duration_s: float,
    start_replicas: int,
) -> FleetRun:
    """Serve `arrivals` under `scaling`; a policy starts with `start_replicas` warm ones, cut to its bounds.

    Decisions and billing end at `duration_s`; what is in flight then is served to its end. Raises BadInput for a
    policy whose signals do not exist here.
    """
    if isinstance(scaling, Policy):
        _require_simulable(scaling)
        count = min(max(start_replicas, scaling.min_replicas), scaling.max_replicas)
    else:
        count = scaling.replicas
    fleet = _Fleet(spec, scaling, round(duration_s * NS), Expectation(spec.queue_timeout_s))
    for _ in range(count):
        fleet.launch(0, ready_ns=0)
    return fleet.run(arrivals)


def _require_simulable(policy: Policy) -> None:
    for metric in policy.metrics:
        if metric.source in ("Resource", "ContainerResource"):
            raise BadInput(f"{policy.where}: {metric.title} is not simulated: use a Pods or Object metric")
        if metric.query is not None:
            parse_simple(metric.query)


@dataclass(slots=True)
class _Fleet:
    spec: FleetSpec
    scaling: Policy | FixedFleet
    end_ns: int
    _expectation: Expectation
    members: list[Member] = field(default_factory=list)
    lives: list[ReplicaLife] = field(default_factory=list)
    served: list[Served] = field(default_factory=list)
    queue: deque[int] = field(default_factory=deque)
    moments: list[Moment] = field(default_factory=list)
    scale_events: int = 0
    max_queue: int = 0
    preemptions: int = 0
    _heap: list[tuple[int, int, int, Member | None]] = field(default_factory=list)
    _pushed: int = 0
    _seen: Snapshot = field(default_factory=lambda: Snapshot(()))
    _autoscaler: Autoscaler | None = None

    def run(self, arrivals: Sequence[Arrival]) -> FleetRun:
        if isinstance(self.scaling, Policy):
            self._autoscaler = Autoscaler(self.scaling)
        self._push(0, _SCRAPE, None)
        self._push(0, _SYNC, None)
        for arrival in arrivals:
            self._until(arrival.at_ns)
            self._arrive(arrival)
        self._until(None)
        for life in self.lives:
            life.end_s = self.end_ns / NS if life.end_s is None else min(life.end_s, self.end_ns / NS)
        return FleetRun(
            name=self.scaling.name,
            duration_s=self.end_ns / NS,
            served=tuple(self.served),
            lives=tuple(life for life in self.lives if life.start_s < self.end_ns / NS),
            moments=tuple(self.moments),
            scale_events=self.scale_events,
            max_queue=self.max_queue,
            preemptions=self.preemptions + sum(m.replica.preemptions for m in self.members),
        )

    def launch(self, now_ns: int, *, ready_ns: int) -> None:
        name = f"llm-{len(self.lives)}"
        self.lives.append(ReplicaLife(name, now_ns / NS, ready_ns / NS))
        replica = Replica(self.spec.scheduler, self.spec.step_time)
        member = Member(name, len(self.lives) - 1, replica, ready=ready_ns <= now_ns)
        self.members.append(member)
        if not member.ready:
            self._push(ready_ns, _READY, member)

    def _until(self, now_ns: int | None) -> None:
        """Everything that happens before `now_ns`; an arrival comes before what else happens at its instant."""
        while self._heap and (now_ns is None or self._heap[0][0] < now_ns):
            at, kind, _, member = heappop(self._heap)
            if kind == _STEP and member is not None:
                self._step(member, at)
            elif kind == _READY and member is not None:
                member.ready = True
                self._dispatch(at)
            elif kind == _SCRAPE:
                self._scrape(at)
            elif kind == _SYNC:
                self._sync(at)

    def _push(self, at: int, kind: int, member: Member | None) -> None:
        self._pushed += 1
        heappush(self._heap, (at, kind, self._pushed, member))

    def _arrive(self, arrival: Arrival) -> None:
        self.served.append(Served(arrival))
        self._drop_late(arrival.at_ns)
        if len(self.queue) >= self.spec.max_queue or not self.spec.takes(arrival):
            self.served[-1].rejected = True
            return
        self.queue.append(len(self.served) - 1)
        self._dispatch(arrival.at_ns)
        self.max_queue = max(self.max_queue, len(self.queue) + sum(m.replica.waiting for m in self.members))

    def _dispatch(self, now_ns: int) -> None:
        """Hand out the queue's front while a replica has room; nobody overtakes."""
        self._drop_late(now_ns)
        room = self.spec.kv_overcommit * self.spec.scheduler.kv_blocks * self.spec.scheduler.block_size_tokens
        while self.queue:
            able = [m for m in self.members if m.ready and not m.draining]
            if not able:
                return
            member = min(able, key=lambda m: m.outstanding_tokens)
            arrival = self.served[self.queue[0]].arrival
            cost = _tokens(arrival)
            if member.outstanding_tokens and member.outstanding_tokens + cost > room:
                return
            id_ = self.queue.popleft()
            member.outstanding_tokens += cost
            self._expectation.placed(id_, now_ns)
            member.replica.add(
                id_, prompt_tokens=arrival.prompt_tokens, output_tokens=arrival.output_tokens, now_ns=now_ns
            )
            self._follow(member, now_ns)

    def _drop_late(self, now_ns: int) -> None:
        limit = round(self.spec.queue_timeout_s * NS)
        while self.queue and now_ns - self.served[self.queue[0]].arrival.at_ns > limit:
            self.served[self.queue.popleft()].rejected = True

    def _follow(self, member: Member, now_ns: int) -> None:
        """Make sure that the end of the member's run is in the heap."""
        member.replica.start(now_ns)
        ends = member.replica.next_ns
        if ends is not None and ends != member.followed_ns:
            member.followed_ns = ends
            self._push(ends, _STEP, member)

    def _step(self, member: Member, now_ns: int) -> None:
        if member.replica.next_ns != now_ns:
            return  # the run was cut short meanwhile
        finished = False
        for token in member.replica.complete():
            served = self.served[token.id]
            if token.is_first:
                served.first_ns = now_ns
                self._expectation.first_token(token.id, now_ns)
            if token.is_last:
                served.done_ns = now_ns
                member.outstanding_tokens -= _tokens(served.arrival)
                self._expectation.finished(_tokens(served.arrival), now_ns)
                finished = True
        if finished:
            self._dispatch(now_ns)
        self._follow(member, now_ns)
        if member.draining and member.outstanding_tokens == 0:
            self._stop(member, now_ns)

    def _stop(self, member: Member, now_ns: int) -> None:
        self.members.remove(member)
        self.preemptions += member.replica.preemptions
        self.lives[member.index].end_s = now_ns / NS

    def _scrape(self, now_ns: int) -> None:
        queued_tokens = sum(_tokens(self.served[id_].arrival) for id_ in self.queue)
        self._seen = snapshot_of(
            self.members,
            queue_depth=len(self.queue),
            queue_tokens=queued_tokens,
            predicted_ttft_s=self._expectation.ttft_s(now_ns, queued_tokens=queued_tokens),
            now_ns=now_ns,
        )
        self._again(now_ns, self.spec.scrape_interval_s, _SCRAPE)

    def _again(self, now_ns: int, period_s: float, kind: int) -> None:
        if (following := now_ns + round(period_s * NS)) < self.end_ns:
            self._push(following, kind, None)

    def _sync(self, now_ns: int) -> None:
        staying = [m for m in self.members if not m.draining]
        desired, limited_by = len(staying), ""
        if self._autoscaler is not None:
            decision = self._autoscaler.decide(
                [_pod(m) for m in self.members], self._seen, evaluate=self._evaluate, now=now_ns / NS
            )
            desired, limited_by = decision.desired, decision.limited_by
            if desired != decision.current:
                self._scale(desired, now_ns)
                self._autoscaler.applied(decision, now=now_ns / NS)
        self._note(now_ns, desired, limited_by)
        self._again(now_ns, self.spec.sync_period_s, _SYNC)

    def _evaluate(self, query: str) -> float | Unavailable | None:
        return parse_simple(query).value(self._seen)

    def _scale(self, desired: int, now_ns: int) -> None:
        """Scale-in takes the youngest and drains them; one that is not up yet stops at once."""
        self.scale_events += 1
        staying = [m for m in self.members if not m.draining]
        for _ in range(desired - len(staying)):
            self.launch(now_ns, ready_ns=now_ns + round(self.spec.cold_start_s * NS))
        for member in staying[desired:]:
            member.draining = True
            if member.outstanding_tokens == 0:
                self._stop(member, now_ns)

    def _note(self, now_ns: int, desired: int, limited_by: str) -> None:
        waiting = len(self.queue) + sum(m.replica.waiting for m in self.members)
        staying = [m for m in self.members if not m.draining]
        ready = sum(m.ready for m in staying)
        self.moments.append(Moment(now_ns / NS, desired, ready, len(staying) - ready, waiting, limited_by))


def _tokens(arrival: Arrival) -> int:
    """The most a request can occupy, which is what the gateway reckons with."""
    return arrival.prompt_tokens + arrival.output_tokens


def _pod(member: Member) -> Pod:
    return Pod(member.name, "ending" if member.draining else "ready" if member.ready else "starting")
