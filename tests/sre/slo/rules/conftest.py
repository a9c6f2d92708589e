"""SLOs as the rules' tests want them, built without documents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sre.metrics.selector import parse_sum
from sre.slo.model import RatioSli, Slo

DAY_S = 86400.0


def make_slo(total="requests_total", *, bad=None, good=None, sli=None, **changes):
    """An availability SLO over 30 days; `total`, `bad`, `good` are selectors as documents write them."""
    bad = 'requests_total{code=~"5.."}' if bad is None and good is None else bad
    ratio = RatioSli(parse_sum(total), good=parse_sum(good) if good else (), bad=parse_sum(bad) if bad else ())
    slo = Slo(
        name="availability",
        title="Requests answered",
        description="",
        service="shop",
        target=0.999,
        period_s=30 * DAY_S,
        sli=sli or ratio,
        path="slo/availability.yaml",
        runbook="runbooks/outage.md",
    )
    return replace(slo, **changes)


@pytest.fixture(scope="session")
def slo():
    return make_slo
