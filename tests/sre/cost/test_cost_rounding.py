"""Rounded parts add up to the rounded whole."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from sre.cost.rounding import CENT, MOST_EXACT, apportioned, rounded, total

parts = st.lists(st.fractions(min_value=0, max_value=10**6), min_size=1, max_size=12)
quanta = st.sampled_from([CENT, Decimal("0.001"), MOST_EXACT, Decimal(1)])


@given(parts, quanta)
def test_the_parts_add_up_to_the_rounded_whole(exact: list[Fraction], quantum: Decimal) -> None:
    assert total(apportioned(exact, quantum)) == rounded(sum(exact, Fraction(0)), quantum)


@given(parts, quanta)
def test_no_part_is_off_by_a_whole_quantum(exact: list[Fraction], quantum: Decimal) -> None:
    for value, shown in zip(exact, apportioned(exact, quantum), strict=True):
        assert abs(Fraction(shown) - value) < Fraction(quantum)


@given(parts, quanta)
def test_nothing_stays_nothing_and_nothing_is_below_it(exact: list[Fraction], quantum: Decimal) -> None:
    for value, shown in zip(exact, apportioned(exact, quantum), strict=True):
        assert shown >= 0
        assert shown == 0 or value != 0


def test_what_is_left_goes_to_the_largest_remainder() -> None:
    thirds = [Decimal("0.333"), Decimal("0.334"), Decimal("0.333")]
    assert apportioned(thirds, CENT) == (Decimal("0.33"), Decimal("0.34"), Decimal("0.33"))


def test_of_equal_remainders_the_first_gets_it() -> None:
    assert apportioned([Fraction(1, 3)] * 3, CENT) == (Decimal("0.34"), Decimal("0.33"), Decimal("0.33"))


def test_large_sums_lose_no_digit() -> None:
    exact = [Decimal("123456789012345678.000000000001"), Decimal("0.000000000001")]
    assert str(total(apportioned(exact))) == "123456789012345678.000000000002"
