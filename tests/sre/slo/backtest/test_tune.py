"""Objectives are read strictly; a search finds tiers that meet them, says what they cost and when not to trust it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml

from sre.errors import SreError
from sre.metrics.model import Matcher, Selector
from sre.slo.backtest.model import Label, Plan
from sre.slo.backtest.objective import DEFAULT, parse_objective
from sre.slo.backtest.policy import duration, policy_yaml
from sre.slo.backtest.tune import renamed, tune, without_implied
from sre.slo.model import BurnTier, RatioSli, Slo
from sre.slo.tiers import workbook_tiers

DAY = 86400.0
SLO = Slo(
    "answers",
    "answers",
    "",
    "svc",
    0.999,
    30 * DAY,
    RatioSli(
        total=(Selector("requests_total"),), bad=(Selector("requests_total", (Matcher("outcome", "=", "error"),)),)
    ),
    "x",
)
STARTS = [0.5 * DAY * k + 3000 for k in range(2, 14)]
LABELS = [Label(at, at + 1800, f"outage {n}") for n, at in enumerate(STARTS)]


@pytest.fixture(scope="module")
def source(samples, series):
    """Seven days; 2 % errors in each incident: a burn of 20 for half an hour, which 14.4 over 1 h does not see."""
    random = np.random.default_rng(3)
    times = 60.0 * np.arange(0, 7 * 1440)
    requests = np.full(times.size, 600.0)
    ratio = np.full(times.size, 0.0002)
    for label in LABELS:
        ratio[(times > label.start) & (times <= label.end)] = 0.02
    errors = random.binomial(requests.astype(int), ratio)
    return samples(
        series("requests_total", times, np.cumsum(requests - errors), outcome="ok"),
        series("requests_total", times, np.cumsum(errors), outcome="error"),
    )


PLAN = Plan(start=0.0, end=7 * DAY, step_s=60.0)


def test_tuning_beats_the_workbook_on_history_it_has_not_seen(source):
    found = tune(source, SLO, PLAN, LABELS, parse_objective(DEFAULT), workbook_tiers(30 * DAY), seed=1, restarts=0)
    assert found.met
    assert found.before.train["page"].recall.value == 0
    assert found.best.train["page"].detection_s.value < 600
    assert found.best.test["page"].recall.value == 1
    assert found.split_at is not None
    assert found.warnings == ()
    assert found.best.tiers in [one.tiers for one in found.front]


def test_the_same_seed_finds_the_same_tiers(source):
    twice = [
        tune(source, SLO, PLAN, LABELS, parse_objective(DEFAULT), workbook_tiers(30 * DAY)[:1], seed=4, restarts=1)
        for _ in range(2)
    ]
    assert twice[0].best.tiers == twice[1].best.tiers
    assert twice[0].tried == twice[1].tried


def test_no_set_on_the_front_is_beaten_by_another(source):
    found = tune(source, SLO, PLAN, LABELS, parse_objective(DEFAULT), workbook_tiers(30 * DAY), restarts=0)
    costs = [
        (-(s := one.train["page"]).recall.value, s.false_per_week.value, s.detection_s.value) for one in found.front
    ]
    for one in costs:
        assert not any(other != one and all(a <= b for a, b in zip(other, one, strict=True)) for other in costs)


def test_few_incidents_are_searched_whole_and_warned_of(source):
    found = tune(source, SLO, PLAN, LABELS[:3], parse_objective("min detection"), workbook_tiers(30 * DAY), restarts=0)
    assert found.split_at is None
    assert found.best.test is None
    assert "too few to trust" in found.warnings[0]
    assert "nothing was held out" in found.warnings[1]


def test_tiers_the_objective_is_not_about_stay_as_they_are(source):
    before = workbook_tiers(30 * DAY)
    found = tune(source, SLO, PLAN, LABELS, parse_objective(DEFAULT), before, restarts=0)
    assert [t for t in found.best.tiers if t.severity == "ticket"] == [t for t in before if t.severity == "ticket"]


def test_every_tuned_tier_can_fire_and_be_written_down(source):
    found = tune(source, SLO, PLAN, LABELS, parse_objective(DEFAULT), workbook_tiers(30 * DAY), restarts=1)
    for candidate in found.front:
        for tier in candidate.tiers:
            assert tier.factor * SLO.budget < 1
            assert tier.short_s % 60 == 0
            assert 0 < tier.short_s < tier.long_s


def test_without_a_label_for_the_slo_there_is_nothing_to_tune_against(source):
    with pytest.raises(SreError, match="no label to tune against"):
        tune(source, SLO, PLAN, [replace(LABELS[0], slo="x")], parse_objective(DEFAULT), workbook_tiers(30 * DAY))


def test_an_objective_about_tiers_one_has_not_says_so(source):
    with pytest.raises(SreError, match="about ticket tiers"):
        tune(source, SLO, PLAN, LABELS, parse_objective("min ticket.detection"), workbook_tiers(30 * DAY)[:2])


def test_an_objective_reads_units_scopes_and_its_one_goal():
    found = parse_objective("recall >= 95%, ticket.detection<4h, false-alarms<=2, max page.precision")
    assert [(c.severity, c.metric, c.op, c.bound) for c in found.conditions] == [
        ("page", "recall", ">=", 0.95),
        ("ticket", "detection", "<", 14400.0),
        ("page", "false-alarms", "<=", 2.0),
    ]
    assert (found.severity, found.metric, found.maximise) == ("page", "precision", True)
    assert found.severities == ("page", "ticket")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("recall>=0.95", "0 goals"),
        ("min detection, max recall", "2 goals"),
        ("recall=1, min detection", "'recall=1' is no term"),
        ("speed>1, min detection", "unknown metric 'speed'"),
        ("recall>=2, min detection", "is a share"),
        ("recall>=1h, min detection", "is no duration"),
        ("detection<5%, min detection", "is no share"),
        ("", "is no term"),
    ],
)
def test_an_objective_that_is_none_says_which_term_and_why(text, told):
    with pytest.raises(SreError, match=told):
        parse_objective(text)


def test_unknown_metrics_fail_a_condition_and_are_the_worst_goal():
    objective = parse_objective(DEFAULT)
    assert not objective.met({})
    assert objective.rank({})[1] == float("inf")


def test_tuned_tiers_are_named_after_their_windows():
    tier = BurnTier("page-6h", "page", 3.0, 3600.0, 300.0, 0.01)
    assert [t.name for t in renamed((tier, replace(tier, factor=2.0)), ("page",))] == ["page-1h", "page-1h-2"]


def test_a_tier_that_another_implies_is_dropped_and_of_two_equal_ones_one_stays():
    tier = BurnTier("a", "page", 3.0, 3600.0, 300.0, 0.01)
    higher, wider = replace(tier, factor=5.0), replace(tier, long_s=7200.0)
    assert without_implied((higher, tier, wider, tier), ("page",)) == (tier, wider)
    assert without_implied((higher, tier), ("ticket",)) == (higher, tier)


def test_a_policy_is_openslo_with_what_v1_cannot_say_in_annotations():
    tier = BurnTier("page-1h", "page", 14.4, 3600.0, 300.0, 0.02, min_bad_events=5, max_p_value=0.01, for_s=120.0)
    text = policy_yaml("answers", [tier], remarks=["why\nso"])
    assert text.startswith(
        "# why so\n# in the SLO answers:\n#   alertPolicies:\n#     - alertPolicyRef: answers-page-1h\n"
    )
    policy, target = yaml.safe_load_all(text)
    assert target["kind"] == "AlertNotificationTarget"
    (condition,) = policy["spec"]["conditions"]
    assert condition["spec"]["condition"] == {
        "kind": "burnrate",
        "op": "gte",
        "threshold": 14.4,
        "lookbackWindow": "1h",
        "alertAfter": "2m",
    }
    assert condition["metadata"]["annotations"] == {
        "sre/short-window": "5m",
        "sre/budget-share": "0.02",
        "sre/min-bad-events": "5",
        "sre/max-p-value": "0.01",
    }


def test_a_policy_put_into_an_slo_document_gives_back_the_tiers(tmp_path):
    from sre.slo.openslo import load_documents, resolve

    tiers = workbook_tiers(30 * DAY)
    (tmp_path / "policy.yaml").write_text(policy_yaml("answers", tiers))
    document = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: answers}
spec:
  service: svc
  alertPolicies:
    - alertPolicyRef: answers-page-1h
    - alertPolicyRef: answers-page-6h
    - alertPolicyRef: answers-ticket-1d
    - alertPolicyRef: answers-ticket-3d
  budgetingMethod: Occurrences
  timeWindow: [{duration: 30d, isRolling: true}]
  objectives: [{target: 0.999}]
  indicator:
    metadata: {name: i}
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {type: Prometheus, spec: {query: 'requests_total{outcome="error"}'}}}
        total: {metricSource: {type: Prometheus, spec: {query: requests_total}}}
"""
    (tmp_path / "slo.yaml").write_text(document)
    (slo,) = resolve(load_documents([tmp_path]))
    for read, written in zip(slo.tiers, tiers, strict=True):
        assert read.budget_share == pytest.approx(written.budget_share)
        assert read.name == f"answers-{written.name}"
        assert replace(read, name="", budget_share=0, factor=0) == replace(written, name="", budget_share=0, factor=0)
        assert read.factor == pytest.approx(written.factor)


@pytest.mark.parametrize(("seconds", "text"), [(60, "1m"), (3600, "1h"), (86400, "1d"), (5400, "90m"), (90, "2m")])
def test_durations_are_in_the_longest_whole_unit(seconds, text):
    assert str(duration(seconds)) == text
