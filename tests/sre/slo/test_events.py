"""Every kind of SLI becomes the same two curves, read from any source."""

import numpy as np
import pytest

from sre.errors import NoData
from sre.metrics.selector import parse_sum
from sre.slo.events import read_events, selectors_of, sli_events, slo_events
from sre.slo.model import RatioSli, RawSli, Slo, ThresholdSli

TIMES = np.arange(0.0, 11.0)
DAY_S = 86400.0


def slo(sli, **options):
    return Slo("a", "A", "", "s", 0.99, 28 * DAY_S, sli, "a.yaml", **options)


def counted(source, sli, start=0.0, end=10.0):
    return sli_events(source, sli, start=start, end=end).between(start, end)


def test_samples_that_are_counts_need_no_base(samples, series):
    source = samples(series("jobs", TIMES, [5] * 11), series("failed", TIMES, [0, 1] * 5 + [0]))
    sli = RatioSli(total=parse_sum("jobs"), bad=parse_sum("failed"), counter=False)
    assert counted(source, sli) == (5, 50)
    assert counted(source, RatioSli(total=parse_sum("jobs"), good=parse_sum("failed"), counter=False)) == (45, 50)


def test_counts_that_are_no_numbers_count_nothing(samples, series):
    source = samples(series("jobs", [1, 2, 3], [5, np.nan, -5]))
    assert counted(source, RatioSli(total=parse_sum("jobs"), counter=False)) == (0, 5)


def test_each_sample_of_a_ratio_is_one_event(samples, series):
    source = samples(series("ratio", [1, 2, 3, 4], [1.0, 0.5, np.nan, 1.0]))
    assert counted(source, RawSli(parse_sum("ratio"))) == (0.5, 3)
    assert counted(source, RawSli(parse_sum("ratio"), failure=True)) == (2.5, 3)


def test_a_percentage_is_no_ratio(samples, series):
    with pytest.raises(NoData, match=r"99\.5 at 2 lies outside 0 to 1: divide a percentage by 100"):
        counted(samples(series("ratio", [1, 2], [1.0, 99.5])), RawSli(parse_sum("ratio")))


@pytest.mark.parametrize(("op", "bad"), [("lte", 2), ("lt", 3), ("gte", 2), ("gt", 3)])
def test_each_sample_of_a_gauge_is_one_event(samples, series, op, bad):
    source = samples(series("queue", [1, 2, 3, 4, 5, 6], [1, 9, 5, np.nan, 2, 8]))
    assert counted(source, ThresholdSli(parse_sum("queue"), op, 5)) == (bad, 5)


def test_several_series_of_a_gauge_weigh_alike(samples, series):
    source = samples(series("queue", [1, 2], [9, 9], r="a"), series("queue", [1.5, 2.5], [1, 1], r="b"))
    assert counted(source, ThresholdSli(parse_sum("queue"), "lte", 5)) == (2, 4)


@pytest.mark.parametrize("sli", [RawSli(parse_sum("x")), ThresholdSli(parse_sum("x"), "lte", 1)])
def test_a_gauge_without_samples_is_no_data(samples, series, sli):
    with pytest.raises(NoData, match="holds no x"):
        counted(samples(), sli)
    with pytest.raises(NoData, match=r"no x|no sample of x"):
        counted(samples(series("x", [-5.0], [0.5])), sli)


def test_the_base_of_a_slowly_scraped_counter_is_found_further_back(samples, series):
    source = samples(series("c", [-100, 50], [10, 14]))
    sli = RatioSli(total=parse_sum("c"))
    assert read_events(source, sli, start=0, end=60).total.between(0, 60) == 0
    assert read_events(source, sli, start=0, end=60, lookback_s=120).total.between(0, 60) == 4


def test_without_up_the_first_error_is_seen_by_the_series_beside_it(samples, series):
    source = samples(
        series("req", TIMES, 10 * TIMES, code="200", pod="a"), series("req", [6, 7], [3, 3], code="500", pod="a")
    )
    sli = RatioSli(total=parse_sum('req{code=~".+"}'), bad=parse_sum('req{code=~"5.."}'))
    assert counted(source, sli) == (3, 103)


def test_a_target_that_joined_with_a_history_brings_none_of_it(samples, series):
    source = samples(
        series("req", TIMES, 10 * TIMES, code="200", pod="a"),
        series("req", [6, 7], [9e6, 9e6 + 1], code="200", pod="b"),
    )
    assert counted(source, RatioSli(total=parse_sum('req{code=~".+"}'))) == (0, 101)


def test_slices_come_from_any_kind_of_sli(samples, series):
    source = samples(series("queue", np.arange(1.0, 241), [1] * 100 + [9] * 140))
    sliced = slo(ThresholdSli(parse_sum("queue"), "lte", 5), method="Timeslices", slice_s=60.0, slice_target=0.5)
    assert slo_events(source, sliced, start=0, end=240).between(0, 240) == (2, 4)
    occurrences = slo(ThresholdSli(parse_sum("queue"), "lte", 5))
    assert slo_events(source, occurrences, start=0, end=240).between(0, 240) == (140, 240)


def test_what_shows_whether_an_sli_is_watched():
    total = parse_sum("a + b")
    for sli in (RatioSli(total=total), RawSli(total), ThresholdSli(total, "lt", 1)):
        assert selectors_of(sli) == total


def test_labels_that_choose_targets_do_not_make_siblings(samples, series):
    source = samples(
        series("req", TIMES, 10 * TIMES, code="200", instance="a", zone="x"),
        series("req", [6, 7], [9e6, 9e6 + 1], code="200", instance="b", zone="y"),
    )
    both = 'req{instance=~"a|b",zone=~"x|y"}'
    sli = RatioSli(total=parse_sum(both), bad=parse_sum('req{instance=~"a|b",zone=~"x|y",code=~"5.."}'))
    assert counted(source, sli) == (0, 101)


def test_a_period_finds_its_base_five_minutes_back(samples, series):
    source = samples(series("c", [-200, 50], [10, 14]), series("c", [-400, 50], [10, 14], r="2"))
    assert slo_events(source, slo(RatioSli(total=parse_sum("c"))), start=0, end=60).total.between(0, 60) == 4
