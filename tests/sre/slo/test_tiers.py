"""The tiers are the SRE workbook's at 30 days, and keep their budget shares at any other period."""

import pytest

from sre.slo.tiers import workbook_tiers

DAY_S = 86400.0


def test_at_30_days_the_factors_are_the_workbooks():
    tiers = {tier.name: tier for tier in workbook_tiers(30 * DAY_S)}
    assert {name: tier.factor for name, tier in tiers.items()} == pytest.approx(
        {"page-1h": 14.4, "page-6h": 6.0, "ticket-1d": 3.0, "ticket-3d": 1.0}
    )
    assert [tier.severity for tier in tiers.values()] == ["page", "page", "ticket", "ticket"]
    assert [tier.short_s for tier in tiers.values()] == [300, 1800, 7200, 21600]


@pytest.mark.parametrize("days", [7, 28, 30, 90])
def test_burning_at_the_factor_for_the_long_window_spends_the_share(days):
    for tier in workbook_tiers(days * DAY_S):
        assert tier.factor * tier.long_s / (days * DAY_S) == pytest.approx(tier.budget_share)


def test_at_28_days_two_percent_an_hour_is_13_44():
    assert workbook_tiers(28 * DAY_S)[0].factor == pytest.approx(13.44)
