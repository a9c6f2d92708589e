"""Where a throughput curve bends."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.reports.performance.knee import LEAST_DISTANCE, find_knee

LEVELS = [1, 2, 4, 8, 16, 32, 64]


def saturating(capacity: float, half: float) -> list[tuple[float, float]]:
    return [(float(n), capacity * n / (n + half)) for n in LEVELS]


def test_a_curve_that_grows_straight_and_then_not_at_all_bends_where_it_stops() -> None:
    points = [(float(n), 10.0 * min(n, 16)) for n in LEVELS]
    knee = find_knee(points)
    assert knee is not None
    assert points[knee.index][0] == 16


def test_a_saturating_curve_has_its_knee_where_its_slope_is_the_chord_s() -> None:
    """For n/(n+h) on [a, b] the point furthest above the chord is sqrt((a+h)(b+h)) - h."""
    half = 8.0
    points = [(float(n), n / (n + half)) for n in range(1, 65)]
    knee = find_knee(points)
    assert knee is not None
    assert points[knee.index][0] == pytest.approx(math.sqrt((1 + half) * (64 + half)) - half, abs=0.5)


@pytest.mark.parametrize("points", [[], [(1.0, 5.0)], [(1.0, 5.0), (2.0, 9.0)], [(1.0, 5.0), (2.0, 5.0), (3.0, 5.0)]])
def test_too_few_points_or_a_flat_line_have_none(points: list[tuple[float, float]]) -> None:
    assert find_knee(points) is None


def test_a_straight_line_has_none() -> None:
    assert find_knee([(float(n), 3.0 * n + 1) for n in LEVELS]) is None


@pytest.mark.parametrize("tail", [[159.0, 158.7], [158.7, 160.5], [120.0, 40.0]])
def test_noise_on_the_plateau_or_a_fall_behind_it_does_not_move_it(tail: list[float]) -> None:
    points = [(1.0, 10.0), (2.0, 20.0), (4.0, 40.0), (8.0, 80.0), (16.0, 160.0), (32.0, tail[0]), (64.0, tail[1])]
    knee = find_knee(points)
    assert knee is not None
    assert points[knee.index][0] == 16


def test_levels_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="ascending"):
        find_knee([(2.0, 1.0), (1.0, 2.0), (3.0, 3.0)])


@given(capacity=st.floats(1, 1e6), half=st.floats(0.5, 50), x=st.floats(0.01, 100), y=st.floats(0.01, 100))
def test_units_do_not_move_it(capacity: float, half: float, x: float, y: float) -> None:
    points = saturating(capacity, half)
    scaled = [(a * x, b * y) for a, b in points]
    before, after = find_knee(points), find_knee(scaled)
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert after.distance == pytest.approx(before.distance, rel=1e-6)


@given(st.lists(st.floats(0, 1e6), min_size=3, max_size=20))
def test_it_is_never_an_end_and_stands_out(heights: list[float]) -> None:
    points = [(float(index), height) for index, height in enumerate(heights)]
    knee = find_knee(points)
    if knee is not None:
        assert 0 < knee.index < len(points) - 1
        assert knee.distance >= LEAST_DISTANCE
