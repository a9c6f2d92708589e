"""Service levels over a window of samples; whatever cannot be read says so instead of returning a number."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
from chaoslib.exceptions import ActivityFailed

from sre.chaos import probes, readings
from sre.chaos.readings import good_ratio, quantile, sli_of
from sre.chaos.sight import Sight
from sre.errors import NoData, SreError
from sre.metrics.model import Selector, Series, SeriesId
from sre.metrics.selector import parse_sum, series_filter
from sre.slo.model import RatioSli

NOW = 1000.5
AVAILABILITY = RatioSli(
    total=parse_sum('sre_gateway_requests_total{outcome=~"ok|error"}'),
    bad=parse_sum('sre_gateway_requests_total{outcome="error"}'),
)


class Samples:
    """Counters sampled once a second up to `end`; `rates` are events a second by series."""

    name = "fake"

    def __init__(self, rates, *, end=1000.0, seconds=60):
        times = np.arange(end - seconds, end + 0.5)
        self.all = [
            Series(SeriesId(name, labels), times, rate * np.arange(times.size)) for (name, labels), rate in rates
        ]

    def series(self, selector: Selector, *, start, end):
        wanted = series_filter(selector)
        found = []
        for one in self.all:
            inside = (one.times > start) & (one.times <= end)
            if wanted(one.id) and inside.any():
                found.append(Series(one.id, one.times[inside], one.values[inside]))
        return found


def requests(ok, error):
    name = "sre_gateway_requests_total"
    return [((name, (("outcome", "ok"),)), ok), ((name, (("outcome", "error"),)), error)]


def buckets(name="ttft", **counts):
    return [
        ((f"{name}_bucket", (("le", bound.removeprefix("le").replace("_", ".")),)), n) for bound, n in counts.items()
    ]


def test_availability_is_one_minus_bad_over_total():
    assert good_ratio(Samples(requests(9, 1)), AVAILABILITY, window_s=10, now=NOW) == pytest.approx(0.9)


def test_good_and_total_give_the_same_as_bad_and_total():
    good = RatioSli(total=AVAILABILITY.total, good=parse_sum('sre_gateway_requests_total{outcome="ok"}'))
    assert good_ratio(Samples(requests(9, 1)), good, window_s=10, now=NOW) == pytest.approx(0.9)


def test_no_traffic_is_no_data_that_says_start_load():
    with pytest.raises(NoData, match="sre load"):
        good_ratio(Samples(requests(0, 0)), AVAILABILITY, window_s=10, now=NOW)


def test_samples_that_stopped_are_no_data_even_if_the_window_holds_some():
    with pytest.raises(NoData, match="does somebody scrape it"):
        good_ratio(Samples(requests(9, 1), end=990.0), AVAILABILITY, window_s=60, now=NOW)


def test_a_quantile_is_read_from_the_histogram():
    samples = Samples(buckets(**{"le0_5": 4, "le1_0": 8, "le+Inf": 10}))
    assert quantile(samples, "ttft", 0.5, window_s=10, now=NOW) == pytest.approx(0.625)


def test_a_quantile_beyond_the_last_bound_is_that_bound():
    samples = Samples(buckets(**{"le0_5": 4, "le1_0": 8, "le+Inf": 10}))
    assert quantile(samples, "ttft", 0.95, window_s=10, now=NOW) == 1.0


def test_a_quantile_of_nothing_is_no_data():
    with pytest.raises(NoData, match="sre load"):
        quantile(Samples(buckets(**{"le1_0": 0, "le+Inf": 0})), "ttft", 0.95, window_s=10, now=NOW)


SLO = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: availability}
spec:
  service: llm
  budgetingMethod: Occurrences
  timeWindow: [{duration: 28d, isRolling: true}]
  objectives: [{target: 0.99}]
  indicator:
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {type: Prometheus, spec: {query: 'sre_gateway_requests_total{outcome="error"}'}}}
        total: {metricSource: {type: Prometheus, spec: {query: sre_gateway_requests_total}}}
"""


@pytest.fixture
def configuration(tmp_path, monkeypatch):
    (tmp_path / "slo").mkdir()
    (tmp_path / "slo" / "availability.yaml").write_text(SLO)
    (tmp_path / "samples").mkdir()
    monkeypatch.setattr(Sight, "open", lambda sight: contextlib.nullcontext(Samples(requests(9, 1))))
    monkeypatch.setattr(probes.time, "time", lambda: NOW)
    return {"state_dir": str(tmp_path), "slo_dir": str(tmp_path / "slo")}


def test_the_availability_probe_reads_the_slo_document_of_that_name(configuration):
    assert probes.availability(window_s=10, configuration=configuration) == pytest.approx(0.9)


def test_a_probe_without_its_slo_document_lists_what_there_is(configuration):
    with pytest.raises(ActivityFailed, match="no SLO is named 'goodput': use one of availability"):
        probes.goodput(window_s=10, configuration=configuration)


def test_an_slo_is_looked_up_by_name(configuration):
    assert sli_of("availability", Path(configuration["slo_dir"])).bad
    with pytest.raises(SreError, match="latency"):
        sli_of("latency", Path(configuration["slo_dir"]))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"signal": "e2e"}, "use one of ttft, inter_token"),
        ({"quantile": 95}, "between 0 and 1"),
        ({"window_s": 0}, "above 0"),
        ({"window_s": float("nan")}, "above 0"),
    ],
)
def test_bad_arguments_fail_with_the_mend(configuration, arguments, said):
    with pytest.raises(ActivityFailed, match=said):
        probes.latency_quantile(**arguments, configuration=configuration)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_probe_never_returns_what_is_no_number(configuration, monkeypatch, bad):
    monkeypatch.setattr(readings, "good_ratio", lambda *args, **options: bad)
    with pytest.raises(ActivityFailed, match="no number"):
        probes.availability(window_s=10, configuration=configuration)


def test_probes_without_a_platform_say_how_to_start_one(tmp_path):
    configuration = {"state_dir": str(tmp_path)}
    for probe in (probes.latency_quantile, probes.healthy_replicas, probes.unhealthy_replicas):
        with pytest.raises(ActivityFailed, match="sre up"):
            probe(configuration=configuration)


def test_a_crashed_replica_is_counted_as_unhealthy_until_it_serves(monkeypatch, platform, clock):
    monkeypatch.setattr(probes, "select_platform", lambda _: platform)
    assert (probes.healthy_replicas(), probes.unhealthy_replicas()) == (3, 0)
    platform.signal(platform.process("server", "llm-1"), "kill")
    assert (probes.healthy_replicas(), probes.unhealthy_replicas()) == (2, 1)
    clock.at += 3
    assert probes.unhealthy_replicas() == 0


def test_the_shipped_slos_have_what_the_shipped_experiment_and_the_probes_ask_for():
    slo_dir = Path(__file__).parents[3] / "slo"
    for name in ("availability", "goodput"):
        assert sli_of(name, slo_dir).total
