"""Numbers as people read them."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from sre.reports import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0842, "84 ms"), (0.9994, "999 ms"), (0.9996, "1.00 s"), (1.843, "1.84 s"), (12.84, "12.8 s"),
        (124.4, "124 s"), (724.0, "12 min 4 s"), (-0.5, "-500 ms"), (None, "n/a"), (math.nan, "n/a"), (math.inf, "n/a"),
    ],
)  # fmt: skip
def test_elapsed_time(value, text):
    assert formats.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3600, "1 h"),
        (300, "5 min"),
        (259200, "3 d"),
        (86400, "1 d"),
        (60, "60 s"),
        (5, "5 s"),
        (0.5, "0.5 s"),
        (90, "90 s"),
    ],
)
def test_windows_are_exact(value, text):
    assert formats.window(value) == text


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0.9857, "98.57 %"),
        (1.0, "100.00 %"),
        (0.0, "0.00 %"),
        (0.999999, "99.999900 %"),
        (0.00001, "0.001 %"),
        (None, "n/a"),
    ],
)
def test_percentages_never_round_a_failure_away(ratio, text):
    assert formats.percent(ratio) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [("12.3456", "$12.35"), ("0.006723", "$0.0067"), ("0", "$0.00"), ("0.25116", "$0.25"), ("1234.5", "$1,234.50")],
)
def test_small_sums_stay_visible(amount, text):
    assert formats.money(Decimal(amount), "USD") == text


def test_unknown_money_is_not_zero():
    assert formats.money(None, "USD") == "n/a"
    assert formats.money(Decimal("2"), "CHF") == "CHF 2.00"


def test_clock_is_utc_to_the_millisecond():
    assert formats.clock(1_790_000_000.0004) == "14:13:20.000"
    assert formats.clock(1_790_000_000.9996) == "14:13:21.000"
