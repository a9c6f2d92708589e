"""Runbooks, objectives that contradict each other, exceptions, and that shipped documents are sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre.slo.lint import RULES, lint
from sre.slo.openslo import load_documents

ROOT = Path(__file__).parents[4]


def test_an_slo_without_runbook_is_warned_of(linting):
    found = linting.only("SLO071", annotations=())
    assert (found.severity, found.document) == ("warning", "answers")


def test_a_runbook_that_is_not_there(linting):
    named = (("sre/runbook", "runbooks/absent.md"),)
    assert linting.only("SLO070", annotations=named).severity == "error"
    (linting.path.parents[1] / "runbooks").mkdir()
    (linting.path.parents[1] / "runbooks" / "absent.md").write_text("what to do\n")
    assert linting.rules(annotations=named) == []


def latency(linting, name, le, target):
    family = "sre_gateway_ttft_seconds"
    return linting.slo(name, good=f'{family}_bucket{{le="{le}"}}', total=f"{family}_count", target=target)


def test_a_looser_threshold_must_promise_more(linting):
    fast = latency(linting, "fast", "0.5", 0.99)
    (found,) = linting.findings(fast + "---\n" + latency(linting, "slow", "2.0", 0.95))
    assert (found.rule, found.document) == ("SLO072", "slow")
    assert "0.95 within the looser threshold, but 0.99 within the stricter one of fast" in found.what
    assert linting.findings(fast + "---\n" + latency(linting, "slow", "2.0", 0.999)) == ()


def test_thresholds_of_gauges_are_compared_by_their_direction(linting):
    def level(name, op, value, target):
        return linting.slo(
            name, metric="sre_gateway_queue_depth", objective=f", op: {op}, value: {value}", target=target
        )

    wrong = level("a", "lte", 5, 0.99) + "---\n" + level("b", "lte", 50, 0.95)
    assert [one.document for one in linting.findings(wrong)] == ["b"]
    wrong = level("a", "gte", 5, 0.95) + "---\n" + level("b", "gte", 50, 0.99)
    assert [one.document for one in linting.findings(wrong)] == ["a"]
    right = level("a", "gte", 5, 0.99) + "---\n" + level("b", "gte", 50, 0.95)
    assert linting.findings(right) == ()


def ignoring(linting, text):
    return linting(annotations=(("sre/lint-ignore", text),))


def test_an_exception_with_a_reason_is_followed(linting):
    assert ignoring(linting, "SLO071: the team writes it this week; SLO010: buckets are fixed") == ()


def test_an_alert_policy_has_exceptions_of_its_own(linting):
    silent = linting.policy(threshold=1000, lookback="1m")
    assert "SLO001" in linting.rules(policies=silent, extra=linting.pager)
    excused = "{name: fast, annotations: {sre/lint-ignore: 'SLO001: a placeholder until May'}}"
    text = silent.replace("{name: fast}", excused)
    assert text != silent
    assert linting.rules(policies=text, extra=linting.pager) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("SLO071", "'SLO071' gives no reason"), ("SLO071:", "gives no reason"), ("SLO999: because", "names no rule")],
)
def test_an_exception_without_a_reason_is_not(linting, text, said):
    found = ignoring(linting, text)
    assert [one.rule for one in found] == ["SLO080", "SLO071"] or [one.rule for one in found] == ["SLO071", "SLO080"]
    assert said in next(one.what for one in found if one.rule == "SLO080")


def test_findings_come_by_file_and_line_and_each_once(linting):
    found = linting(bad='nothing_total{a="b"}', total="nothing_total", annotations=())
    assert list(found) == sorted(found, key=lambda one: (one.file, one.line, one.rule, one.what))
    assert len(set(found)) == len(found)
    assert all(one.file == str(linting.path) and one.line > 0 and one.why and one.mend for one in found)


def test_rules_have_numbers_and_names_of_their_own():
    assert len({rule.id for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES) >= 25
    assert all(rule.summary.endswith(".") and rule.why for rule in RULES)


@pytest.mark.parametrize("folder", ["slo", "slo/vllm", "slo/triton"])
def test_shipped_documents_have_no_errors(folder):
    path = ROOT / folder
    if not path.is_dir():
        pytest.skip(f"{folder} is not there yet")
    found = lint(load_documents([path]), source=None, now=0.0)
    assert [one for one in found if one.severity == "error"] == []
