"""PrometheusSamples against a server that answers what we tell it: ranges, chunks, histograms and facts."""

import pytest

from sre.metrics import chunks
from sre.metrics.chunks import ChunkPlan
from sre.metrics.model import HistogramSource, SourceFacts
from sre.metrics.prometheus import PrometheusSamples
from sre.metrics.prometheus_facts import retention_of
from sre.metrics.selector import parse_selector


@pytest.fixture
def source(fake):
    samples = PrometheusSamples(fake.url, timeout_s=5)
    yield samples
    samples.close()


SELECTOR = parse_selector('req{outcome="ok"}')
METRIC = {"__name__": "req", "outcome": "ok", "job": "g"}


def points(series):
    return list(zip(series.times.tolist(), series.values.tolist(), strict=True))


def test_the_range_is_open_on_the_left_and_closed_on_the_right(fake, source):
    fake.series = [(METRIC, [[10.5, "1"], [11.5, "2"], [12.5, "3"], [13.5, "4"]])]
    (series,) = source.series(SELECTOR, start=10.5, end=12.5)
    assert points(series) == [(11.5, 2), (12.5, 3)]
    assert (series.id.name, series.id.labels) == ("req", (("job", "g"), ("outcome", "ok")))


def test_raw_samples_are_asked_for(fake, source):
    source.series(SELECTOR, start=1700000000.2504, end=1700000010.25)
    (query,) = fake.queries
    assert query == {"query": 'req{outcome="ok"}[10001ms]', "time": "1700000010.250"}


def test_a_long_range_is_asked_in_parts_that_do_not_overlap(fake, source, monkeypatch):
    monkeypatch.setattr(chunks, "MOST_POINTS", 1000)
    fake.series = [(METRIC, [[10.0 * t, str(t)] for t in range(5000)])]
    (series,) = source.series(SELECTOR, start=30, end=38_000)
    assert series.times.tolist() == [10.0 * t for t in range(4, 3801)]
    assert len(fake.queries) == 6  # 1 h, then 800 points each


def test_a_month_of_30_s_samples_takes_a_dozen_requests(fake, source):
    fake.series = [({**METRIC, "n": str(n)}, [[30.0 * t, "1"] for t in range(86_400)]) for n in range(2)]
    series = source.series(SELECTOR, start=0, end=30 * 86_400)
    assert [one.times.size for one in series] == [86_399, 86_399]  # (0, end], the last sample is 30 s before it
    assert len(fake.queries) < 15


def test_a_sample_on_a_seam_is_taken_once_even_if_sent_twice(fake, source, monkeypatch):
    monkeypatch.setattr(chunks, "FIRST_S", 10.0)
    fake.series = [(METRIC, [[float(t), str(t)] for t in range(0, 41, 10) for _ in range(2)])] * 2
    plan = source.series(SELECTOR, start=-1, end=40)
    assert points(plan[0]) == [(t, t) for t in range(0, 41, 10)]


def test_samples_outside_what_was_asked_are_not_believed(fake, source):
    fake.result = lambda *_: [{"metric": METRIC, "values": [[1, "1"], [7, "2"], [99, "3"]]}]
    (series,) = source.series(SELECTOR, start=5, end=9)
    assert points(series) == [(7, 2)]


def test_an_answer_too_big_for_the_server_is_asked_in_smaller_parts(fake, source):
    fake.series = [(METRIC, [[10.0 * t, str(t)] for t in range(360)])]
    refusal = '{"status":"error","errorType":"execution","error":"query would load too many samples into memory"}'
    fake.script = [(422, refusal)]
    (series,) = source.series(SELECTOR, start=-1, end=3600)
    assert series.times.size == 360
    assert len(fake.queries) >= 4


def test_a_bound_is_asked_in_every_spelling_and_answered_in_one(fake, source):
    bucket = {"__name__": "b", "le": "1"}
    fake.series = [(bucket, [[1, "1"]]), ({**bucket, "le": "1.0"}, [[2, "2"]])]
    (series,) = source.series(parse_selector('b{le="1"}'), start=0, end=9)
    assert fake.queries[0]["query"].startswith(r'b{le=~"1\\.0|1"}[')
    assert series.id.label("le") == "1.0"
    assert points(series) == [(1, 1), (2, 2)]


def test_values_that_are_not_finite_are_left_out(fake, source):
    fake.series = [(METRIC, [[1, "1"], [2, "NaN"], [3, "+Inf"]]), ({"__name__": "req", "x": "y"}, [[1, "NaN"]])]
    assert [points(one) for one in source.series(SELECTOR, start=0, end=9)] == [[(1, 1)]]


