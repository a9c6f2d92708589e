"""The error budget policy as a yes or a no: budgets, alerts that fire, blindness, and policy files."""

from dataclasses import replace

import numpy as np
import pytest

from sre.errors import BadDocument, SreError
from sre.metrics.selector import parse_sum
from sre.slo.burn import SliEvents
from sre.slo.counters import EventCurve
from sre.slo.gate import SHIPPED, GateRule, decide, read_policy, rule_for
from sre.slo.model import RatioSli, Slo
from sre.slo.status import judge

AT, DAY = 1_700_000_000.0, 86400.0
SLO = Slo("availability", "A", "", "gateway", 0.999, 30 * DAY, RatioSli(total=parse_sum("x")), "slo/a.yaml")


def standing(*, spent, name="availability", recent=False, rate=10.0):
    """A share of the budget spent, ten days ago or in the last ten minutes."""
    times = np.arange(AT - 30 * DAY, AT + 30, 60.0)
    lost = spent * 0.001 * rate * 30 * DAY
    ago, lasted = (600.0, 600.0) if recent else (10 * DAY, 3600.0)
    bad = lost * np.clip((times - (AT - ago)) / lasted, 0, 1)
    events = SliEvents(bad=EventCurve(times, bad), total=EventCurve(times, rate * (times - times[0])))
    return judge(replace(SLO, name=name), events, at=AT)


def test_enough_budget_lets_a_deploy_go_on():
    decision = decide([standing(spent=0.5)], SHIPPED["deploy"])
    assert decision.allowed
    assert decision.reasons[0].text == "50 % of its budget is left, 10 % needed"


def test_too_little_budget_blocks_and_says_how_much_is_missing():
    decision = decide([standing(spent=0.2), standing(spent=0.95, name="ttft")], SHIPPED["deploy"])
    assert not decision.allowed
    (blocking,) = [reason for reason in decision.reasons if reason.blocks]
    assert (blocking.slo, blocking.text) == ("ttft", "5 % of its budget is left; 10 % must be kept")


def test_what_the_action_may_spend_must_be_left_too():
    rule = GateRule("drill", min_remaining=0.25)
    assert decide([standing(spent=0.6)], rule, cost=0.1).allowed
    denied = decide([standing(spent=0.6)], rule, cost=0.2)
    assert not denied.allowed
    assert "drill may spend 20 %" in denied.reasons[0].text


def test_an_alert_that_fires_blocks_whatever_is_left():
    burning = standing(spent=0.1, recent=True)
    decision = decide([burning], SHIPPED["deploy"])
    assert not decision.allowed
    assert "page-1h" in decision.reasons[0].text
    assert decide([burning], replace(SHIPPED["deploy"], block_on=())).allowed


def test_blindness_blocks_unless_the_policy_says_otherwise():
    blind = standing(spent=0.0, rate=0.0)
    assert not decide([blind], SHIPPED["deploy"]).allowed
    assert decide([blind], replace(SHIPPED["deploy"], no_data="allow")).allowed


def test_no_slo_at_all_is_no_permission():
    assert not decide([], SHIPPED["deploy"]).allowed


def test_a_policy_file_is_read(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("actions:\n  deploy: {min_remaining: 0.2, block_on: [page, ticket]}\n  hotfix: {no_data: allow}\n")
    rules = read_policy(path)
    assert rules["deploy"] == GateRule("deploy", 0.2, ("page", "ticket"), "block")
    assert rule_for("hotfix", rules, where="policy.yaml") == GateRule("hotfix", 0.0, ("page",), "allow")


def test_every_fault_of_a_policy_is_told_with_its_line(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("actions:\n  deploy:\n    min_remaining: 20\n    block_on: [pager]\n    no_data: maybe\n    x: 1\n")
    with pytest.raises(BadDocument) as caught:
        read_policy(path)
    assert [fault.split(":")[1] for fault in sorted(caught.value.faults)] == ["3", "4", "5", "6"]


@pytest.mark.parametrize(
    "text", ["", "actions:\n", "actions: []\n", "[]\n", "a: 1\n---\nb: 2\n", "actions: {deploy: 3}\n"]
)
def test_what_is_no_policy_is_one_clear_report(tmp_path, text):
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(BadDocument):
        read_policy(path)


def test_an_unknown_action_names_those_there_are():
    with pytest.raises(SreError, match="use one of deploy, drill"):
        rule_for("party", SHIPPED, where="the shipped policy")
