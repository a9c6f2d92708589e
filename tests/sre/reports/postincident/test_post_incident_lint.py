"""The lint: each rule finds its weakness, says how to mend it, and a good post-mortem has all points."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import BadDocument
from sre.incidents.events import Approved
from sre.reports.postincident.build import post_incident
from sre.reports.postincident.lint import lint_file, lint_reading
from sre.reports.postincident.lint.blame import blame
from sre.reports.postincident.lint.from_markdown import reading_of_markdown
from sre.reports.postincident.lint.from_report import reading_of_report
from sre.reports.postincident.lint.model import Line
from sre.reports.postincident.lint.rules import RULES
from sre.reports.postincident.lint.sentences import sentences
from sre.reports.postincident.signing import sealed
from sre.reports.postincident.write import write_post_incident
from sre.reports.rebuild import without_store

GOOD = """# Chat was down

## Summary
At 10:02 UTC a bad image was rolled out to all replicas. For users 1,204 of 9,800 requests failed in 14 minutes. A
rollback at 10:16 UTC ended it, and it cost $310.

## Impact
1,204 of 9,800 requests failed (12.3 %); 41 % of the month's error budget is gone.

## Detection
The page AvailabilityBurns fired 3 min after the first failure; a customer had noticed 1 min before.

## Trigger and contributing causes
The image held a model that no replica could load; the rollout does not wait for a first inference
([log](logs/rollout.log)).

