"""The return of drills: the same for the same seed, break-even by means and by counting, ranges that move it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sre.cost.finance import CreditStep, no_finance
from sre.cost.finance_reader import read_finance
from sre.cost.provenance import Input
from sre.cost.roi import recovered_minutes, roi, roi_inputs
from sre.cost.roi_break_even import expected_cost, expected_incident
from sre.cost.roi_model import RoiInputs
from sre.cost.triangular import Triangular
from sre.errors import SreError
from sre.incidents.codec import encode

ROOT = Path(__file__).parents[3]
YEARS = 8_000


def one(name: str, value: str, low: str | None = None, high: str | None = None) -> Input:
    ends = [None if text is None else Decimal(text) for text in (low, high)]
    return Input(name, Decimal(value), "", "assumed", "a test", *ends)


# a minute of full outage costs 10: 43,200 requests a month are one a minute, each worth 10
SURE = RoiInputs(
    currency="USD",
    incidents_without=one("without", "10"),
    incidents_with=one("with", "5"),
    minutes_without=one("minutes", "60"),
    minutes_with=one("minutes", "30"),
    share_lost=one("share", "0.5"),
    requests_a_month=one("requests", "43200"),
    good_request=one("value", "10"),
    responders_hour=one("hour", "200"),
    follow_up=one("after", "100"),
    drills_a_month=one("drills", "1"),
    drill_cost=one("drill", "50"),
    fixed_cost=one("fixed", "400"),
)
GUESSED = replace(
    SURE,
    incidents_without=one("without", "10", "4", "20"),
    incidents_with=one("with", "5", "2", "12"),
    minutes_without=one("minutes", "60", "10", "240"),
    minutes_with=one("minutes", "30", "5", "100"),
    share_lost=one("share", "0.5", "0.1", "1"),
    good_request=one("value", "10", "2", "30"),
    drill_cost=one("drill", "50", "20", "200"),
    monthly_fee=one("fee", "20000"),
    credit_steps=(CreditStep(Decimal("0.999"), Decimal(10)), CreditStep(Decimal("0.99"), Decimal(25))),
)


def test_hand_computed_means() -> None:
    assert expected_cost(SURE) == 1000  # 12 x 50 + 400
    assert expected_incident(SURE, SURE.minutes_without) == 600  # 60 x 0.5 x 10 + 1 h x 200 + 100
    assert expected_incident(SURE, SURE.minutes_with) == 350  # 30 x 0.5 x 10 + 0.5 h x 200 + 100


def test_break_even_by_hand() -> None:
    found = roi(SURE, seed=1, years=YEARS)
    assert found.break_even.avoided == Decimal("1.67")  # 1000 / 600
    assert found.break_even.shortened == Decimal("4.00")  # 1000 / (600 - 350)
    assert found.break_even.avoided_simulated == Decimal("1.67")
    assert found.break_even.shortened_simulated == Decimal("4.00")


def test_the_mean_benefit_is_that_of_the_two_rates() -> None:
    found = roi(SURE, seed=1, years=YEARS)
    assert float(found.benefit.mean) == pytest.approx(10 * 600 - 5 * 350, rel=0.02)
    assert found.cost.p10 == found.cost.p90 == 1000


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_closed_form_and_simulation_agree_on_the_break_even(seed: int) -> None:
    found = roi(GUESSED, seed=seed, years=20_000).break_even
    assert found.avoided is not None
    assert found.shortened is not None
    assert float(found.avoided_simulated or 0) == pytest.approx(float(found.avoided), rel=0.03)
    assert float(found.shortened_simulated or 0) == pytest.approx(float(found.shortened), rel=0.03)


def test_the_same_seed_gives_the_same_result_to_the_last_digit_and_another_does_not() -> None:
    assert encode(roi(GUESSED, seed=7, years=2000)) == encode(roi(GUESSED, seed=7, years=2000))
    assert roi(GUESSED, seed=7, years=2000).net != roi(GUESSED, seed=8, years=2000).net


def test_a_programme_that_changes_nothing_only_costs() -> None:
    idle = replace(GUESSED, incidents_with=GUESSED.incidents_without, minutes_with=GUESSED.minutes_without)
    found = roi(idle, seed=1, years=2000)
    assert found.benefit.mean == 0
    assert found.chance_positive == 0
    assert found.ratio == -1
    assert found.break_even.shortened is None  # a shorter incident saves nothing: it is not shorter


def test_drills_that_cause_incidents_count_against_the_programme() -> None:
    worse = replace(SURE, incidents_with=one("with", "15"), minutes_with=SURE.minutes_without)
    found = roi(worse, seed=1, years=YEARS)
    assert float(found.benefit.mean) == pytest.approx(-5 * 600, rel=0.05)


def test_a_programme_for_nothing_has_no_ratio() -> None:
    free = replace(SURE, drill_cost=one("drill", "0"), fixed_cost=None)
    assert roi(free, seed=1, years=500).ratio is None


def test_the_widest_swing_comes_first_and_what_has_no_range_moves_nothing() -> None:
    found = roi(GUESSED, seed=1, years=2000).swings
    assert [swing.width for swing in found] == sorted((swing.width for swing in found), reverse=True)
    assert {swing.name for swing in found}.isdisjoint({"requests_a_month", "monthly_fee", "fixed_cost"})
    drill = next(swing for swing in found if swing.name == "drill_cost")
    assert drill.at_low - drill.at_high == 12 * 180  # nothing but its own cost


def test_measured_recoveries_take_the_place_of_assumed_minutes_from_three_on() -> None:
    finance = read_finance(ROOT / "finance.yaml")
    assert roi_inputs(finance, recoveries_s=[60.0, 120.0]).minutes_with.basis == "assumed"
    found = roi_inputs(finance, recoveries_s=[60.0, 600.0, 120.0], measured_in="drills").minutes_with
    assert (found.basis, found.low, found.value, found.high) == ("measured", 1, 2, 10)
    assert "3 recoveries of drills" in found.source
    assert recovered_minutes([], "drills") is None


def test_what_a_return_needs_is_named_when_it_is_missing() -> None:
    with pytest.raises(SreError, match="a return needs programme, good_request, requests_a_month, labour"):
        roi_inputs(no_finance("USD"))


ends = st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100)).map(sorted)


@given(ends, st.lists(st.floats(0, 0.999), min_size=1, max_size=20))
def test_a_quantile_lies_within_its_bounds_and_rises(bounds: list[float], u: list[float]) -> None:
    given_ = Triangular(*bounds)
    found = given_.quantile(np.sort(np.array(u)))
    assert (found >= bounds[0] - 1e-9).all()
    assert (found <= bounds[2] + 1e-9).all()
    assert (np.diff(found) >= -1e-9).all()


@given(ends, st.floats(0.001, 0.999))
def test_the_share_above_a_quantile_is_what_is_left(bounds: list[float], u: float) -> None:
    given_ = Triangular(*bounds)
    if bounds[2] - bounds[0] > 1e-3:
        assert float(given_.above(given_.quantile(np.array([u])))[0]) == pytest.approx(1 - u, abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 40), st.integers(1, 500))
def test_a_dearer_drill_needs_more_incidents_to_pay(cheap: int, more: int) -> None:
    low, high = (
        roi(replace(SURE, drill_cost=one("drill", str(cost))), seed=1, years=300).break_even.avoided
        for cost in (cheap, cheap + more)
    )
    assert low is not None
    assert high is not None
    assert low <= high


def test_amounts_of_many_digits_are_kept_to_the_cent() -> None:
    dear = replace(SURE, good_request=one("value", "1E15"), requests_a_month=one("requests", "1E15"))
    assert roi(dear, seed=1, years=100).benefit.mean > Decimal("1E25")


def test_more_incidents_than_memory_holds_are_refused_with_what_to_change() -> None:
    many = replace(SURE, incidents_without=one("without", "100000"))
    with pytest.raises(SreError, match=r"give fewer --years"):
        roi(many, seed=1, years=20_000)
