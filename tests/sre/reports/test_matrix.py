"""The fault matrix counts what was measured, says n/a for what was not, and ranks what to mend by its harm."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from sre.chaos.faults.catalogue import fault_class, fault_names
from sre.reports.drill_facts import DrillFacts, Measured, drill_facts, subject_of
from sre.reports.matrix import Played, marks, matrix, score
from sre.reports.model import Check, Subject
from sre.risks.model import Risk


def check(key, ok=True):
    return Check(key, ok, "as promised", "something" if ok else "something else", key=key)


HELD = tuple(check(key) for key in ("steady-state", "proven", "alert", "recovery", "requests", "undone"))


def facts(verdict="passed", *, checks=HELD, report="r1", at=1.0, **changes):
    measured = DrillFacts(
        report=report,
        at=at,
        took_s=60.0,
        verdict=verdict,
        is_known=False,
        reasons=(),
        checks=checks,
        faults=("replica-crash",),
        is_proven=True,
        detected=Measured(0.1),
        alerted=Measured(None, "no page fired"),
        recovered=Measured(2.5),
        requests=300,
        failed=0,
        burnt=0.0,
        burnt_slo="availability",
        cost=Decimal("0.2"),
        incident_cost=Decimal("0.01"),
        currency="USD",
    )
    return replace(measured, **changes)


def drill(number=1, faults=("replica-crash",), *, risk=None, **changes):
    subject = Subject(f"EXP-{number:03}", "replica", "crash", faults, (), risk, "weak" if risk else None)
    return Played(subject, f"drill {number}", facts(faults=faults, **changes))


def without(*keys):
    return tuple(replace(c, ok=False) if c.key in keys else c for c in HELD)


def line_of(found, fault):
    (line,) = [line for line in found.lines if line.fault == fault]
    return line


def area_of(found, family):
    (area,) = [area for area in found.areas if area.family == family]
    return area


def test_every_fault_of_the_library_has_a_line_with_what_should_protect_the_service():
    found = matrix([drill()])
    assert tuple(line.fault for line in found.lines) == fault_names()
    crash = line_of(found, "replica-crash")
    assert (crash.family, crash.protects) == ("replica", fault_class("replica-crash").protects)
    assert crash.played.key == "EXP-001"
    assert line_of(found, "gateway-crash").played is None


def test_an_area_that_nothing_was_drilled_in_has_no_score_rather_than_none_at_all():
    found = matrix([drill()])
    assert area_of(found, "replica").score == 1.0
    network = area_of(found, "network")
    assert (network.score, network.drilled, network.drills) == (None, 0, 0)


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ((), 1.0),
        (("requests",), (3 * 0.5 + 2 + 2 + 1) / 8),
        (("steady-state", "requests"), 5 / 8),
        (("alert",), 6 / 8),
        (("recovery", "alert"), 4 / 8),
        (("undone",), (3 + 2 + 2 + 0.5) / 8),
    ],
)
def test_the_score_is_the_weighted_mean_of_four_answers(failed, expected):
    assert score(marks(facts("deviated", checks=without(*failed)))) == pytest.approx(expected)


def test_what_no_check_asks_is_left_out_of_the_score():
    few = tuple(c for c in without("alert") if c.key in ("alert", "recovery"))
    assert score(marks(facts("deviated", checks=few))) == pytest.approx(0.5)
    assert score(marks(facts(checks=()))) is None


@pytest.mark.parametrize("verdict", ["void", "aborted", "interrupted", "error"])
def test_a_drill_that_measured_nothing_is_not_scored(verdict):
    found = matrix([drill(verdict=verdict)])
    assert line_of(found, "replica-crash").score is None
    assert area_of(found, "replica").score is None
    assert [one.key for one in found.unmeasured] == ["EXP-001"]
    assert found.steps == ()


def test_a_fault_that_was_not_proven_is_not_scored():
    assert marks(facts("deviated", is_proven=False)) == ()


def test_of_several_drills_of_one_experiment_the_latest_counts():
    old, new = drill(report="r1", at=1.0, verdict="deviated"), drill(report="r2", at=2.0)
    for order in ([old, new], [new, old]):
        assert line_of(matrix(order), "replica-crash").played.facts.report == "r2"


def test_a_drill_of_two_faults_stands_at_both_and_counts_once_in_its_area():
    found = matrix([drill(1, ("replica-crash", "replica-hang"), verdict="deviated", checks=without("alert"))])
    assert line_of(found, "replica-hang").score == 0.75
    area = area_of(found, "replica")
    assert (area.drilled, area.drills, area.score) == (2, 1, 0.75)


def test_a_fault_that_the_library_no_longer_has_is_still_shown():
    line = line_of(matrix([drill(1, ("meteor",))]), "meteor")
    assert (line.family, line.protects) == ("other", "no longer in the library")


def test_what_to_mend_is_ranked_by_failed_requests_then_budget_then_time():
    bad = {"verdict": "deviated", "checks": without("requests")}
    found = matrix(
        [
            drill(1, **bad, failed=0, burnt=9.0),
            drill(2, **bad, failed=7, burnt=0.1),
            drill(3, **bad, failed=0, burnt=9.0, recovered=Measured(None, "never")),
            drill(4),
            drill(5, **bad, failed=0, burnt=2.0, is_known=True, risk="RISK-001"),
        ]
    )
    assert [step.played.key for step in found.steps] == ["EXP-002", "EXP-003", "EXP-001", "EXP-005"]
    assert [step.risk_id for step in found.steps] == [None, None, None, "RISK-001"]


def test_a_step_carries_the_risk_of_the_list():
    risk = Risk("RISK-001", "t", "open", "us", ("EXP-005",), ("alert",), "m", "mend it")
    known = drill(5, verdict="deviated", is_known=True, risk="RISK-001", checks=without("alert"))
    assert matrix([known], risks=[risk]).steps[0].risk is risk


def test_the_facts_of_a_report_are_its_own(drill, factory):
    found = drill_facts(drill)
    assert found.failed == sum(p.outcome != "ok" for p in drill.requests)
    assert found.recovered.seconds == pytest.approx(factory.READY_AT - factory.FAULT_AT)
    assert found.faults == ("replica-crash",)
    worst = max(r.error_ratio / r.slo.budget for r in drill.primary_results() if r.error_ratio is not None)
    assert found.burnt == worst
    about = Subject("EXP-001", "replica", "crash", (), ("ttft",))
    assert drill_facts(replace(drill, subject=about)).burnt_slo == "ttft"
    assert subject_of(replace(drill, experiment="replica-crash.yaml")).failure_mode == "replica-crash"
