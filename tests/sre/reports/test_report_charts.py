"""Charts: what they are computed from, well-formed, alike from run to run, cheap for many requests."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib
import numpy as np
import pytest

from sre.reports import series
from sre.reports.charts import charts, ttft_limits
from sre.reports.model import ReplicaSpan

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def drawn(drill):
    return charts(drill)


def test_there_is_one_of_each_in_reading_order(drawn):
    assert [c.key for c in drawn] == ["requests", "ttft", "burn", "replicas", "in-flight"]


def test_each_is_well_formed_and_names_itself_to_screen_readers(drawn):
    for chart in drawn:
        root = ET.fromstring(chart.svg)  # noqa: S314  (we drew it)
        ids = {e.get("id") for e in root.iter()}
        assert root.get("role") == "img"
        assert set(root.get("aria-labelledby").split()) <= ids
        assert root.find(f"{SVG}title").text == chart.title
        assert root.find(f"{SVG}desc").text == chart.alt
        assert root.get("viewBox").startswith("0 0 648 ")


def test_every_reference_inside_a_chart_is_resolved(drawn):
    for chart in drawn:
        root = ET.fromstring(chart.svg)  # noqa: S314  (we drew it)
        ids = {e.get("id") for e in root.iter()}
        for element in root.iter():
            for name, value in element.attrib.items():
                if name == "href":
                    assert value.removeprefix("#") in ids
                if value.startswith("url(#"):
                    assert value[5:-1] in ids


def test_the_fault_is_named_in_every_chart(drawn):
    for chart in drawn:
        assert "replica-crash llm-1" in chart.svg, chart.key


def test_drawing_twice_gives_the_same_bytes(drill, drawn):
    assert [c.svg for c in charts(drill)] == [c.svg for c in drawn]


def test_a_users_matplotlib_settings_change_nothing(drill, drawn):
    with matplotlib.rc_context({"axes.facecolor": "red", "font.size": 30, "svg.fonttype": "path"}):
        assert charts(drill)[0].svg == drawn[0].svg
        assert matplotlib.rcParams["font.size"] == 30


def test_words_say_what_the_picture_shows(drill, drawn):
    alt = {c.key: c.alt for c in drawn}
    assert alt["requests"] == "Requests finished: 4 error, 2 truncated, 414 ok."
    assert "llm-1: down 540 ms from 30.2 s, starting 5.65 s from 30.8 s" in alt["replicas"]
    assert "page-1h paged at 31.0 s" in alt["burn"]


def test_the_ttft_threshold_comes_from_the_objective(drill):
    assert ttft_limits(drill) == (1.0,)
    assert ttft_limits(replace(drill, results=())) == ()


def test_outcomes_are_counted_when_they_end_and_none_is_lost(drill):
    rates = series.outcome_rates(drill)
    total = {name: rate.sum() * rates.width_s for name, rate in rates.by_outcome}
    assert total == {"error": 4, "truncated": 2, "ok": 414}
    assert rates.sent.sum() * rates.width_s == 420
    cut = dict(rates.by_outcome)["truncated"]
    assert np.flatnonzero(cut).tolist() == [30]


def test_rolling_percentiles_look_back_only():
    at = np.array([1.0, 2.0, 3.0, 20.0])
    value = np.array([0.1, 0.2, 0.3, 9.0])
    rolled = series.rolling_percentiles(at, value, end=20.0, window_s=5.0)
    p50 = dict(rolled.curves)["p50"]
    assert p50[rolled.times.tolist().index(3.0)] == pytest.approx(0.2)
    assert np.isnan(p50[rolled.times.tolist().index(12.0)])
    assert p50[-1] == 9.0


def test_in_flight_counts_what_was_sent_and_not_ended(drill):
    points = [replace(drill.requests[0], at=drill.started_at + t, e2e_s=d) for t, d in ((1, 10), (2, 1), (4, 2))]
    at, level = series.in_flight(replace(drill, requests=tuple(points)))

    def during(low: float, high: float) -> float:
        return level[(at >= low) & (at < high)].max()

    assert (during(0, 0.9), during(1.5, 1.8), during(2.2, 2.8), during(3.5, 3.8), during(8, 10)) == (0, 1, 2, 1, 1)


def test_dots_are_thinned_but_the_worst_one_stays_in_range():
    rng = np.random.default_rng(1)
    at, value = np.sort(rng.uniform(0, 600, 100_000)), rng.lognormal(-2, 0.5, 100_000)
    kept_at, kept = series.thinned(at, value)
    assert 100 < len(kept) <= series.MAX_DOTS
    assert kept.max() > np.percentile(value, 99.9)
    assert len(kept_at) == len(kept)


def test_a_hundred_times_the_requests_make_no_bigger_chart(factory, drawn):
    many = charts(factory.make_drill(requests=20_000))
    assert sum(len(c.svg) for c in many) < 4 * sum(len(c.svg) for c in drawn)


def test_spans_of_an_unknown_state_are_drawn_too(drill):
    odd = ReplicaSpan("llm-9", "frozen", drill.started_at + 10, drill.started_at + 20)
    chart = next(c for c in charts(replace(drill, spans=(*drill.spans, odd))) if c.key == "replicas")
    assert "frozen 10.0 s" in chart.svg


def test_text_in_other_scripts_and_mathtext_signs_is_kept_as_it_is(drill):
    fault = replace(drill.faults[0], target="模型 $x^2$")
    assert "模型 $x^2$" in charts(replace(drill, faults=(fault,)))[0].svg
