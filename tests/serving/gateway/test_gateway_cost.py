"""The cost gauges: what the fleet costs now, and what a token has cost lately."""

from __future__ import annotations

import pytest

from serving.errors import BadInput
from serving.gateway.config import (
    AdmissionConfig,
    CostConfig,
    FailoverConfig,
    HealthConfig,
    ReplicaConfig,
    RoutingConfig,
    parse_config,
)
from serving.gateway.cost import WINDOW_S, CostGauges
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import Job
from serving.gateway.pool import Pool, PoolRules


class NoChannel:
    """Nothing here goes over the network."""

    async def close(self):
        pass


class Fleet:
    """A pool, its metrics and its gauges, under a clock that stands still until it is moved."""

    def __init__(self, replicas=2, replica_hour=36.0, *, affinity=True):
        self.now = 100.0
        self.metrics = GatewayMetrics(ttft_threshold_s=1.0, tpot_threshold_s=0.05)
        rules = PoolRules(HealthConfig(), FailoverConfig(), AdmissionConfig(), RoutingConfig(affinity=affinity))
        self.pool = Pool(rules, self.metrics, connect=lambda config: NoChannel(), clock=self.clock)
        self.pool.put([ReplicaConfig(name=f"llm-{n}", grpc_address=f"127.0.0.1:{n + 1}") for n in range(replicas)])
        for one in self.pool:
            self.pool.probe_passed(one)
        config = CostConfig(replica_hour=replica_hour)
        self.metrics.registry.register(CostGauges(config, "llm", self.pool, self.metrics, self.clock))

    def clock(self):
        return self.now

    def run(self, prompt_tokens=10, prefix=()):
        return self.pool.acquire(
            Job("r", "llm", "hi", {}, max_tokens=1, prompt_tokens_estimate=prompt_tokens, prefix=prefix)
        )

    def scrape(self, *, after=0.0):
        self.now += after
        return {
            (sample.name, *(sample.labels.get(key, "") for key in ("cost_basis", "phase"))): sample
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name.startswith("llm_")
        }

    def values(self, *, after=0.0):
        return {key: sample.value for key, sample in self.scrape(after=after).items()}


HOURLY, MILLION, CACHE = "llm_total_hourly_cost", "llm_cost_per_million_tokens", "llm_cache_savings_fraction"


def test_every_replica_is_paid_and_those_with_work_are_used():
    fleet = Fleet(replicas=3)
    fleet.run()
    found = fleet.values()
    assert found[HOURLY, "allocation", ""] == 3 * 36.0
    assert found[HOURLY, "usage", ""] == 36.0


def test_a_replica_out_of_rotation_is_paid_all_the_same():
    fleet = Fleet(replicas=2)
    fleet.pool.drain(fleet.pool.get("llm-0"), 30.0)
    assert fleet.values()[HOURLY, "allocation", ""] == 72.0


def test_the_labels_are_opencosts():
    fleet = Fleet()
    fleet.run(prefix=(1,))
    fleet.scrape()
    fleet.metrics.prompt_tokens.inc(10)
    fleet.metrics.generation_tokens.inc(10)
    fleet.run(prefix=(1,))
    found = fleet.scrape(after=1.0)
    common = {"model_name": "llm", "workload_type": "inference"}
    assert found[HOURLY, "usage", ""].labels == {**common, "cost_basis": "usage"}
    assert found[MILLION, "usage", ""].labels == {**common, "cost_basis": "usage"}, "blended: no phase label"
    phase = {"cost_basis": "allocation", "phase": "prompt", "allocation_method": "multiplier"}
    assert found[MILLION, "allocation", "prompt"].labels == {**common, **phase}
    assert found[CACHE, "", ""].labels == common


def test_a_million_tokens_cost_what_the_window_cost_over_its_tokens():
    """Two replicas at 36 an hour are 0.02 a second: 10 s cost 0.2, one of them busy 0.1; 200 tokens were made."""
    fleet = Fleet(replicas=2)
    fleet.run()
    fleet.scrape()
    fleet.metrics.prompt_tokens.inc(150)
    fleet.metrics.generation_tokens.inc(50)
    found = fleet.values(after=10.0)
    assert found[MILLION, "allocation", ""] == pytest.approx(0.2 / 200 * 1e6)
    assert found[MILLION, "usage", ""] == pytest.approx(0.1 / 200 * 1e6)


def test_the_phases_cost_together_what_both_cost():
    fleet = Fleet()
    fleet.scrape()
    fleet.metrics.prompt_tokens.inc(150)
    fleet.metrics.generation_tokens.inc(50)
    fleet.metrics.replayed(20, 5)
    found = fleet.values(after=10.0)
    parts = 150 * found[MILLION, "allocation", "prompt"] + 50 * found[MILLION, "allocation", "generation"]
    assert parts == pytest.approx(200 * found[MILLION, "allocation", ""])
    assert found[MILLION, "allocation", "generation"] == pytest.approx(0.2e6 * 125 / 300 / 50)


def test_without_tokens_there_is_no_price_of_one():
    fleet = Fleet()
    fleet.scrape()
    assert {key[0] for key in fleet.values(after=5.0)} == {HOURLY}


def test_old_tokens_leave_the_window():
    fleet = Fleet()
    fleet.scrape()
    fleet.metrics.generation_tokens.inc(50)
    assert (MILLION, "allocation", "") in fleet.values(after=1.0)
    for _ in range(int(WINDOW_S) + 1):
        found = fleet.values(after=1.0)
    assert (MILLION, "allocation", "") not in found


def test_two_scrapers_see_the_same_price():
    one, two = Fleet(), Fleet()
    for fleet in (one, two):
        fleet.run()
        fleet.scrape()
        fleet.metrics.generation_tokens.inc(50)
    two.scrape(after=3.1)
    two.scrape(after=0.1)
    assert one.values(after=10.0)[MILLION, "usage", ""] == pytest.approx(two.values(after=6.8)[MILLION, "usage", ""])


def test_the_cache_saves_the_known_part_of_the_prompts():
    fleet = Fleet(replicas=1)
    fleet.scrape()
    fleet.run(100, prefix=(1, 2))
    fleet.run(100, prefix=(1, 9))
    fleet.run(40)
    assert fleet.values(after=1.0)[CACHE, "", ""] == pytest.approx(50 / 240)


def test_a_router_without_affinity_knows_nothing_of_caches():
    fleet = Fleet(affinity=False)
    fleet.scrape()
    fleet.run(100, prefix=(1, 2))
    assert (CACHE, "", "") not in fleet.values(after=1.0)


@pytest.mark.parametrize("cost", ['{"replica_hour": 0}', '{"replica_hour": 1, "currency": "dollars"}', '{"price": 1}'])
def test_a_price_that_is_none_is_refused(cost):
    with pytest.raises(BadInput, match="cost"):
        parse_config(f'{{"replicas": [], "cost": {cost}}}', path="gateway.json")
