"""The simulator's routing chooses whom the gateway's own pool would choose, whatever happened before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serving.batching import SchedulerConfig, StepTimeModel
from serving.gateway.config import AdmissionConfig, FailoverConfig, HealthConfig, ReplicaConfig, RoutingConfig
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Job
from serving.gateway.pool import Pool, PoolRules
from serving.gateway.replica import Lease
from serving.gateway.routing import PrefixIndex
from serving.simulator.flight import Flight
from serving.simulator.member import Member
from serving.simulator.prefixes import PrefixHolders
from serving.simulator.replica import Replica
from serving.simulator.routing import Router
from serving.simulator.scenario import Balancing, GatewayRules, ReplicaGroup

STEP_TIME = StepTimeModel.from_tables(decode_ms={1: 10, 8: 20}, prefill_ms={64: 20, 256: 60})
LARGE = ReplicaGroup("large", "p", "g", 1, SchedulerConfig(kv_blocks=20, max_num_seqs=4), STEP_TIME, (), 1)
SMALL = replace(LARGE, name="small", scheduler=SchedulerConfig(kv_blocks=6, max_num_seqs=2))
HEALTH = HealthConfig(half_open_requests=2)


class Channel:
    """Nothing is sent."""

    def start(self, *_: Any) -> Any:
        raise AssertionError

    async def close(self) -> None:
        return


class Both:
    """The pool of a gateway and the simulator's router, told the same."""

    def __init__(self, groups: list[ReplicaGroup], rules: GatewayRules) -> None:
        self.now = 0.0
        metrics = GatewayMetrics(ttft_threshold_s=1.0, tpot_threshold_s=0.05)
        pool_rules = PoolRules(rules.health, rules.failover, rules.admission, rules.routing)
        self.pool = Pool(pool_rules, metrics, connect=lambda _: Channel(), clock=lambda: self.now)
        self.pool.put(
            ReplicaConfig(
                name=f"llm-{index}",
                url=f"http://llm-{index}",
                max_seqs=group.scheduler.max_num_seqs,
                kv_tokens=group.scheduler.kv_blocks * group.scheduler.block_size_tokens,
            )
            for index, group in enumerate(groups)
        )
        kinds = list(dict.fromkeys(group.name for group in groups))
        self.router = Router(rules, len(kinds))
        self.members = [
            Member(
                f"llm-{index}",
                index,
                group,
                group_index=kinds.index(group.name),
                zone="a",
                core=Replica(group.scheduler, group.step_time),
                rules=rules.health,
                kv_overcommit=rules.admission.kv_overcommit,
            )
            for index, group in enumerate(groups)
        ]
        self.placed: list[tuple[Lease, Member, Flight]] = []
        self.number = 0

    def health(self, index: int, what: str) -> None:
        """The same happens to both."""
        self.now += 1.0
        replica, member = self.pool.get(f"llm-{index}"), self.members[index]
        assert replica is not None
        for health in (replica.health, member.health):
            if what == "passes":
                health.probe_passed(self.now)
            elif what == "out":
                health.eject(self.now, "stall")
            elif what == "suspect":
                health.suspect = health.serving
            elif what == "served":
                health.served(self.now)
        self.router.update(member)

    def ask(self, prompt: int, prefix: tuple[int, ...]) -> tuple[str | None, str | None]:
        """Whom each gives a request, which is then placed there; None for nobody."""
        self.number += 1
        job = Job(str(self.number), "llm", "", {}, max_tokens=5, prompt_tokens_estimate=prompt, prefix=prefix)
        flight = Flight(self.number, 0, prompt, 5, 0, prefix)
        if not self.pool.could_ever_fit(job):
            return None, None
        lease = self.pool.acquire(job)
        member = self.router.choice(flight.cost, prefix)
        if lease is not None and member is not None and lease.replica.name == member.name:
            member.flights[flight.id] = flight
            member.outstanding_tokens += flight.cost
            self.router.taken(member, prefix)
            self.router.update(member)
            self.placed.append((lease, member, flight))
        return lease.replica.name if lease else None, member.name if member else None

    def give_back(self, which: int) -> None:
        lease, member, flight = self.placed.pop(which % len(self.placed))
        lease.release()
        del member.flights[flight.id]
        member.outstanding_tokens -= flight.cost
        self.router.update(member)


PREFIXES = st.sampled_from([(), (1,), (1, 2), (1, 2, 3), (1, 4), (5,), (5, 6, 7, 8)])
EVENTS = st.one_of(
    st.tuples(st.just("ask"), st.integers(1, 120), PREFIXES),
    st.tuples(st.just("ask"), st.sampled_from([5, 15, 25, 55]), PREFIXES),  # costs that can differ by the overflow
    st.tuples(st.just("back"), st.integers(0, 50), st.just(())),
    st.tuples(st.sampled_from(["passes", "out", "suspect", "served"]), st.integers(0, 20), st.just(())),
)


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from([LARGE, SMALL]), min_size=1, max_size=7),
    st.booleans(),
    st.sampled_from(["least_outstanding", "least_outstanding", "round_robin"]),
    st.sampled_from([0, 60, 4096]),
    st.sampled_from([0.7, 1.0, 1.6]),
    st.lists(EVENTS, max_size=60),
)
def test_every_choice_is_the_pools_own(
    groups: list[ReplicaGroup],
    affinity: bool,
    balancing: Balancing,
    overflow: int,
    overcommit: float,
    events: list[Any],
) -> None:
    rules = GatewayRules(
        routing=RoutingConfig(affinity=affinity, balancing=balancing, overflow_tokens=overflow, max_blocks=16),
        admission=AdmissionConfig(kv_overcommit=overcommit),
        failover=FailoverConfig(),
        health=HEALTH,
    )
    both = Both(groups, rules)
    for index in range(len(groups)):
        both.health(index, "passes")
    for kind, number, prefix in events:
        if kind == "ask":
            pools, routers = both.ask(number, prefix)
            assert pools == routers
        elif kind == "back":
            if both.placed:
                both.give_back(number)
        else:
            both.health(number % len(groups), kind)


@given(
    st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.integers(0, 6), max_size=5, unique=True), st.booleans()), max_size=40
    )
)
def test_what_is_known_of_prefixes_is_what_the_gateway_knows(events: list[tuple[int, list[int], bool]]) -> None:
    theirs, ours = PrefixIndex(16), PrefixHolders(16)
    for replica, blocks, forgets in events:
        hashes = [sum(10**at * (block + 1) for at, block in enumerate(blocks[: end + 1])) for end in range(len(blocks))]
        if forgets:
            theirs.forget(str(replica))
            ours.forget(replica)
        else:
            theirs.note(str(replica), hashes)
            if hashes:
                ours.note(replica, hashes)
        matched = [theirs.matched(str(one), hashes) for one in range(3)]
        assert [ours.matched(one, hashes) for one in range(3)] == matched
        assert ours.depth(hashes) == max(matched)
