"""Samples of a simulated fleet: the platform's names and bounds, and the same counts as the requests tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from serving.engine.metrics import EngineMetrics, readings
from serving.gateway.metrics import GatewayMetrics
from serving.simulator import OUTCOMES, FleetFault, FleetResult, GatewayRules, Scenario, run_fleet, score
from serving.simulator.model import NS
from serving.simulator.result import SampledSeries
from serving.simulator.traffic import workload_of
from tests.serving.simulator.fleets import GROUP, NO_BUDGET, steady

ARRIVALS = steady(6, begin_s=0, end_s=80)


def play(*faults: FleetFault, rules: GatewayRules | None = None) -> FleetResult:
    group = replace(GROUP, count=2)
    return run_fleet(
        Scenario(
            "samples",
            (group,),
            workload_of("w", ARRIVALS),
            100,
            gateway=rules or GatewayRules(),
            faults=faults,
            keep_samples=True,
            ttft_threshold_s=0.25,
        )
    )


@pytest.fixture(scope="module")
def calm() -> FleetResult:
    return play()


def of(run: FleetResult, name: str, **labels: str) -> SampledSeries:
    (found,) = (s for s in run.series if s.name == name and labels.items() <= dict(s.labels).items())
    return found


def test_every_name_label_and_bound_of_the_gateway_is_the_live_gateways(calm: FleetResult) -> None:
    live = GatewayMetrics(ttft_threshold_s=0.25, tpot_threshold_s=0.05)
    live.watch_replica("llm-0", up=lambda: 1.0, inflight=lambda: 0.0)
    text = generate_latest(live.registry).decode()
    theirs = {
        (sample.name, tuple(sorted(sample.labels.items())))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    added = {"instance", "job"}
    ours = {
        (one.name, tuple(pair for pair in one.labels if pair[0] not in added))
        for one in calm.series
        if one.name.startswith("sre_gateway_") and dict(one.labels).get("replica", "llm-0") == "llm-0"
    }
    assert ours <= theirs
    histograms = {name for name, _ in theirs if name.endswith("_bucket")}
    assert {key for key in ours if key[0] in histograms} == {key for key in theirs if key[0] in histograms}


def test_every_name_of_a_replica_is_the_engines(calm: FleetResult) -> None:
    theirs = {reading.name for reading in readings(EngineMetrics())}
    assert {one.name for one in calm.series if one.name.startswith("vllm:")} <= theirs


def test_counts_are_those_of_the_requests(calm: FleetResult) -> None:
    columns, at_ns = calm.outcomes, calm.scenario.workload.at_ns
    ok = of(calm, "sre_gateway_requests_total", outcome="ok")
    middle = int(np.searchsorted(ok.at_s, 40.0))
    assert ok.values[middle] == (columns.ended_ns <= 40 * NS).sum()
    within = of(calm, "sre_gateway_ttft_seconds_bucket", le="0.25")
    assert within.values[-1] == ((columns.first_ns - at_ns) <= NS // 4).sum()
    assert of(calm, "sre_gateway_goodput_good_total").values[-1] == score(calm).overall.good
    assert of(calm, "sre_gateway_tokens_total", kind="generation").values[-1] == columns.emitted.sum()
    gaps = of(calm, "sre_gateway_inter_token_seconds_count")
    assert gaps.values[-1] == (columns.emitted - 1).sum()
    spans_s = ((columns.last_ns - columns.first_ns) / NS).sum()
    assert of(calm, "sre_gateway_inter_token_seconds_sum").values[-1] == pytest.approx(spans_s)
    by_replica = [s.values[-1] for s in calm.series if s.name == "vllm:generation_tokens_total"]
    assert sum(by_replica) == columns.emitted.sum()


def test_counters_never_fall_but_with_their_process(calm: FleetResult) -> None:
    for one in (*calm.series, *play(FleetFault("crash", 30.0)).series):
        is_gateways = dict(one.labels)["job"] == "gateway"
        if is_gateways and one.name.endswith(("_total", "_bucket", "_count", "_sum")):
            assert (np.diff(one.values) >= 0).all(), one.name
        assert (np.diff(one.at_s) > 0).all()


def test_a_lost_replica_is_down_in_the_samples_and_its_counters_begin_anew() -> None:
    run = play(FleetFault("crash", 30.0, target="llm-0"), rules=NO_BUDGET)
    up = of(run, "up", instance="llm-0")
    assert up.at_s[up.values == 0].tolist() == [30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0]
    tokens = of(run, "vllm:generation_tokens_total", replica="llm-0")
    assert (np.diff(tokens.values) < 0).sum() == 1
    lost = sum(of(run, "sre_gateway_requests_total", outcome=name).values[-1] for name in ("error", "truncated"))
    assert lost == (run.outcomes.outcome != OUTCOMES.index("ok")).sum() > 0
    wasted = of(run, "sre_gateway_wasted_tokens_total").values[-1]
    assert wasted == run.outcomes.wasted_tokens.sum() > 0


def test_while_metrics_are_lost_there_are_none() -> None:
    run = play(FleetFault("metrics_loss", 30.0, 20.0, "all"))
    depth = of(run, "sre_gateway_queue_depth")
    assert not ((depth.at_s >= 30) & (depth.at_s < 50)).any()
    up = of(run, "up", instance="gateway")
    assert up.at_s[up.values == 0].tolist() == [30.0, 35.0, 40.0, 45.0]


def test_failovers_are_counted_under_the_gateways_names() -> None:
    run = play(FleetFault("crash", 30.0, target="llm-0"))
    replayed = (run.outcomes.attempts > 1) & (run.outcomes.wasted_tokens > 0)
    assert of(run, "sre_gateway_replays_total", result="ok").values[-1] == replayed.sum() > 0
    tokens = [of(run, "sre_gateway_replayed_tokens_total", kind=kind).values[-1] for kind in ("prompt", "generation")]
    assert sum(tokens) == run.outcomes.wasted_tokens.sum()
    retried = (run.outcomes.attempts > 1) & (run.outcomes.wasted_tokens == 0)
    assert of(run, "sre_gateway_retries_total", reason="connect").values[-1] == retried.sum()
