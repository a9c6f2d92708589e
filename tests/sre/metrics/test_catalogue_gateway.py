"""The catalogue's page about our gateway is held to the gateway's code, and what it says of vLLM to our engine's."""

from __future__ import annotations

import pytest

from serving.engine import metrics as engine
from serving.gateway.metrics import GatewayMetrics
from serving.gateway.model import OUTCOMES
from sre.metrics.catalogue import Catalogue

SHIPPED = Catalogue.shipped()
LISTED = {name: metric for name, metric in SHIPPED.metrics.items() if metric.exporter == "gateway"}


@pytest.fixture(scope="module")
def families():
    """What a gateway with its default thresholds, one replica and one tenant exposes."""
    gateway = GatewayMetrics(ttft_threshold_s=1.0, tpot_threshold_s=0.05)
    gateway.watch_replica("llm-0", up=lambda: 1.0, inflight=lambda: 0.0)
    gateway.watch_tenant("team-a")
    found = {}
    for family in gateway.registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        found[name] = family
    return found


def test_the_same_families_with_the_same_types(families):
    assert {name: metric.type for name, metric in LISTED.items()} == {n: f.type for n, f in families.items()}


def test_the_same_bucket_bounds(families):
    for name, metric in LISTED.items():
        bounds = {float(s.labels["le"]) for s in families[name].samples if s.name.endswith("_bucket")}
        assert (metric.buckets or ()) == tuple(sorted(bounds - {float("inf")})), name


def test_the_same_labels_and_values(families):
    for name, metric in LISTED.items():
        seen = {label for sample in families[name].samples for label in sample.labels} - {"le"}
        assert {label.name for label in metric.labels} == seen, name
        for label in metric.labels:
            if label.values is not None:
                values = {sample.labels[label.name] for sample in families[name].samples if label.name in sample.labels}
                assert set(label.values) == values, (name, label.name)


def test_requests_are_counted_by_every_outcome():
    assert LISTED["sre_gateway_requests_total"].label("outcome").values == OUTCOMES


def test_the_engine_publishes_vllm_names_with_vllm_buckets():
    for reading in engine.readings(engine.EngineMetrics()):
        metric = SHIPPED.get(reading.name)
        assert metric is not None, reading.name
        assert SHIPPED.part(reading.name) is not None, reading.name
    assert SHIPPED.get("vllm:time_to_first_token_seconds").buckets == engine.TTFT_BUCKETS_S
    assert SHIPPED.get("vllm:inter_token_latency_seconds").buckets == engine.INTER_TOKEN_BUCKETS_S
