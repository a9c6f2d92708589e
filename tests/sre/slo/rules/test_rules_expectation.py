"""What the generated tests expect: synthetic histories, when alerts fire over them, and the text they then carry."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.metrics.selector import parse_sum, series_filter
from sre.slo.model import RawSli, ThresholdSli
from sre.slo.rules import RuleOptions
from sre.slo.rules.build import rule_set
from sre.slo.rules.examples import one_series, roles
from sre.slo.rules.expansion import expanded, humanize_duration, humanize_percentage
from sre.slo.rules.expectation import expected
from sre.slo.rules.recordings import windows_of
from sre.slo.rules.scenario import Phase, Synthetic, grid_for, notation, traffic
from sre.slo.tiers import detection_time_s, reset_time_s

OPTIONS = RuleOptions()


@pytest.mark.parametrize(
    ("total", "side"),
    [
        ('r{outcome=~"ok|error|cut"}', 'r{outcome=~"error|cut"}'),
        ("r", 'r{code=~"(5..|429)"}'),
        ('r{job="a",code!~"4.."}', 'r{job="a",code=~"5.."}'),
        ("r_count", 'r_bucket{le="1.0"}'),
        ("r", "good"),
        ('a{x=~"[ab]+"} + b', 'a{x=~"a",y!=""}'),
    ],
)
def test_series_are_found_that_the_selectors_match(total, side):
    wanted, counted = parse_sum(total), parse_sum(side)
    found = roles(wanted, counted)
    assert sum(series_filter(s)(found.rest) for s in wanted) == 1
    assert not any(series_filter(s)(found.rest) for s in counted)
    assert sum(series_filter(s)(found.side) for s in counted) == 1
    assert any(series_filter(s)(found.side) for s in wanted) is not found.apart


def test_a_pattern_that_defeats_the_guessing_finds_nothing():
    assert one_series(parse_sum('r{x=~"(?=q)q{7}"}')) is None


def history(slo, phases, grid):
    rules = rule_set(slo, OPTIONS)
    series = traffic(slo, phases, grid, OPTIONS)
    return rules, {one.tier.name: one for one in expected(rules, series, grid, OPTIONS)}


@pytest.mark.parametrize("share", [0.03, 0.1, 1.0])
def test_firing_and_reset_follow_the_closed_forms(slo, share):
    """To an evaluation: the outage begins between two of them and ends between two."""
    slo = slo()
    tier = rule_set(slo, OPTIONS).tiers[0]
    grid = grid_for(windows_of((tier,)), tier.short_s, None)
    clean, bad = int(tier.long_s / grid.sample_s) + 1, int(1.2 * tier.long_s / grid.sample_s)
    _, tiers = history(slo, [Phase(clean), Phase(bad, share), Phase(10)], grid)
    begins, ends = (clean - 1) * grid.sample_s, (clean + bad - 1) * grid.sample_s
    fires = detection_time_s(tier, error_ratio=share, budget=slo.budget)
    over = reset_time_s(tier, error_ratio=share, budget=slo.budget)
    assert tiers["page-1h"].first() - begins == pytest.approx(fires, abs=grid.eval_s)
    assert tiers["page-1h"].last() + grid.eval_s - ends == pytest.approx(over, abs=2 * grid.eval_s)


def test_nothing_fires_without_bad_events(slo):
    grid = grid_for((300.0, 3600.0), 300.0, None)
    assert all(one.first() is None for one in history(slo(), [Phase(100)], grid)[1].values())


@pytest.mark.parametrize("sli", [RawSli(parse_sum("ratio")), RawSli(parse_sum("ratio"), failure=True)])
def test_a_raw_ratio_burns_by_its_bad_share(slo, sli):
    slo = slo(sli=sli, target=0.99)
    grid = grid_for((300.0, 3600.0), 300.0, None)
    _, tiers = history(slo, [Phase(120, 0.05)], grid)
    assert tiers["page-1h"].value[-1] == pytest.approx(5.0)


def test_a_threshold_burns_by_the_gauges_out_of_bounds(slo):
    slo = slo(sli=ThresholdSli(parse_sum("kv"), "lte", 0.9), target=0.9)
    grid = grid_for((300.0, 3600.0), 300.0, None)
    _, tiers = history(slo, [Phase(120, 0.25)], grid)
    assert tiers["page-6h"].value[-1] == pytest.approx(2.5)


@given(st.floats(0.2, 90_000.0), st.sampled_from([3600.0, 21600.0, 86400.0]))
def test_no_window_is_a_multiple_of_the_grid(short, other):
    windows = (short, 12 * short, other)
    grid = grid_for(windows, short, None)
    assert all(round(w * 1000) % round(grid.eval_s * 1000) for w in windows)
    assert grid.eval_s <= short / 4


def read_notation(text):
    values = []
    for part in text.split():
        if part.startswith("_x"):
            continue
        start, sign, step, count = _parts(part)
        values += [start + sign * step * k for k in range(count + 1)]
    return values


def _parts(part):
    head, _, count = part.rpartition("x")
    place = max(head.rfind("+", 1), head.rfind("-", 1))
    return float(head[:place]), -1 if head[place] == "-" else 1, float(head[place + 1 :]), int(count)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_the_notation_of_promtool_reads_back(steps):
    series = make(np.cumsum(steps).astype(float))
    assert read_notation(notation(Synthetic(series, True, True))) == series.values.tolist()


def make(values):
    from sre.metrics.model import Series, SeriesId

    return Series(SeriesId("x", ()), np.arange(values.size, dtype=float), values)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59, "59s"), (61, "1m 1s"), (3600, "1h 0m 0s"), (180000, "2d 2h 0m 0s"), (2419200, "28d 0h 0m 0s")],
)
def test_durations_read_as_prometheus_humanizes_them(seconds, text):
    assert humanize_duration(seconds) == text


@pytest.mark.parametrize(("share", "text"), [(0.02, "2%"), (0.33333, "33.33%"), (10.0, "1000%"), (0, "0%")])
def test_percentages_read_as_prometheus_humanizes_them(share, text):
    assert humanize_percentage(share) == text


def test_annotations_expand_to_figures(slo):
    alert = rule_set(slo(), OPTIONS).alerts[0]
    text = expanded(dict(alert.annotations)["description"], 28.8)
    assert "burned 28.8 times as fast as 99.9 % over 30d allows" in text
    assert "This took 4% of the period's budget; at this rate a full budget lasts 1d 1h 0m 0s." in text
    assert "{{" not in text
