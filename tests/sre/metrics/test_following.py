"""Asking again for a window that moves on: the answers of the source itself, for a fraction of what it is asked."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sre.metrics.following import FollowingSamples
from sre.metrics.model import Selector, Series, SeriesId
from sre.metrics.selector import series_filter


class Growing:
    """Series born at different times; counts the samples it hands out."""

    name = "memory"

    def __init__(self):
        self.given = 0
        self.all = [
            Series(SeriesId("x", (("n", str(n)),)), np.arange(10.0 * n, 500.0), np.arange(10.0 * n, 500.0))
            for n in range(4)
        ]

    def series(self, selector, *, start, end):
        wanted, found = series_filter(selector), []
        for one in self.all:
            inside = (one.times > start) & (one.times <= end)
            if wanted(one.id) and inside.any():
                found.append(Series(one.id, one.times[inside], one.values[inside]))
                self.given += int(inside.sum())
        return found


def plain(found):
    return [(one.id, one.times.tolist(), one.values.tolist()) for one in found]


@given(st.lists(st.tuples(st.integers(-20, 60), st.integers(1, 200)), min_size=1, max_size=12))
def test_its_answers_are_the_sources_own_however_the_window_moves(moves):
    inner, selector, end = Growing(), Selector("x"), 50.0
    following = FollowingSamples(inner)
    for step, width in moves:
        end = max(1.0, end + step)
        assert plain(following.series(selector, start=end - width, end=end)) == plain(
            inner.series(selector, start=end - width, end=end)
        )


def test_a_window_that_moves_on_costs_only_what_is_new():
    inner, selector = Growing(), Selector("x")
    following = FollowingSamples(inner)
    for end in range(300, 310):
        following.series(selector, start=end - 200.0, end=float(end))
    assert inner.given == 4 * (200 + 9)


def test_a_source_without_native_histograms_has_none():
    assert FollowingSamples(Growing()).histograms(Selector("x"), start=0.0, end=1.0) == []
