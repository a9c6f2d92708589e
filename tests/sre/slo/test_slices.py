"""Time slices: which there are, when they are bad, and what an empty one is."""

from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.errors import SreError
from sre.slo.burn import SliEvents
from sre.slo.counters import EventCurve
from sre.slo.model import CalendarWindow, RatioSli, Slo
from sre.slo.slices import slice_edges, slice_events


def slo(**options):
    chosen = {"method": "Timeslices", "slice_s": 60.0, "slice_target": 0.9, **options}
    return Slo("a", "A", "", "s", 0.99, 86400.0, RatioSli(total=()), "slo/a.yaml", **chosen)


def events_of(*steps, least=None):
    """(time, bad, total) at each step."""
    times, bad, total = (np.array(column, dtype=float) for column in zip(*steps, strict=True))
    lowest = None if least is None else EventCurve(times, np.cumsum(np.array(least, dtype=float)))
    return SliEvents(EventCurve(times, np.cumsum(bad)), EventCurve(times, np.cumsum(total)), lowest)


def at_each(slices):
    bad, total = (np.diff(curve.counts, prepend=0.0) for curve in (slices.bad, slices.total))
    assert not bad[total == 0].any()
    return dict(zip(slices.total.times[total == 1].tolist(), bad[total == 1].tolist(), strict=True))


SERVED = ((30, 0, 10), (60, 1, 10), (90, 2, 10), (120, 2, 10), (150, 0, 0), (270, 10, 10))


def test_a_slice_is_one_event_at_its_end_bad_below_its_target():
    found = slice_events(slo(), events_of(*SERVED), start=0, end=300)
    assert at_each(found) == {60: 0, 120: 1, 300: 1}
    assert found.between(0, 300) == (2, 3)


def test_a_ratio_slice_is_bad_by_its_error_ratio():
    found = slice_events(slo(method="RatioTimeslices"), events_of(*SERVED), start=0, end=300)
    assert at_each(found) == pytest.approx({60: 0.05, 120: 0.2, 300: 1})


def test_a_slice_of_just_its_target_is_good():
    for target, bad in ((0.9, 1), (0.7, 3), (0.95, 0.5)):
        assert at_each(slice_events(slo(slice_target=target), events_of((60, bad, 10)), start=0, end=60)) == {60: 0}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("ignore", {60: 0, 120: 1, 300: 1}),
        ("good", {60: 0, 120: 1, 180: 0, 240: 0, 300: 1, 360: 0}),
        ("bad", {60: 0, 120: 1, 180: 0, 240: 1, 300: 1, 360: 1}),  # 180 was watched and idle, 240 and 360 were blind
    ],
)
def test_slices_without_events_follow_the_policy(policy, expected):
    assert at_each(slice_events(slo(no_data=policy), events_of(*SERVED), start=0, end=360)) == expected


def test_an_idle_slice_is_no_event_and_yet_was_observed():
    found = slice_events(slo(), events_of(*SERVED), start=0, end=360)
    assert found.total.times.tolist() == [60, 120, 180, 300]
    assert found.total.counts.tolist() == [1, 2, 2, 3]


def test_before_the_first_sample_there_may_have_been_no_service():
    late = events_of((250, 0, 10))
    assert at_each(slice_events(slo(no_data="bad"), late, start=0, end=360)) == {300: 0, 360: 1}


def test_cut_slices_are_left_out():
    found = slice_events(slo(), events_of(*SERVED), start=10, end=299)
    assert list(at_each(found)) == [120]


def test_slices_are_aligned_to_the_epoch_or_to_the_calendars_start():
    assert slice_edges(100.0, 300.0, 60.0).tolist() == [120, 180, 240, 300]
    start = datetime(1970, 1, 1, 1, 0, 10)  # noqa: DTZ001  (wall time)
    calendar = CalendarWindow(1, "d", start, ZoneInfo("Europe/Berlin"))
    found = slice_events(slo(calendar=calendar), events_of((65, 0, 1), (75, 1, 1)), start=0, end=300)
    assert at_each(found) == {70: 0, 130: 1}


def test_a_band_of_events_is_a_band_of_slices():
    found = slice_events(slo(), events_of((60, 3, 10), (120, 0, 10), least=[0, 0]), start=0, end=120)
    assert (found.between(0, 120), found.least_between(0, 120)) == ((1, 2), 0)


def test_a_range_without_a_whole_slice_holds_none():
    found = slice_events(slo(), events_of((20, 1, 1)), start=10, end=50)
    assert found.between(0, 100) == (0, 0)


def test_slices_without_a_length_are_refused():
    with pytest.raises(SreError, match=r"slo/a.yaml:1: a uses Timeslices and says no timeSliceWindow"):
        slice_events(slo(slice_s=None), events_of((60, 0, 1)), start=0, end=60)


@settings(max_examples=150, deadline=None)
@given(
    steps=st.lists(st.tuples(st.integers(1, 40), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=20),
    start=st.integers(0, 100),
    length=st.integers(0, 300),
    policy=st.sampled_from(["ignore", "bad", "good"]),
    method=st.sampled_from(["Timeslices", "RatioTimeslices"]),
)
def test_agrees_with_a_walk_over_the_slices(steps, start, length, policy, method):
    at, walked = start, []
    for gap, bad, good in steps:
        at += gap
        walked.append((at, bad, bad + good))
    one = slo(method=method, slice_s=20.0, slice_target=0.5, no_data=policy)
    found = at_each(slice_events(one, events_of(*walked), start=start, end=start + length))
    expected = {}
    for end in range(0, start + length + 1, 20):
        if end - 20 < start:
            continue
        inside = [step for step in walked if end - 20 < step[0] <= end]
        bad, total = sum(b for _, b, _ in inside), sum(t for _, _, t in inside)
        if total:
            expected[end] = bad / total if method == "RatioTimeslices" else float(1 - bad / total < 0.5)
        elif policy != "ignore" and walked[0][0] <= end:
            expected[end] = float(policy == "bad" and not inside)
    assert found == pytest.approx(expected)
