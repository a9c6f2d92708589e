"""Where an SLO stands at a moment: its state, what fires, and the sentence somebody reads on a phone."""

import json
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from sre.errors import EnvironmentLacks
from sre.metrics.selector import parse_sum
from sre.slo.burn import SliEvents
from sre.slo.corrections import Correction
from sre.slo.counters import EventCurve
from sre.slo.model import RatioSli, Slo
from sre.slo.status import judge, newest_sample, standing
from sre.slo.status_json import standings_json

DAY = 86400.0
AT = 1_700_000_000.0
SLI = RatioSli(total=parse_sum("requests_total"), bad=parse_sum('requests_total{outcome="error"}'))
SLO = Slo("availability", "Requests answered", "", "gateway", 0.999, 30 * DAY, SLI, "slo/availability.yaml")


def events(*faults, rate=10.0, days=30, step=60.0):
    """Requests at `rate` for `days` until AT; each fault is (seconds before AT it began, seconds it lasted, share)."""
    times = np.arange(AT - days * DAY, AT + step / 2, step)
    bad = sum(
        (share * rate * np.clip(times - (AT - ago), 0, lasted) for ago, lasted, share in faults), np.zeros_like(times)
    )
    return SliEvents(bad=EventCurve(times, bad), total=EventCurve(times, rate * (times - times[0])))


def test_a_quiet_service_is_ok_and_says_so():
    one = judge(SLO, events(), at=AT)
    assert one.state == "ok"
    assert one.words.startswith("100 % of the 30 d budget is left")
    assert "Nothing failed" in one.words
    assert not any(now.firing for now in one.tiers)


def test_an_outage_that_goes_on_pages_and_says_when_the_budget_is_gone():
    one = judge(SLO, events((600, 600, 1.0)), at=AT)
    assert one.state == "page"
    assert next(now.tier.name for now in one.tiers if now.firing) == "page-1h"
    assert "page-1h fires" in one.words
    assert "gone in" in one.words


def test_a_spent_budget_is_exhausted_even_when_nothing_fires_any_more():
    one = judge(SLO, events((10 * DAY, 3600, 1.0)), at=AT)
    assert one.state == "exhausted"
    assert one.words.startswith("The 30 d budget is spent: 139 % of it is gone")
    assert "failed too many" in one.words


def test_a_slow_burn_below_every_tier_is_fast():
    one = judge(SLO, events((6 * 3600, 6 * 3600, 0.0012)), at=AT)
    assert one.state == "fast"
    assert "as fast as allowed" in one.words


def test_no_events_are_no_data_with_the_reason_and_never_a_full_budget():
    one = judge(SLO, events(rate=0.0), at=AT)
    assert one.state == "no data"
    assert one.budget.remaining_share is None
    assert one.words.startswith("Nothing can be said: no events")


def test_a_metric_that_does_not_exist_is_no_data_and_names_it(samples):
    one = standing(samples(), SLO, at=AT)
    assert one.state == "no data"
    assert "requests_total" in one.words


def test_a_source_that_cannot_be_read_is_an_error_and_not_no_data():
    class Silent:
        name = "prometheus"

        def series(self, selector, *, start, end):
            raise EnvironmentLacks("Prometheus does not answer")

    with pytest.raises(EnvironmentLacks):
        standing(Silent(), SLO, at=AT)


def test_a_period_seen_in_part_says_so():
    one = judge(SLO, events(days=3), at=AT)
    assert "Only 10 % of the time was observed" in one.words


def test_money_and_corrections_are_told():
    priced = replace(SLO, budget_usd=Decimal(1000))
    outage = events((10 * DAY, 1800, 1.0))
    before = judge(priced, outage, at=AT)
    excluded = Correction(AT - 11 * DAY, AT - 9 * DAY, None, "announced maintenance", "ana", AT)
    after = judge(priced, outage, at=AT, corrections=(excluded,))
    assert "$306" in before.words
    assert after.budget.remaining_share == pytest.approx(1.0)
    (told,) = standings_json([after])["slos"][0]["corrections"]
    assert (told["reason"], told["author"], told["bad"]) == (
        "announced maintenance",
        "ana",
        pytest.approx(18000, rel=0.01),
    )


def test_alert_after_must_have_passed_before_a_tier_fires():
    tiers = judge(SLO, events(), at=AT).tiers
    patient = replace(SLO, tiers=tuple(replace(now.tier, for_s=900.0) for now in tiers))
    young, old = (judge(patient, events((lasted, lasted, 1.0)), at=AT) for lasted in (300, 3600))
    assert not young.tiers[0].firing
    assert old.tiers[0].firing


def test_a_file_is_judged_where_it_ends(samples, series):
    source = samples(series("requests_total", [100.0, 160.0], [1, 2], outcome="ok"))
    assert newest_sample(source, [SLO], now=AT) == 160.0
    assert newest_sample(samples(), [SLO], now=AT) == AT


def test_the_record_is_plain_json_without_nan():
    record = standings_json([judge(SLO, events((600, 600, 1.0)), at=AT), judge(SLO, events(rate=0.0), at=AT)])
    assert record["ok"] is False
    text = json.dumps(record, default=str, allow_nan=False)
    assert json.loads(text)["slos"][1]["budget"]["remaining_share"] is None
