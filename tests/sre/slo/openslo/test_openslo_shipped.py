"""The shipped documents: what they promise, and that every threshold is a bound the exporter has."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Histogram

from serving.gateway.metrics import E2E_BUCKETS, INTER_TOKEN_BUCKETS, TTFT_BUCKETS
from sre.metrics.catalogue import Catalogue
from sre.slo.model import JointSli, RatioSli, ratios_of
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
        "vllm-goodput": 0.95,
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
        assert ratios_of(slo.sli)
        for selector in (selector for ratio in ratios_of(slo.sli) for selector in ratio.good):
            metric = catalogue.get(selector.name.removesuffix("_bucket"))
            assert metric is not None, selector.name
            for bound in thresholds(RatioSli(total=(), good=(selector,))):
                assert float(bound) in metric.buckets
                seen += 1
    assert seen == 6


def test_goodput_of_vllm_alone_is_its_first_token_and_token_time_together():
    goodput = next(slo for slo in load_slos(ROOT / "slo" / "vllm") if slo.name == "vllm-goodput")
    assert isinstance(goodput.sli, JointSli)
    assert [thresholds(ratio) for ratio in goodput.sli.slis] == [["1.0"], ["0.05"]]
