"""Tiers that stay silent, that call people for nothing, that do not fit the scrapes."""

from __future__ import annotations

import pytest


def tiers(linting, rule, **words):
    return linting.only(rule, extra=linting.pager, **words)


def rules_of(linting, **words):
    return linting.rules(extra=linting.pager, **words)


def test_the_workbooks_tiers_are_sound(linting):
    assert linting.rules() == []


def test_a_factor_no_outage_can_reach_is_refused_at_its_condition(linting):
    found = tiers(linting, "SLO001", policies=linting.policy(threshold=1000, lookback="1m"), target=0.999)
    assert found.severity == "error"
    assert "allows at most 1000" in found.what
    assert "below 1000" in found.mend
    assert found.path.startswith("spec.alertPolicies[0].spec.conditions[0]")
    line = linting.path.read_text().splitlines()[found.line - 1]
    assert "AlertCondition" in line or "metadata" in line or "spec" in line


def test_a_factor_just_within_reach_is_not(linting):
    assert "SLO001" not in rules_of(linting, policies=linting.policy(threshold=999, lookback="1m"))


def test_the_workbooks_tiers_do_not_fit_a_low_target(linting):
    found = [one for one in linting(target=0.9) if one.rule == "SLO001"]
    assert [one.what.split()[0] for one in found] == ["page-1h"]  # 14.4 against 10
    assert "write alert policies" in found[0].mend
    assert found[0].severity == "warning"  # page-6h can
    assert {one.severity for one in linting(target=0.8) if one.rule == "SLO001"} == {"error"}


def test_a_page_below_burn_1_and_a_ticket_far_below_are_warned_of(linting):
    found = tiers(linting, "SLO002", policies=linting.policy(threshold=0.9, lookback="1d"))
    assert found.severity == "warning"
    assert "fires at a burn of 0.9" in found.what
    ticket = linting.policy(threshold=0.9, lookback="1d", severity="ticket")
    assert "SLO002" not in rules_of(linting, policies=ticket)
    ticket = linting.policy(threshold=0.5, lookback="1d", severity="ticket")
    assert "SLO002" in rules_of(linting, policies=ticket)


def test_the_workbooks_tiers_over_a_short_period_are_warned_of(linting):
    found = [one.what.split()[0] for one in linting(period="7d") if one.rule == "SLO002"]
    assert found == ["ticket-3d"]  # 0.10 x 7 d / 3 d = 0.23


def test_waiting_longer_than_the_short_window(linting):
    found = tiers(linting, "SLO004", policies=linting.policy(after="10m"))
    assert "alertAfter 10 m, short window 5 m" in found.what
    assert "SLO004" not in rules_of(linting, policies=linting.policy(after="5m"))


def test_a_tier_that_fires_when_all_is_spent(linting):
    found = tiers(linting, "SLO005", policies=linting.policy(threshold=6, lookback="6d"))
    assert "120% of the budget of 30 d" in found.what
    assert "below 5 d" in found.mend
    assert "SLO005" not in rules_of(linting, policies=linting.policy(threshold=6, lookback="4d"))


@pytest.mark.parametrize(("step_s", "found"), [(30.0, False), (149.0, False), (151.0, True)])
def test_a_short_window_needs_two_scrapes(linting, step_s, found):
    source = linting.source(*linting.gateway(step_s=step_s))
    named = [one for one in linting(source=source) if one.rule == "SLO003"]
    assert bool(named) == found
    if found:
        assert "page-1h: short window 5 m, scraped every 2.52 m" in named[0].what
