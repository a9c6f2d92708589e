"""Outage and error budget in money, by hand; who said what a budget is worth."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sre.cost.finance import Finance, Role, no_finance
from sre.cost.measured import measured
from sre.cost.outage import budget_worth, outage_minute
from sre.cost.provenance import Input
from sre.slo.model import RatioSli, Slo

SLO = Slo("availability", "Availability", "", "llm", 0.999, 28 * 86400.0, RatioSli(total=()), "slo/availability.yaml")
BAD = measured(Decimal(42), "bad events", "report.json")


def assumed(name: str, value: str, low: str | None = None, high: str | None = None) -> Input:
    ends = [None if text is None else Decimal(text) for text in (low, high)]
    return Input(name, Decimal(value), "USD", "assumed", "a test", *ends)


FINANCE = Finance(
    path="finance.yaml",
    sha256="",
    currency="USD",
    is_illustrative=False,
    good_request=assumed("value", "0.02", "0.01", "0.04"),
    requests_a_month=assumed("requests a month", "4320000"),  # 100 a minute
    labour=(Role("SRE", 2, assumed("rate", "90"), assumed("hours", "1"), None),),
)


def test_a_minute_of_full_outage_by_hand() -> None:
    found = outage_minute(FINANCE, None)
    amounts = {line.name: line.amount for line in found.lines}
    assert amounts["lost requests"] is not None
    assert amounts["lost requests"].quantize(Decimal("1e-9")) == 2  # 100 x 0.02
    assert amounts["labour of all who respond"] == 3  # 2 x 90 / 60
    assert found.lines[1].reason == "no drill says how many replicas there are"
    assert found.bounds is not None
    assert [bound.quantize(Decimal("1e-9")) for bound in found.bounds] == [4, 7]


def test_without_traffic_the_minute_is_unknown_and_says_why() -> None:
    found = outage_minute(no_finance("USD"), None)
    assert found.total is None
    assert found.lines[0].reason == "finance.yaml has no requests_a_month"


def test_a_budget_is_the_requests_it_allows_to_fail_times_their_value() -> None:
    found = budget_worth(SLO, FINANCE, bad=BAD)
    assert found.whole.amount == Decimal("80.64")  # 4,320,000 x 28 / 30 x 0.001 = 4,032 requests x 0.02
    assert found.percent == Decimal("0.8064")
    assert found.spent_share == Decimal(42) / Decimal(4032)
    assert found.spent is not None
    assert round(found.spent, 6) == Decimal("0.84")  # 42 x 0.02


def test_what_finance_gives_comes_before_what_is_counted_and_the_slo_before_both() -> None:
    given = replace(FINANCE, error_budgets=(("availability", assumed("budget", "1200")),))
    assert budget_worth(SLO, given, bad=BAD).whole.amount == 1200
    assert budget_worth(replace(SLO, budget_usd=Decimal(900)), given, bad=BAD).whole.amount == 900


def test_a_budget_in_dollars_is_not_told_in_euros() -> None:
    found = budget_worth(replace(SLO, budget_usd=Decimal(900)), replace(FINANCE, currency="EUR"), bad=BAD)
    assert (found.whole.amount, found.whole.reason) == (None, "the SLO says USD, finance.yaml is in EUR")
    assert found.percent is None
