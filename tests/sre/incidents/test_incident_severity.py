"""Severity follows the table: the gravest threshold that is met, with the words for it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.incidents.model import Impact, Milestone
from sre.incidents.severity import THRESHOLDS, SeverityFacts, budget_share, judge_severity, severity_facts
from sre.slo.model import RatioSli, Slo, SloResult

QUIET = SeverityFacts(0.0, "availability", 0.0, paged=False, noticed=False)
SHARES = st.none() | st.floats(0, 3)
FACTS = st.builds(SeverityFacts, SHARES, st.just("ttft"), SHARES, paged=st.booleans(), noticed=st.booleans())


def result(error_ratio, *, target=0.999, lasted=60.0):
    slo = Slo("availability", "A", "", "llm", target, 28 * 86400.0, RatioSli(()), "slo/a.yaml")
    return SloResult(slo, "scraper", 0.0, lasted, 0, 0, error_ratio, None, (), ())


@pytest.mark.parametrize(
    ("changes", "severity", "because"),
    [
        ({}, "SEV4", "no threshold was met"),
        ({"noticed": True}, "SEV3", "clients noticed"),
        ({"budget_share": 0.02}, "SEV3", "it spent 2.0% of the period's error budget of availability"),
        ({"paged": True, "noticed": True}, "SEV2", "a page fired"),
        ({"failed_share": 0.05}, "SEV2", "5.0% of the requests in its window failed"),
        ({"budget_share": 0.2}, "SEV2", "it spent 20% of the period's error budget of availability"),
        ({"failed_share": 0.5, "paged": True}, "SEV1", "50% of the requests in its window failed"),
        ({"budget_share": 1.4}, "SEV1", "it spent 140% of the period's error budget of availability"),
    ],
)
def test_the_gravest_threshold_that_is_met_holds(changes, severity, because):
    judged = judge_severity(replace(QUIET, **changes))
    assert (judged.severity, judged.because) == (severity, (because,))


def test_a_signal_that_nobody_could_read_is_said():
    judged = judge_severity(replace(QUIET, budget_share=None, failed_share=None))
    assert judged.unknown == ("budget_share", "failed_share")


@given(FACTS, FACTS)
def test_more_damage_is_never_less_grave(one, other):
    def worst(a, b):
        return max((x for x in (a, b) if x is not None), default=None)

    both = SeverityFacts(
        worst(one.budget_share, other.budget_share),
        "ttft",
        worst(one.failed_share, other.failed_share),
        paged=one.paged or other.paged,
        noticed=one.noticed or other.noticed,
    )
    assert judge_severity(both).severity <= min(judge_severity(one).severity, judge_severity(other).severity)


def test_one_failure_of_two_requests_is_not_half_of_all_clients():
    few = Impact(2, 1, 0, 0, 0, 0, 0)
    facts = severity_facts(few, (), ())
    assert (facts.failed_share, facts.noticed) == (None, True)
    assert severity_facts(replace(few, requests=20, failed=10), (), ()).failed_share == 0.5


def test_the_objective_that_lost_most_counts():
    other = replace(result(0.05), slo=replace(result(0.0).slo, name="ttft"))
    facts = severity_facts(Impact(0, 0, 0, 0, 0, 0, 0), (Milestone("alerted", 5.0, "x"),), (result(0.01), other))
    assert (facts.slo, facts.paged) == ("ttft", True)


def test_a_minute_without_service_spends_its_part_of_the_months_budget():
    assert budget_share(result(1.0)) == pytest.approx(60 / (28 * 86400) / 0.001)
    assert budget_share(result(1.0), clock_factor=60) == pytest.approx(3600 / (28 * 86400) / 0.001)
    assert budget_share(result(None)) is None


def test_the_table_is_ordered_by_gravity():
    assert [t.severity for t in THRESHOLDS] == sorted(t.severity for t in THRESHOLDS)
