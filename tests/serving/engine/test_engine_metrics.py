"""The engine's counts under vLLM's names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from serving.engine.metrics import EngineMetrics, Histogram, Reading, cold_start_readings, readings


def by_name(current: list[Reading]) -> dict[str, list[Reading]]:
    names: dict[str, list[Reading]] = {}
    for reading in current:
        names.setdefault(reading.name, []).append(reading)
    return names


def test_every_series_of_the_contract_is_there_from_the_start() -> None:
    names = by_name(readings(EngineMetrics()))
    histograms = ("vllm:time_to_first_token_seconds", "vllm:inter_token_latency_seconds")
    assert set(names) == {
        "vllm:num_requests_running",
        "vllm:num_requests_waiting",
        "vllm:kv_cache_usage_perc",
        "vllm:prompt_tokens_total",
        "vllm:generation_tokens_total",
        "vllm:num_preemptions_total",
        "vllm:prefix_cache_queries_total",
        "vllm:prefix_cache_hits_total",
        "vllm:request_success_total",
        "DCGM_FI_DEV_XID_ERRORS",
        *(f"{name}_{part}" for name in histograms for part in ("bucket", "sum", "count")),
    }
    reasons = {dict(reading.labels)["finished_reason"] for reading in names["vllm:request_success_total"]}
    assert reasons == {"stop", "length", "abort", "error"}


def test_a_value_on_a_bound_belongs_to_that_bound() -> None:
    histogram = Histogram((0.1, 0.2))
    for value in (0.1, 0.15, 0.2, 0.3):
        histogram.observe(value)
    assert histogram.cumulative() == [("0.1", 1), ("0.2", 3), ("+Inf", 4)]


@given(st.lists(st.floats(0, 10)))
def test_buckets_only_rise_and_end_with_the_count(values: list[float]) -> None:
    histogram = Histogram((0.5, 1.0, 5.0))
    for value in values:
        histogram.observe(value)
    counts = [count for _, count in histogram.cumulative()]
    assert counts == sorted(counts)
    assert counts[-1] == histogram.count == len(values)
    assert [c for le, c in histogram.cumulative() if le == "1.0"] == [sum(v <= 1.0 for v in values)]


def test_each_phase_of_the_start_is_a_gauge() -> None:
    name = "sre_engine_cold_start_seconds"
    assert cold_start_readings({"load_weights": 8.0, "compile": 40.5}) == [
        Reading(name, "gauge", (("phase", "load_weights"),), 8.0),
        Reading(name, "gauge", (("phase", "compile"),), 40.5),
    ]


def test_the_last_gpu_error_is_named_as_dcgm_exporter_names_it() -> None:
    (reading,) = by_name(readings(EngineMetrics(xid=79)))["DCGM_FI_DEV_XID_ERRORS"]
    assert reading == Reading("DCGM_FI_DEV_XID_ERRORS", "gauge", (("gpu", "0"),), 79)
