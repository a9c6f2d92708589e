"""Selectors as PromQL: windows, births, renames and the spellings of a bucket bound."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import SreError
from sre.metrics.catalogue import Catalogue
from sre.metrics.selector import parse_selector, parse_sum
from sre.slo.rules import RuleOptions
from sre.slo.rules.durations import duration, seconds_of
from sre.slo.rules.numbers import number, percent
from sre.slo.rules.promql import counted, now, spellings, spelt
from sre.slo.words import span

PLAIN = RuleOptions()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(300, "5m"), (3600, "1h"), (86400, "1d"), (28 * 86400, "28d"), (90, "1m30s"), (0.5, "500ms"), (5400, "1h30m")],
)
def test_durations_are_written_in_whole_units(seconds, text):
    assert duration(seconds) == text
    assert seconds_of(text, "--x") == seconds


@given(st.integers(1, 10**10))
def test_every_duration_to_the_millisecond_reads_back(milliseconds):
    assert seconds_of(duration(milliseconds / 1000), "--x") == milliseconds / 1000


@pytest.mark.parametrize("text", ["", "5", "1.5h", "0s", "-1m", "1h ", "m"])
def test_what_prometheus_would_not_read_is_refused_with_the_option(text):
    with pytest.raises(SreError, match="--group-interval"):
        seconds_of(text, "--group-interval")


def test_words_have_at_most_two_units():
    assert span(2 * 86400 + 2 * 3600 + 5) == "2 d 2 h"
    assert span(0) == "0 s"


def test_numbers_are_written_as_people_write_them():
    assert number(1 - 0.999) == "0.001"
    assert number(0.02 * 28 * 24) == "13.44"
    assert percent(0.02) == "2 %"


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ("1.0", {"1", "1.0"}),
        ("1", {"1", "1.0"}),
        ("0.5", {"0.5"}),
        ("0.2", {"0.2"}),
        ("5e-05", {"5e-05", "0.00005"}),
        ("0.00005", {"5e-05", "0.00005"}),
        ("1000000", {"1000000", "1000000.0", "1e+06"}),
        ("2500000.0", {"2500000", "2500000.0", "2.5e+06"}),
        ("+Inf", {"+Inf"}),
    ],
)
def test_a_bound_is_asked_for_in_every_spelling(bound, expected):
    assert set(spellings(bound)) == expected


@given(st.floats(1e-7, 1e9, allow_nan=False))
def test_all_spellings_of_a_bound_are_the_same_number(bound):
    assert {float(text) for text in spellings(repr(bound))} == {bound}


def test_the_le_matcher_takes_the_bound_of_prometheus_2_and_3():
    (text,), several = spelt(parse_selector('x_bucket{le="1.0",job="a"}'), PLAIN)
    pattern = re.search(r'le=~"([^"]*)"', text)[1].replace("\\\\", "\\")
    assert several
    assert [bound for bound in ("1", "1.0", "1x0", "10", "0.1") if re.fullmatch(pattern, bound)] == ["1", "1.0"]


def test_a_bound_with_one_spelling_stays_as_written():
    assert spelt(parse_selector('x_bucket{le="0.2"}'), PLAIN) == (('x_bucket{le="0.2"}',), False)


def test_a_series_born_in_the_window_counts_whole_if_its_target_was_scraped():
    text = counted(parse_sum('x_total{code="500"}'), 3600, PLAIN)
    assert 'increase(x_total{code="500"}[1h])' in text
    assert 'last_over_time(x_total{code="500"}[1h]) unless x_total{code="500"} offset 1h' in text
    assert "and on (job, instance) (up offset 1h == 1)" in text


def test_a_new_spelling_of_a_bound_is_no_birth():
    assert "unless ignoring (le) x_bucket" in counted(parse_sum('x_bucket{le="1"}'), 300, PLAIN)


def test_a_renamed_metric_is_taken_under_the_name_an_instance_has():
    options = replace(PLAIN, catalogue=Catalogue.shipped())
    text = counted(parse_sum("vllm:time_per_output_token_seconds_count"), 300, options)
    newer, older = "vllm:inter_token_latency_seconds_count", "vllm:time_per_output_token_seconds_count"
    assert f"((increase({newer}[5m])) or (increase({older}[5m])))" in text


def test_several_selectors_are_told_apart_before_they_are_summed():
    text = now(parse_sum("a + b"), PLAIN)
    assert text == '(label_replace(a, "sre_part", "0", "", "") or label_replace(b, "sre_part", "1", "", ""))'
