"""A change is where a series leaves its own past, and nothing else is one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.incidents.causes.changes import MIN_BASELINE, first_change


def noise(n, *, seed=0, spread=1.0):
    return 10.0 + spread * np.random.default_rng(seed).standard_normal(n)


@given(at=st.integers(MIN_BASELINE + 4, 50), seed=st.integers(0, 200), step=st.floats(15, 100))
def test_a_step_is_found_where_it_is(at, seed, step):
    x = noise(70, seed=seed)
    x[at:] += step
    found = first_change(x, direction="up", least=5.0)
    assert found is not None
    assert abs(found.index - at) <= 3
    assert found.after - found.before == pytest.approx(step, abs=5)


@given(seed=st.integers(0, 500))
def test_noise_is_no_change(seed):
    assert first_change(noise(200, seed=seed), direction="up", least=5.0) is None


@given(seed=st.integers(0, 100), spike=st.floats(1, 1e6), at=st.integers(0, 59))
def test_one_odd_point_is_no_change(seed, spike, at):
    x = noise(60, seed=seed, spread=0.1)
    x[at] += spike
    assert first_change(x, direction="up", least=5.0) is None


@given(seed=st.integers(0, 50), scale=st.floats(0.01, 1e4), shift=st.floats(-1e4, 1e4))
def test_units_and_origin_of_the_metric_do_not_matter(seed, scale, shift):
    x = noise(60, seed=seed)
    x[30:45] += 20
    plain = first_change(x, direction="up", least=5.0)
    scaled = first_change(x * scale + shift, direction="up", least=5.0 * scale)
    assert plain is not None
    assert scaled is not None
    assert scaled.index == plain.index
    assert scaled.units == pytest.approx(plain.units, rel=1e-3)


def test_a_return_to_normal_is_no_change():
    x = noise(60)
    x[20:40] -= 9.9
    assert first_change(x, direction="up", least=3.0) is None
    assert first_change(x, direction="down", least=3.0).index == 20


def test_what_is_unknown_is_skipped():
    x = noise(60)
    x[10:25:2] = np.nan
    x[30:] += 30
    assert first_change(x, direction="up", least=5.0).index == 30


def test_a_change_without_a_past_is_none():
    x = np.concatenate((noise(MIN_BASELINE - 1), noise(2) + 50))
    assert first_change(x, direction="up", least=5.0) is None


def test_less_than_what_counts_is_none():
    x = noise(60, spread=0.01)
    x[30:] += 1.0
    assert first_change(x, direction="up", least=2.0) is None