## Timeline
| at | what | evidence |
|---|---|---|
| 10:02 | rollout begins | [deploy 81](https://ci.example/81) |
| 10:05 | page | [alert](https://am.example/3) |

## What went well
- The rollback took 40 s.

## What went wrong
- The canary served no traffic.

## Where we got lucky
- It was a Sunday.

## Action items
| action | owner | due |
|---|---|---|
| Let the rollout wait for an inference | Ada | 2026-12-01 |

## Cost
$310: 1,204 requests x 0.25 USD, and a replica-hour.

## Open questions
None.

## Approvals
| role | decision |
|---|---|
| SRE lead | approved 2026-11-20 |
"""


def findings_of(text):
    return lint_reading(reading_of_markdown(text)).findings


def findings(text):
    return {one.rule: one for one in findings_of(text)}


def test_the_weights_sum_to_a_hundred():
    assert sum(rule.weight for rule in RULES) == 100
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_a_good_post_mortem_in_markdown_has_all_points():
    found = lint_reading(reading_of_markdown(GOOD))
    assert found.findings == ()
    assert found.score == 100


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("A\nrollback at 10:16 UTC ended it, and it cost $310.", "It ended. We are sorry. It cost a lot.", "summary"),
        (
            "1,204 of 9,800 requests failed (12.3 %); 41 % of the month's error budget is gone.",
            "Some failed.",
            "impact",
        ),
        ("The page AvailabilityBurns fired 3 min after the first failure; a customer", "Somebody", "detection"),
        ("The image held a model that no replica could load", "Unknown; it is looked into", "trigger"),
        ("[deploy 81](https://ci.example/81)", "", "timeline-evidence"),
        ("## Where we got lucky\n- It was a Sunday.\n", "", "lessons"),
        ("| Ada |", "| TBD |", "actions"),
        ("| 2026-12-01 |", "| - |", "actions"),
        ("$310: 1,204 requests x 0.25 USD, and a replica-hour.", "Nobody has asked.", "cost"),
        ("it cost $310.\n\n## Impact", "it cost $310.\n\n## Impact\n| tokens | n/a |\n", "reasons"),
        ("None.", "- Why did the canary stay silent?", "open-questions"),
        ("approved 2026-11-20", "", "approvals"),
        ("The canary served", "Bob should have checked. The canary served", "blameless"),
    ],
)
def test_each_weakness_is_found_by_its_rule_alone(old, new, rule):
    assert old in GOOD
    found = findings(GOOD.replace(old, new))
    assert list(found) == [rule]
    assert found[rule].lost > 0
    assert found[rule].mend


def test_an_na_with_its_reason_beside_it_is_fine():
    text = GOOD.replace("## Detection", "| tokens | n/a | the gateway's counters were lost |\n\n## Detection")
    assert "reasons" not in findings(text)


@pytest.mark.parametrize(
    "text", ["", "# Only a title", "no headings at all, just words", "## \n\n|\n|-\n", "```\n## Summary"]
)
def test_what_says_nothing_scores_low_and_breaks_nothing(text):
    assert lint_reading(reading_of_markdown(text)).score == 0


def test_words_in_a_code_block_are_evidence_and_no_blame():
    text = GOOD.replace("## Cost", "```\nroot: Bob should have known\n```\n\n## Cost")
    assert "blameless" not in findings(text)


@pytest.mark.parametrize(
    "text",
    [
        "It was human error.",
        "The operator should have waited.",
        "This happened because Alice deployed on a Friday.",
        "Caused by Bob's mistake in the config.",
        "The on-call forgot to drain it.",
    ],
)
def test_words_that_look_for_who_is_at_fault_are_found(text):
    assert list(blame([Line("x", text)]))


@pytest.mark.parametrize(
    "text",
    [
        "Ada drained llm-1 at 10:04.",
        "The replica failed because Triton had no memory.",
        "It was caused by a full disk.",
        "Requests failed because The gateway was restarted.",
        "The check should fire within 30 s.",
    ],
)
def test_words_that_describe_what_happened_are_not(text):
    assert list(blame([Line("x", text)])) == []


def test_blame_costs_more_the_more_there_is_and_never_more_than_its_weight():
    once, often = (
        sum(f.lost for f in lint_reading(reading_of_markdown(GOOD + "\nBob should have.\n" * n)).findings)
        for n in (1, 9)
    )
    assert 0 < once < often == 10


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("One. Two! Three?", 3),
        ("It took 3.5 s. It ended.", 2),
        ("Replicas, e.g. llm-1, died. It ended.", 2),
        ("It was v1.2.3 of x.y.", 1),
        ("", 0),
    ],
)
def test_sentences_are_counted_as_people_count_them(text, count):
    assert len(sentences(text)) == count


def test_our_own_report_of_a_drill_lacks_only_what_people_must_add(drill, drill_case, cost_sum):
    report = post_incident(drill_case, drill=drill, costs=(cost_sum,))
    rules = {one.rule for one in lint_reading(reading_of_report(report)).findings}
    assert rules == {"actions", "approvals", "open-questions", "lessons"}, "the last: nobody named any luck"


def test_our_markdown_scores_like_our_json(drill, drill_case, cost_sum, tmp_path):
    report = post_incident(drill_case, drill=drill, costs=(cost_sum,))
    write_post_incident(report, tmp_path, case=drill_case, drill=drill)
    by_json, by_markdown = lint_file(tmp_path), lint_file(tmp_path / "post-incident.md")
    assert abs(by_json.score - by_markdown.score) <= 2


def test_only_approvals_of_this_content_raise_the_score(alert_drafts, make_draft):
    def score(*more):
        case = without_store((*alert_drafts, *more), "INC-0001")
        return lint_reading(reading_of_report(sealed(post_incident(case)))).score

    def signed(sha256, decision="approved"):
        words = [
            Approved(role, "N", "post-incident.json", sha256, decision, "no") for role in ("security-grc", "finance")
        ]
        return [make_draft(300, word) for word in words]

    content = sealed(post_incident(without_store(alert_drafts, "INC-0001"))).content_sha256
    assert score(*signed(content)) == score() + 4
    assert score(*signed("0" * 64)) == score()
    assert score(*signed(content, "rejected")) == score()


def test_a_report_without_lessons_says_so(drill, drill_case):
    bare = dataclasses.replace(post_incident(drill_case, drill=drill).lessons, worked=(), failed=(), lucky=())
    report = dataclasses.replace(post_incident(drill_case, drill=drill), lessons=bare)
    found = {one.rule: one for one in lint_reading(reading_of_report(report)).findings}
    assert found["lessons"].lost == 8


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff\xfe", b'{"schema": 1, "kind": "post-incident"}'])
def test_what_is_no_report_is_refused_by_name(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(BadDocument, match=r"x\.json"):
        lint_file(path)


@pytest.mark.parametrize("name", ["x", "x.md", "x.txt"])
@pytest.mark.parametrize("content", [b"", b"garbage\n", b"```\n# not a heading\n```\n", b"# a\0b\n", b"\x7fELF\xff"])
def test_what_is_no_markdown_with_headings_is_refused_in_one_line(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadDocument) as refused:
        lint_file(path)
    (fault,) = refused.value.faults
    assert fault.startswith(f"{path}: no")


def test_a_folder_without_a_report_is_refused_by_name(tmp_path):
    with pytest.raises(BadDocument, match=r"post-incident\.json: cannot be read"):
        lint_file(tmp_path)


@given(st.text(alphabet=st.sampled_from("#|-`~* \n\\[]().:ab01n/") | st.characters(codec="utf-8"), max_size=400))
def test_no_markdown_breaks_it(text):
    assert 0 <= lint_reading(reading_of_markdown(text)).score <= 100
