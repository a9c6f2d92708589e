"""Money of an option: what is paid, what failures are expected to cost, and where a spot price comes from."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.cost.credits import percent_of
from sre.cost.finance import CreditStep, ServiceCredits, no_finance
from sre.cost.finance_reader import read_finance
from sre.cost.model import Price
from sre.cost.provenance import Input
from sre.errors import BadDocument
from sre.reliability.history import Histories
from sre.reliability.money import credit_percent, gpu_prices, money_of
from sre.reliability.months import simulate
from sre.reliability.rates import SpotDiscount

from .conftest import SOURCE

FINANCE = Path(__file__).resolve().parents[3] / "finance.yaml"
TODAY = date(2026, 11, 25)
DISCOUNT = SpotDiscount(0.4, "assumed", SOURCE)


def price(name="own", amount="2", **more):
    facts = {"purchase": "on-demand", "provider": "us", **more}
    return Price(name, "H100", Decimal(amount), "USD", None, "a test", **facts)


def months(make, one, *faults):
    return simulate(one, make.world(*faults), Histories(seed=1, months=200, hours=720.0))


def test_the_bill_is_replicas_times_gpus_times_hours_times_price(make) -> None:
    one = make.fleet(4, 1, gpus_per_replica=4)
    prices = gpu_prices(price(), (), DISCOUNT, on=TODAY)
    found = money_of(one, months(make, one), prices, no_finance("USD"), hours=720.0)
    assert found.bill == 5 * 4 * 720 * 2
    assert (found.failures, found.total) == (None, found.bill)
    assert all(part.amount is None and part.told for part in found.parts)


def test_a_spot_machine_is_paid_while_it_is_held(make) -> None:
    one = make.fleet(2, 0, gpus_per_replica=1, spot_percent=100)
    simulated = months(make, one, make.fault(hits="spot replica", rate=1 / 50))
    prices = gpu_prices(price(), (), DISCOUNT, on=TODAY, spot=price("spot", "1"))
    held = 2 * 720 - float(simulated.spot_away_h.mean())
    bill = money_of(one, simulated, prices, no_finance("USD"), hours=720.0).bill
    assert float(bill) == pytest.approx(held, abs=0.01)
    assert bill < 2 * 720


def test_of_spot_prices_that_of_the_same_provider_is_taken() -> None:
    known = (price("theirs", "0.5", purchase="spot", provider="them"), price("ours", "1.1", purchase="spot"))
    found = gpu_prices(price(), known, DISCOUNT, on=TODAY)
    assert (found.spot, found.spot_is_assumed) == (Decimal("1.1"), False)


def test_another_providers_discount_is_an_assumption_and_says_so() -> None:
    theirs = price("theirs", "3", purchase="spot", provider="them", list_per_gpu_hour=Decimal(5))
    found = gpu_prices(price(), (theirs,), DISCOUNT, on=TODAY)
    assert (found.spot, found.spot_is_assumed) == (Decimal("1.2"), True)
    assert "theirs" in found.spot_told


def test_without_any_spot_price_the_rate_books_discount_is_taken() -> None:
    found = gpu_prices(price(), (), DISCOUNT, on=TODAY)
    assert (found.spot, found.spot_is_assumed) == (Decimal("1.2"), True)


def test_two_currencies_are_refused() -> None:
    with pytest.raises(BadDocument, match="give both in one currency"):
        gpu_prices(price(), (), DISCOUNT, on=TODAY, spot=replace(price("s"), currency="EUR"))


@given(st.floats(0, 1))
def test_credits_of_a_month_are_those_of_the_contract(availability) -> None:
    steps = tuple(
        CreditStep(Decimal(below), Decimal(percent)) for below, percent in (("0.999", 10), ("0.99", 25), ("0.95", 100))
    )
    credits = ServiceCredits(Input("fee", Decimal(1), "USD", "assumed", "a test"), steps, "a test")
    found = credit_percent(credits, np.array([availability]))[0]
    assert Decimal(int(found)) == percent_of(credits, Decimal(str(availability)))


def test_failures_cost_credits_lost_requests_and_peoples_time(make) -> None:
    one = make.fleet(1, 0)
    simulated = months(make, one, make.fault(rate=1 / 500))
    prices, finance = gpu_prices(price(), (), DISCOUNT, on=TODAY), read_finance(FINANCE)
    found = money_of(one, simulated, prices, finance, hours=720.0)
    amounts = {part.name: part.amount for part in found.parts}
    assert found.failures == sum(amounts.values())
    bad = Decimal(repr(round(float(simulated.bad.mean()), 12)))
    assert amounts["lost requests"] == (40_000_000 * bad * Decimal("0.01")).quantize(Decimal("0.01"))
    assert amounts["people's time"] > 0