def test_no_series_is_an_empty_list(source):
    assert source.series(SELECTOR, start=0, end=9) == []
    assert source.series(SELECTOR, start=9, end=9) == []


NATIVE = {"count": "7", "sum": "3.5", "buckets": [[0, "1", "2", "3"], [3, "-0.001", "0.001", "1"], [0, "2", "4", "3"]]}


def test_native_histograms_become_arrays(fake, source):
    assert isinstance(source, HistogramSource)
    stale = {"count": "NaN", "sum": "NaN"}
    fake.histograms = [({"__name__": "h", "job": "g"}, [[1, NATIVE], [2, stale], [3, {"count": "0", "sum": "0"}]])]
    (found,) = source.histograms(parse_selector("h"), start=0, end=9)
    assert found.id.name == "h"
    assert found.times.tolist() == [1, 3]
    assert found.totals.tolist() == [7, 0]
    assert found.lowers[0].tolist() == [-0.001, 1, 2]
    assert found.bounds[0].tolist() == [0.001, 2, 4]
    assert found.counts[0].tolist() == [1, 3, 3]
    assert found.bounds[1].size == 0


def test_a_native_histogram_is_no_series_of_numbers(fake, source):
    fake.histograms = [({"__name__": "h"}, [[1, NATIVE]])]
    assert source.series(parse_selector("h"), start=0, end=9) == []
    fake.histograms, fake.series = [], [(METRIC, [[1, "1"]])]
    assert source.histograms(parse_selector("req"), start=0, end=9) == []


def test_the_server_tells_what_it_holds(fake, source):
    assert isinstance(source, SourceFacts)
    fake.pages = {
        "/api/v1/label/__name__/values": ["req", "up"],
        "/api/v1/label/le/values": ["+Inf", "0.5", "1", "1.0", "10"],
        "/api/v1/label/job/values": ["a", "b"],
        "/api/v1/status/runtimeinfo": {"storageRetention": "15d or 10GiB"},
        "/api/v1/status/buildinfo": {"version": "3.5.3"},
        "/api/v1/metadata": {"req": [{"type": "counter", "help": "", "unit": ""}]},
    }
    assert source.metric_names() == {"req", "up"}
    assert source.bucket_bounds("h") == (0.5, 1, 10)
    assert source.label_values("req", "job") == {"a", "b"}
    assert [query.get("match[]") for query in fake.queries] == [None, "h_bucket", "req"]
    assert source.retention_s() == 15 * 86400
    assert source.version() == "3.5.3"
    assert source.metric_type("req_total") == "counter"


def test_a_server_with_the_query_api_alone_does_not_say(fake, source):
    assert source.retention_s() is None
    assert source.version() is None


def test_the_scrape_interval_shows_in_the_samples(fake, source):
    assert source.scrape_interval_s(SELECTOR, end=1000) is None
    fake.series = [(METRIC, [[15.0 * t, "1"] for t in range(100)])]
    assert source.scrape_interval_s(SELECTOR, end=1000) == 15


@pytest.mark.parametrize(
    ("text", "seconds"), [("15d", 1296000), ("1w2d", 777600), ("1h30m or 5GB", 5400), ("10GiB", None), ("", None)]
)
def test_retention_is_read(text, seconds):
    assert retention_of(text) == seconds


def spans(plan, samples_per_s):
    """Ask a whole plan against a source of that density; the lengths asked."""
    lengths = []
    while (part := plan.next()) is not None:
        lengths.append(part[1] - part[0])
        count = int(lengths[-1] * samples_per_s)
        plan.seen(part, samples=count, most_per_series=count)
    return lengths


def test_chunks_follow_density_and_cover_the_range():
    sparse, dense = spans(ChunkPlan(0, 30 * 86400), 1 / 60), spans(ChunkPlan(0, 86400), 10)
    assert sum(sparse) == pytest.approx(30 * 86400)
    assert len(sparse) < 8
    assert sum(dense) == pytest.approx(86400)
    assert max(dense[1:]) * 10 <= chunks.MOST_POINTS
    assert spans(ChunkPlan(5, 5), 1) == []


def test_a_part_that_was_too_big_is_never_asked_as_long_again():
    plan = ChunkPlan(0, 86400)
    first = plan.next()
    plan.too_big(first, "too big")
    second = plan.next()
    assert second[1] - second[0] == 900
    plan.seen(second, samples=1, most_per_series=1)
    third = plan.next()
    assert third[1] - third[0] <= 1800
