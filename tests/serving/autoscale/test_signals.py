"""From samples to what a metric saw, and the PromQL that one scrape can answer."""

from __future__ import annotations

import json

import pytest

from serving.autoscale.model import LabelMatcher, MetricSpec, Target
from serving.autoscale.prometheus import read_answer
from serving.autoscale.promql import parse_simple
from serving.autoscale.scrape import BusyShare, parse_page
from serving.autoscale.signals import GPU_UTILIZATION, PerPod, Sample, Single, Snapshot, Unavailable, observe
from serving.errors import BadInput

TARGET = Target("AverageValue", 1000)
SNAPSHOT = Snapshot(
    (
        Sample("vllm:num_requests_waiting", 3, "llm-0", (("job", "triton"), ("model_name", "llm"))),
        Sample("vllm:num_requests_waiting", 5, "llm-1", (("job", "triton"), ("model_name", "llm"))),
        Sample("sre_gateway_queue_depth", 7, None, (("job", "gateway"),)),
        Sample("sre_gateway_replica_inflight", 2, None, (("job", "gateway"), ("replica", "llm-0"))),
        Sample("sre_gateway_replica_inflight", 4, None, (("job", "gateway"), ("replica", "llm-1"))),
    ),
    silent=(("llm-2", "HTTP 500"),),
)


def no_query(query: str) -> float:
    raise AssertionError(query)


def saw(source, name, *selector):
    return observe(MetricSpec(source, name, TARGET, selector), SNAPSHOT, no_query)


def test_a_metric_of_pods_is_found_under_the_engines_name() -> None:
    assert saw("Pods", "vllm_num_requests_waiting") == PerPod({"llm-0": 3, "llm-1": 5})


def test_a_selector_leaves_out_what_it_does_not_match() -> None:
    assert saw("Pods", "vllm_num_requests_waiting", LabelMatcher("replica", "=", "llm-1")) == PerPod({"llm-1": 5})
    assert isinstance(saw("Pods", "vllm_num_requests_waiting", LabelMatcher("model_name", "=", "x")), Unavailable)


def test_an_objects_metric_is_the_gateways_and_an_external_one_is_summed() -> None:
    assert saw("Object", "sre_gateway_queue_depth") == Single(7)
    assert isinstance(saw("Object", "vllm_num_requests_waiting"), Unavailable)
    assert saw("External", "sre_gateway_replica_inflight") == Single(6)


def test_an_unknown_metric_is_unavailable_and_the_silent_targets_are_named() -> None:
    found = saw("External", "nonsense")
    assert isinstance(found, Unavailable)
    assert "llm-2 (HTTP 500)" in found.reason


def test_a_resource_metric_has_no_source_here() -> None:
    assert isinstance(saw("Resource", "cpu"), Unavailable)


@pytest.mark.parametrize(("empty_is_zero", "found"), [(True, Single(0.0)), (False, Unavailable)])
def test_a_query_without_a_result_is_what_the_trigger_says(empty_is_zero, found) -> None:
    metric = MetricSpec("External", "s0-prometheus", TARGET, query="sum(x)", empty_is_zero=empty_is_zero)
    seen = observe(metric, SNAPSHOT, lambda _: None)
    assert seen == found or isinstance(seen, Unavailable)
    assert isinstance(seen, Single) == empty_is_zero


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("sum(vllm:num_requests_waiting)", 8),
        ("avg(vllm:num_requests_waiting)", 4),
        ("max( vllm:num_requests_waiting )", 5),
        ("count(vllm:num_requests_waiting)", 2),
        ("sre_gateway_queue_depth", 7),
        ('sum(vllm:num_requests_waiting{replica="llm-0", job=~"tri.*"})', 3),
        ('sum(vllm:num_requests_waiting{replica!~"llm-0|x"})', 5),
        ('sre_gateway_replica_inflight{replica="llm-1"}', 4),
        ("sum(nonsense)", None),
    ],
)
def test_a_simple_query_is_answered_from_one_scrape(query, value) -> None:
    assert parse_simple(query).value(SNAPSHOT) == value


def test_a_query_with_two_results_is_unavailable_as_keda_has_it() -> None:
    assert isinstance(parse_simple("vllm:num_requests_waiting").value(SNAPSHOT), Unavailable)


@pytest.mark.parametrize(
    "query",
    [
        "rate(x[1m])",
        "sum(rate(x[1m]))",
        "sum(x) by (replica)",
        "sum(x) / 2",
        "x offset 5m",
        'x{replica="a"',
        'x{replica=~"("}',
        "histogram_quantile(0.95, x)",
        "",
    ],
)
def test_what_needs_prometheus_is_refused(query) -> None:
    with pytest.raises(BadInput, match="Prometheus"):
        parse_simple(query)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ({"resultType": "vector", "result": [{"metric": {}, "value": [1.0, "4.5"]}]}, 4.5),
        ({"resultType": "scalar", "result": [1.0, "3"]}, 3.0),
        ({"resultType": "vector", "result": []}, None),
    ],
)
def test_prometheus_answers_are_read(data, value) -> None:
    assert read_answer(json.dumps({"status": "success", "data": data})) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"status": "error", "error": "parse error"}', "parse error"),
        ("<html>", "not an answer"),
        ('{"status": "success", "data": {"resultType": "vector", "result": [{"value": [1, "NaN"]}]}}', "nan"),
        ('{"status": "success", "data": {"resultType": "vector", "result": [{}, {}]}}', "2 results"),
    ],
)
def test_what_is_no_single_value_is_unavailable_with_the_reason(text, said) -> None:
    found = read_answer(text)
    assert isinstance(found, Unavailable)
    assert said in found.reason


def test_a_page_is_read_by_its_raw_names_and_without_what_is_not_finite() -> None:
    page = """# TYPE vllm:prompt_tokens counter
vllm:prompt_tokens_total{model_name="llm"} 5
sre_gateway_predicted_ttft_seconds NaN
python_info 1
"""
    assert parse_page(page) == [("vllm:prompt_tokens_total", 5.0, (("model_name", "llm"),))]


def test_the_busy_share_is_that_of_the_scrapes_since_it_was_last_taken() -> None:
    busy = BusyShare()
    for running in (0, 1, 9, 2):
        busy.note([Sample("vllm:num_requests_running", running, "llm-0")])
    assert busy.take() == (Sample(GPU_UTILIZATION, 75.0, "llm-0"),)
    assert busy.take() == ()
