"""Names that do not exist, were renamed, or are of the wrong kind."""

from __future__ import annotations

import pytest

from sre.metrics.catalogue import Catalogue

VLLM_KV = {"objective": ", op: lte, value: 0.9"}


def test_a_misspelt_metric_of_a_known_exporter_is_refused_with_what_was_meant(linting):
    found = linting.only("SLO020", total="sre_gateway_request_total")
    assert "gateway exposes no such metric" in found.what
    assert found.mend.startswith("did you mean sre_gateway_requests_total")


def test_a_metric_nobody_knows_is_warned_of_unless_a_source_has_it(linting):
    mine = {"total": "my_requests_total", "bad": 'my_requests_total{code="500"}'}
    assert linting.rules(**mine) == ["SLO021", "SLO021"]
    source = linting.source(
        linting.counter("my_requests_total", per_hour=3e5, code="200"),
        linting.counter("my_requests_total", per_hour=1e4, code="500"),
    )
    assert linting.rules(source=source, **mine) == []


def test_a_catalogue_of_ones_own_is_asked_too(linting, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "exporter: mine\nsources: {here: x}\nmetrics:\n"
        "  - {name: my_requests_total, type: counter, unit: requests, labels: {code: any}, source: here}\n"
    )
    mine = {"total": "my_requests_total", "bad": 'my_requests_total{code="500"}'}
    assert linting.rules(catalogue=Catalogue.read([path]), **mine) == []


def test_a_metric_the_source_does_not_have(linting):
    source = linting.source(*linting.gateway())
    found = linting.only("SLO020", source=source, total="sre_gateway_requestz_total")
    assert "the source has no such metric" in found.what
    assert "did you mean sre_gateway_requests_total" in found.mend
    known = linting.only("SLO020", source=source, total="sre_gateway_tokens_total", bad="sre_gateway_requests_total")
    assert "though gateway exposes it" in known.what
    assert known.severity == "error"


def test_a_bad_side_may_be_born_with_the_first_failure(linting):
    source = linting.source(*linting.gateway())
    found = linting.only("SLO020", source=source, bad="sre_gateway_rejections_total")
    assert found.severity == "warning"
    assert "only after its first event" in found.mend


OLD, NEW = "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"


def test_an_old_name_is_warned_of_with_the_version(linting):
    found = linting.only("SLO022", metric=OLD, **VLLM_KV)
    assert found.severity == "warning"
    assert "renamed with vllm 0.9.2 (the old name is gone in 0.12.0)" in found.what
    assert found.mend == f"write {NEW}"
    assert linting.rules(metric=NEW, **VLLM_KV) == []


@pytest.mark.parametrize(("has", "asked"), [(OLD, NEW), (NEW, OLD)])
def test_the_source_has_the_other_name(linting, has, asked):
    source = linting.source(linting.counter(has))
    found = linting.only("SLO022", source=source, metric=asked, **VLLM_KV)
    assert f"the source has {has}" in found.what
    assert "SLO020" not in linting.rules(source=source, metric=asked, **VLLM_KV)


def test_a_metric_dropped_without_successor(linting):
    found = linting.only("SLO025", metric="vllm:num_requests_swapped", **VLLM_KV)
    assert "swaps nothing" in found.what


def test_a_missing_total_is_recognised_offline_and_live(linting):
    assert linting.only("SLO024", total="sre_gateway_requests").mend == "write sre_gateway_requests_total"
    source = linting.source(linting.counter("my_requests_total"))
    found = linting.only("SLO024", source=source, total="my_requests", bad='my_requests_total{instance="a:1"}')
    assert found.mend == "write my_requests_total"


@pytest.mark.parametrize(
    ("total", "said"),
    [
        ("sre_gateway_queue_depth", "is a gauge"),
        ("sre_gateway_ttft_seconds_sum", "not how often"),
        (
            "sre_gateway_ttft_seconds",
            "write sre_gateway_ttft_seconds_bucket with le, or sre_gateway_ttft_seconds_count",
        ),
        ("sre_gateway_ttft_seconds_bucket", "has no le"),
        ('sre_gateway_ttft_seconds_bucket{le=~"0.5|1.0"}', "has no le"),
    ],
)
def test_what_are_no_events(linting, total, said):
    found = linting.only("SLO023", total=total)
    assert said in f"{found.what} {found.mend}"


def test_kinds_are_recognised_by_their_siblings_in_the_source(linting):
    source = linting.source(
        *linting.histogram("my_seconds", {"1.0": 0.9, "+Inf": 1.0}), linting.counter("my_seconds_sum")
    )
    good = 'my_seconds_bucket{le="1.0"}'
    words = {"source": source, "good": good}
    assert (
        linting.only("SLO023", total="my_seconds", **words).mend
        == "write my_seconds_bucket with le, or my_seconds_count"
    )
    assert linting.only("SLO023", total="my_seconds_sum", **words).mend == "write my_seconds_count"
    assert linting.rules(total="my_seconds_count", **words) == []


def test_a_counter_is_no_level(linting):
    found = linting.only("SLO023", metric="sre_gateway_tokens_total", **VLLM_KV)
    assert "only ever grows" in found.what


def test_a_gauge_may_be_called_count(linting):
    assert linting.rules(metric="nv_inference_pending_request_count", **VLLM_KV) == []
    assert "SLO023" in linting.rules(metric="somebodys_request_count", **VLLM_KV)


def test_ratios_and_percentiles_are_no_events(linting):
    found = linting.only("SLO041", total="vllm:kv_cache_usage_perc", bad='x_total{a="b"}')
    assert "by its name a ratio" in found.what
    summary = 'nv_inference_request_summary_us{quantile="0.99"}'
    assert linting.only("SLO041", total=summary, bad='x_total{a="b"}').severity == "error"
    assert linting.only("SLO041", metric=summary, **VLLM_KV).severity == "warning"
    assert "SLO041" not in linting.rules(metric="vllm:kv_cache_usage_perc", **VLLM_KV)


def test_a_raw_ratio_by_occurrences_is_a_mean_of_ratios(linting):
    assert linting.only("SLO040", raw="my_errors:ratio5m").severity == "error"
    sliced = ", timeSliceWindow: 1m"
    assert "SLO040" not in linting.rules(raw="my_errors:ratio5m", method="RatioTimeslices", objective=sliced)
