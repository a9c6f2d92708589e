"""Requests good by several SLIs: the bounds hold for every way the failures may overlap, and nothing tighter does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.slo.burn import SliEvents, burn_curves
from sre.slo.counters import EventCurve
from sre.slo.goodput import joint_bounds, joint_events
from sre.slo.model import BurnTier, DrillClock


def test_bounds_of_shares():
    assert joint_bounds([0.9, 0.8]) == pytest.approx((0.7, 0.8))
    assert joint_bounds([0.5, 0.3]) == (0.0, 0.3)
    assert joint_bounds([0.4]) == (0.4, 0.4)
    with pytest.raises(ValueError, match="at least one"):
        joint_bounds([])


def events_of(bad, total):
    times = np.arange(1.0, len(bad) + 1)
    return SliEvents(EventCurve(times, np.cumsum(bad, dtype=float)), EventCurve(times, np.cumsum(total, dtype=float)))


def windows(joint, spans):
    start, end = (np.array(side, dtype=float) for side in zip(*spans, strict=True))
    most, total = joint.within(start, end)
    return list(zip(joint.least_within(start, end).tolist(), most.tolist(), total.tolist(), strict=True))


def test_bounds_are_of_each_windows_sums():
    joint = joint_events([events_of([8, 0], [10, 10]), events_of([0, 8], [10, 10])])
    # added up second by second the least were 16; from the sums of both seconds no more than 8 follows
    assert windows(joint, [(0, 1), (1, 2), (0, 2)]) == [(8, 8, 10), (8, 8, 10), (8, 16, 20)]


def test_one_sli_is_itself():
    one = events_of([1], [2])
    assert joint_events([one]) is one


def test_requests_another_sli_did_not_see_are_unknown_unless_it_does_not_apply():
    answered, first_token = events_of([2], [10]), events_of([1], [8])
    assert windows(joint_events([answered, first_token]), [(0, 1)]) == [(2, 5, 10)]
    assert windows(joint_events([answered, first_token], uncovered="good"), [(0, 1)]) == [(2, 3, 10)]


def test_never_more_than_everything_is_bad():
    joint = joint_events([events_of([9], [10]), events_of([9], [12])])
    assert windows(joint, [(0, 1)]) == [(9, 10, 10)]


REQUESTS = st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.booleans(), st.booleans()), max_size=40)


@settings(max_examples=150, deadline=None)
@given(requests=REQUESTS, start=st.integers(0, 10), length=st.integers(0, 10))
def test_what_really_happened_lies_in_the_band_of_every_window(requests, start, length):
    def curve(is_bad):
        bad, total = np.zeros(10), np.zeros(10)
        for at, *flags in requests:
            bad[at] += is_bad(flags)
            total[at] += 1
        return events_of(bad, total)

    parts = [curve(lambda flags, i=i: flags[i]) for i in range(3)]
    truth = curve(any)
    joint = joint_events(parts)
    ((least, most, total),) = windows(joint, [(start, start + length)])
    bad, seen = truth.between(start, start + length)
    assert total == seen
    assert least <= bad <= most
    shares = [1 - part.between(start, start + length)[0] / seen for part in parts] if seen else [1.0]
    assert joint_bounds(shares) == pytest.approx((1 - most / seen, 1 - least / seen) if seen else (1, 1))
    # the plain curves, for whoever reads them without windows, hold too
    assert joint.bad_least.between(start, start + length) <= bad <= joint.bad.between(start, start + length)


def test_burn_curves_and_exclusions_see_the_windows_bounds():
    joint = joint_events([events_of([8, 0, 3], [10, 10, 10]), events_of([0, 8, 3], [10, 10, 10])])
    times = np.array([1.0, 2.0, 3.0])
    tiers = [BurnTier("t", "page", 1.0, 2.0, 1.0, 0.02)]
    (burn,) = burn_curves(joint, tiers, times, budget=0.1, clock=DrillClock(1.0))
    assert burn.curve.long_burn == pytest.approx([8, 8, 7])
    assert burn.curve.short_burn == pytest.approx([8, 8, 6])
    assert windows(joint.without([(0, 2)]), [(0, 3)]) == [(3, 6, 10)]
