"""The answer and its pages: who is recommended, what a spare buys, and that nothing is said that was not computed."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sre.cost.finance import no_finance
from sre.cost.finance_reader import read_finance
from sre.cost.model import Price
from sre.errors import EnvironmentLacks, SreError
from sre.reliability.money import gpu_prices
from sre.reliability.months import World
from sre.reliability.options import Economics
from sre.reliability.rates_reader import shipped_rates
from sre.reliability.shortfall import FLAT, Load
from sre.reliability.whatif import Question, answer
from sre.reports.page import page_html, page_markdown
from sre.reports.reliability.charts import reliability_charts
from sre.reports.reliability.view import reliability_page
from sre.reports.reliability.words import doubts_of, rests_on, step_words, without_spot
from sre.reports.reliability.write import whatif_json, write_whatif

from .conftest import fault, fleet, recovery, world

FINANCE = Path(__file__).resolve().parents[3] / "finance.yaml"
ON_DEMAND = Price("own", "H100", Decimal(2), "USD", None, "a test", purchase="on-demand")


def asked(**more):
    facts = {
        **{"fleet": fleet(3, 0, gpus_per_replica=4), "spares": (0, 1, 2), "spot_percents": (0,), "zones": (1,)},
        **{"risk": 0.05, "months": 400, "days": 30, "seed": 1, "slo": "SLO availability", "has_sensitivity": True},
        **more,
    }
    return Question(**facts)


def economics(finance=None, target=0.999):
    book = shipped_rates()
    prices = gpu_prices(ON_DEMAND, (), book.spot_discount, on=date(2026, 11, 25))
    return Economics(prices, finance or no_finance("USD"), target, 720.0)


@pytest.fixture(scope="module")
def found():
    return answer(
        asked(spot_percents=(0, 60), zones=(1, 3)),
        World(shipped_rates(), Load(FLAT, "flat")),
        economics(read_finance(FINANCE)),
    )


def test_every_combination_is_an_option(found) -> None:
    assert len(found.options) == 12
    assert len({one.fleet.name for one in found.options}) == 12


def test_the_cheapest_that_keeps_the_risk_is_recommended(found) -> None:
    kept = [one for one in found.options if one.exceeded.value <= 0.05]
    assert found.is_kept is bool(kept)
    assert found.chosen.money.total == min(one.money.total for one in kept)


def test_where_none_keeps_the_risk_the_least_risky_is_named() -> None:
    often = world(fault(rate=1 / 100), recoveries=[recovery(mean_h=50)])
    none = answer(asked(has_sensitivity=False), often, economics())
    assert not none.is_kept
    assert none.chosen.exceeded.value == min(one.exceeded.value for one in none.options)
    page = reliability_page(none)
    assert (page.tone, page.verdict) == ("bad", "No option keeps the accepted risk")


def test_a_step_says_what_one_more_replica_costs_and_buys(found) -> None:
    step = found.steps[1]
    assert step.costs == step.after.money.bill - step.before.money.bill
    words = step_words(step, "USD")
    assert words.startswith("N+2 instead of N+1: 1 more replica costs $")
    assert "error budget goes from" in words


def test_without_economics_nothing_is_said_about_what_failures_cost() -> None:
    bare = answer(asked(has_sensitivity=False), world(fault()), economics())
    assert "nobody has said" in step_words(bare.steps[0], "USD")
    assert any("n/a: SLA credits, lost requests, people's time" in doubt for doubt in doubts_of(bare))


def test_illustrative_economics_and_uncounted_rates_are_named_first(found) -> None:
    doubts = " ".join(doubts_of(found))
    assert "illustrative" in doubts
    assert "Rates that nobody counted: crash of the engine" in doubts


def test_a_recommendation_of_spot_machines_says_what_doing_without_costs(found) -> None:
    told = without_spot(found)
    own = [one for one in found.options if not one.fleet.spot_replicas and one.exceeded.value <= 0.05]
    if found.chosen.fleet.spot_replicas and own:
        assert min(own, key=lambda one: one.money.total).fleet.name in told
    else:
        assert told == "" or "no option keeps" in told


def test_inputs_that_would_turn_the_answer_are_named(found) -> None:
    turning = [s for s in found.swings if (s.at_high.exceeded <= 0.05) != found.is_kept]
    assert all(any(swing.name in told for told in rests_on(found)) for swing in turning)


def test_sensitivity_moves_one_input_at_a_time_and_the_widest_stands_first(found) -> None:
    widths = [swing.width for swing in found.swings]
    assert widths == sorted(widths, reverse=True)
    assert {"rate: GPU hardware", "median: repair of a machine"} <= {swing.name for swing in found.swings}
    if not found.chosen.fleet.spot_replicas:
        assert "rate: spot" not in {swing.name for swing in found.swings}


def test_pages_hold_every_option_and_every_source(found) -> None:
    page = reliability_page(found)
    html, markdown = page_html(page), page_markdown(page)
    for text in ("Simulated, not measured", "2407.21783", "What one more replica buys", "N+2"):
        assert text in html
        assert text.replace("[", "\\[") in markdown
    assert html.count("<svg") == 4
    assert "<script" not in html
    assert [chart.key for chart in reliability_charts(found)] == ["months", "risk", "swings", "settling"]


def test_json_says_the_numbers_of_the_page(found) -> None:
    told = json.loads(json.dumps(whatif_json(found), allow_nan=False))
    assert told["chosen"] == found.chosen.fleet.name
    assert len(told["options"]) == 12
    assert Decimal(told["options"][0]["money"]["total"]) == found.options[0].money.total
    assert told["kind"] == "simulated"
    assert sum(one["an_hour"] for one in told["rates"]["faults"] if one["source"]["name"] == "llama3") == pytest.approx(
        419 / 21_233_664
    )


def test_same_inputs_same_bytes(tmp_path) -> None:
    worlds, small = world(fault(abrupt=True), lost_s=1.0, rollouts=2), asked(months=200)
    first = [path.read_bytes() for path in write_whatif(answer(small, worlds, economics()), tmp_path / "a")]
    again = [path.read_bytes() for path in write_whatif(answer(small, worlds, economics()), tmp_path / "b")]
    assert first == again


def test_a_folder_that_cannot_be_made_is_one_line(found, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentLacks, match="no folder can be made"):
        write_whatif(found, tmp_path / "file" / "out")


def test_more_than_fits_into_memory_is_refused() -> None:
    with pytest.raises(SreError, match="fewer --months"):
        answer(asked(months=1_000_000, fleet=fleet(500, 0)), world(fault()), economics())
    with pytest.raises(SreError, match="lower the rates"):
        answer(asked(months=10_000), world(fault(rate=1e4), recoveries=[recovery(mean_h=1e-6)]), economics())


def test_a_market_without_faults_needs_no_spare() -> None:
    calm = answer(asked(months=100), world(), economics())
    assert calm.chosen.fleet.spares == 0
    assert calm.chosen.availability == 1
    assert calm.ladder == calm.options
    assert "Nothing" in page_markdown(reliability_page(calm))
