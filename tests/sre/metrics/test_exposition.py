"""Pages are read with the names they carry; the cache of heads never changes what is read."""

import math

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from sre.metrics.exposition import ExpositionParser, MalformedExposition, SampleId

TRITON = """# HELP nv_inference_request_success Number of successful requests
# TYPE nv_inference_request_success counter
nv_inference_request_success{model="llm",version="1"} 12
# TYPE vllm:time_to_first_token_seconds_bucket counter
vllm:time_to_first_token_seconds_bucket{model_name="llm",le="0.1"} 3
nv_gpu_utilization 0.5 1700000000000
"""


def test_triton_counters_keep_their_names():
    samples = ExpositionParser().parse(TRITON)
    assert samples == {
        SampleId("nv_inference_request_success", (("model", "llm"), ("version", "1"))): 12,
        SampleId("vllm:time_to_first_token_seconds_bucket", (("le", "0.1"), ("model_name", "llm"))): 3,
        SampleId("nv_gpu_utilization", ()): 0.5,
    }


def test_agrees_with_what_prometheus_client_wrote():
    registry = CollectorRegistry()
    Counter("requests", "n", ["outcome"], registry=registry).labels('a "quoted" } brace\\\n').inc(3)
    Gauge("free", "n", registry=registry).set(math.inf)
    Histogram("ttft_seconds", "s", buckets=(0.1, 1), registry=registry).observe(0.5)
    samples = ExpositionParser().parse(generate_latest(registry).decode())
    assert samples[SampleId("requests_total", (("outcome", 'a "quoted" } brace\\\n'),))] == 3
    assert samples[SampleId("free", ())] == math.inf
    assert samples[SampleId("ttft_seconds_bucket", (("le", "0.1"),))] == 0
    assert samples[SampleId("ttft_seconds_bucket", (("le", "1.0"),))] == 1
    assert samples[SampleId("ttft_seconds_count", ())] == 1


def test_keeps_only_the_wanted_prefixes():
    samples = ExpositionParser(("vllm:",)).parse(TRITON)
    assert [s.name for s in samples] == ["vllm:time_to_first_token_seconds_bucket"]


def test_a_second_page_with_new_values_is_read_anew():
    parser = ExpositionParser()
    parser.parse("a 1\n")
    assert parser.parse("a 2\nb NaN\n")[SampleId("a", ())] == 2


def test_series_that_come_and_go_do_not_pile_up():
    parser = ExpositionParser()
    for n in range(5_000):
        parser.parse(f'requests{{id="{n}"}} 1\n')
    assert len(parser._heads) < 2_000


def test_a_timestamp_or_an_exemplar_is_not_the_value():
    page = 'a{le="1"} 5 # {trace_id="x"} 0.67 1.5\nb 6 # {} 0.7\nc{q=" # {"} 7\nd{q="}"} 8 1700000000\n'
    assert list(ExpositionParser().parse(page).values()) == [5, 6, 7, 8]


@pytest.mark.parametrize("page", ["a\n", "a x\n", 'a{b="c} 1\n', "<html>\n", 'a{b="c"}\n'])
def test_quotes_the_line_it_cannot_read(page):
    with pytest.raises(MalformedExposition, match="not a sample"):
        ExpositionParser().parse("ok 1\n" + page)
