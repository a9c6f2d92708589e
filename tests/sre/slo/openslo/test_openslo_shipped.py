"""The shipped documents: what they promise, and that every threshold is a bound the exporter has."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from serving.gateway.metrics import E2E_BUCKETS, INTER_TOKEN_BUCKETS, TTFT_BUCKETS
from sre.metrics.catalogue import Catalogue
from sre.slo.goodput import joint_bounds
from sre.slo.model import RatioSli
from sre.slo.openslo import load_documents, load_slos

ROOT = Path(__file__).parents[4]
FOLDERS = (ROOT / "slo", ROOT / "slo" / "vllm", ROOT / "slo" / "triton")
TARGETS = {
    "slo": {
        "availability": 0.999,
        "ttft": 0.99,
        "inter-token": 0.99,
        "goodput": 0.95,
        "e2e": 0.99,
        "queue": 0.99,
    },
    "vllm": {
        "vllm-availability": 0.999,
        "vllm-ttft": 0.99,
        "vllm-inter-token": 0.99,
        "vllm-goodput": 0.975,
        "vllm-e2e": 0.99,
        "vllm-queue": 0.99,
    },
    "triton": {"triton-availability": 0.999, "triton-first-response": 0.95, "triton-queue-share": 0.95},
}


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_shipped_documents_load(folder):
    slos = load_slos(folder)
    assert {slo.name: slo.target for slo in slos} == TARGETS[folder.name]
    assert {slo.period_s for slo in slos} == {28 * 86400}
    assert all(slo.description and slo.runbook and (ROOT / slo.runbook).is_file() for slo in slos)


def test_all_folders_can_be_read_together():
    assert len(load_documents(FOLDERS).slos) == sum(len(names) for names in TARGETS.values())


def thresholds(sli):
    return [m.value for side in (sli.good, sli.bad) for selector in side for m in selector.matchers if m.label == "le"]


@pytest.mark.parametrize(
    ("name", "buckets"),
    [("ttft", TTFT_BUCKETS), ("inter-token", INTER_TOKEN_BUCKETS), ("e2e", E2E_BUCKETS), ("queue", TTFT_BUCKETS)],
)
def test_gateway_thresholds_are_bounds_as_the_gateway_writes_them(name, buckets):
    slo = next(slo for slo in load_slos(ROOT / "slo") if slo.name == name)
    registry = CollectorRegistry()
    Histogram("h", "h", buckets=buckets, registry=registry)
    written = {s.labels["le"] for m in registry.collect() for s in m.samples if s.name == "h_bucket"}
    (threshold,) = thresholds(slo.sli)
    assert threshold in written


def test_vllm_thresholds_are_bounds_that_vllm_has():
    catalogue = Catalogue.shipped()
    seen = 0
    for slo in load_slos(ROOT / "slo" / "vllm"):
        assert isinstance(slo.sli, RatioSli)
        for selector in slo.sli.good:
            metric = catalogue.get(selector.name.removesuffix("_bucket"))
            assert metric is not None, selector.name
            for bound in thresholds(RatioSli(total=(), good=(selector,))):
                assert float(bound) in metric.buckets
                seen += 1
    assert seen == 6


@given(st.integers(1, 10**6), st.data())
def test_promises_kept_burn_as_the_bound_of_goodput_does(requests, data):
    """What vllm-goodput is built on: the mean of two error ratios over half the budget is their sum over all of it."""
    bad = [data.draw(st.integers(0, requests)) for _ in range(2)]
    promises = sum(bad) / (2 * requests)
    least, _ = joint_bounds([1 - b / requests for b in bad])
    if least > 0:
        assert promises / 0.025 == pytest.approx((1 - least) / 0.05)
    if promises <= 0.025:
        assert least >= 0.95 - 1e-12
