"""Samples on one grid: what counters grew by, over restarts and gaps; what gauges stand at."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.incidents.causes.definitions import SymptomRule
from sre.incidents.causes.readings import FLEET, Readings, ticks_of
from sre.incidents.causes.supervisor import event_symptoms
from sre.incidents.model import PlatformEvent
from sre.metrics.model import Selector, Series, SeriesId


def series(name, times, values, **labels):
    return Series(SeriesId(name, tuple(sorted(labels.items()))), np.array(times, float), np.array(values, float))


def readings(made, *given, end=100.0):
    source = made.MadeSamples([series("up", range(10), [1] * 10), *given])
    return Readings(source, ticks_of(source, start=-1, end=end), start=-1, end=end)


def grown(made, *given, **labels):
    return readings(made, *given).increases([Selector("n")], **{"by_replica": False, **labels})


def test_a_counter_that_fell_began_anew(made):
    found = grown(made, series("n", range(10), [5, 7, 9, 9, 2, 3, 3, 3, 3, 3]))[FLEET]
    assert found[1:].tolist() == [2, 2, 0, 2, 1, 0, 0, 0, 0]
    assert np.isnan(found[0])


def test_growth_over_a_gap_is_counted_at_its_end(made):
    found = grown(made, series("n", [0, 1, 2, 6, 7], [1, 2, 3, 13, 14]))[FLEET]
    assert found[6] == 10
    assert np.isnan(found[4:6]).all()


def test_a_labelled_counter_that_appears_late_appears_from_nothing(made):
    assert grown(made, series("n", [6, 7], [3, 4]))[FLEET][6:8].tolist() == [3, 1]


def test_series_are_summed_per_replica_and_those_of_none_are_left_out(made):
    parts = [series("n", range(10), range(10), replica="a", x=x) for x in "12"]
    found = grown(made, *parts, series("n", range(10), range(10)), by_replica=True)
    assert list(found) == ["a"]
    assert found["a"][1:].tolist() == [2.0] * 9


@given(st.lists(st.integers(0, 50), min_size=10, max_size=10), st.integers(1, 9))
def test_what_a_counter_grew_by_adds_up_over_restarts(made, steps, restart):
    values = np.concatenate((np.cumsum(steps[:restart]), np.cumsum(steps[restart:])))
    found = grown(made, series("n", range(10), values))[FLEET]
    # one that is as high after its restart as before cannot be told from one that went on
    if values[restart] < values[restart - 1]:
        assert np.nansum(found) == sum(steps[1:])


def test_scrapes_that_are_missing_are_ticks_all_the_same(made):
    source = made.MadeSamples([series("up", [0, 1, 2, 3, 9, 10], [1] * 6)])
    assert ticks_of(source, start=-1, end=20).times.tolist() == list(range(11))


def test_targets_that_are_scraped_a_little_later_share_the_ticks(made):
    late = [t + 0.4 for t in range(10)]
    source = made.MadeSamples([series("up", range(11), [1] * 11, i="a"), series("up", late, [1] * 10, i="b")])
    ticks = ticks_of(source, start=-1, end=20)
    assert len(ticks.times) == 11


@pytest.mark.parametrize("times", [[], [3.0]])
def test_without_scrapes_there_is_no_grid(made, times):
    source = made.MadeSamples([series("up", times, [1] * len(times))] if times else [])
    assert ticks_of(source, start=-1, end=20) is None


def start_rule():
    return SymptomRule("start-slow", "{subject} {after} {before}", "replica", "start", least=2.5)


def events(*told):
    return [PlatformEvent(at, name, replica) for at, name, replica in told]


def slow_starts(told, end=60.0):
    return list(event_symptoms([start_rule()], events(*told), start=10.0, end=end))


USUAL = ((0, "replica_started", "a"), (2, "replica_ready", "a"), (0, "replica_started", "b"), (2, "replica_ready", "b"))


def test_a_start_that_takes_far_longer_than_the_others_stands_out():
    (found,) = slow_starts((*USUAL, (20, "replica_started", "a"), (32, "replica_ready", "a")))
    assert (found.replicas, found.text) == (("a",), "a 12.0 2.0")


def test_a_start_that_has_not_ended_counts_so_far():
    (found,) = slow_starts((*USUAL, (20, "replica_started", "a")))
    assert found.text == "a 40.0 so far 2.0"


def test_a_start_like_the_others_does_not_stand_out():
    assert slow_starts((*USUAL, (20, "replica_started", "a"), (23, "replica_ready", "a"))) == []
