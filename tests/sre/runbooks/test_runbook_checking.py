"""What is wrong with a page as text: each fault is found at its line, with its mend."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre.cli.command_tree import refusal_of
from sre.runbooks.checking import check_text
from sre.runbooks.checking.model import parse

WORDS = "One two three four five six seven eight nine ten eleven twelve thirteen."
NAMES = ("Meaning", "Impact", "Diagnosis", "Mitigation", "Escalation", "Dashboards and queries", "Last drill")
PAGE = "# A page\n\n" + "".join(f"## {name}\n\n{WORDS}\n\n" for name in NAMES)


def found(text: str, path: Path = Path("runbooks/a.md")) -> list[str]:
    return [f"{one.line}: {one.code}: {one.what}: {one.mend}" for one in check_text(text, path, verbs=refusal_of)]


def test_a_whole_page_has_no_finding():
    assert found(PAGE) == []


def test_a_section_that_is_not_there_is_missed():
    (only,) = found(PAGE.replace("## Impact", "## Damage"))
    assert "there is no section `## Impact`" in only


def test_sections_in_another_order_are_told():
    swapped = PAGE.replace("## Meaning", "## X").replace("## Impact", "## Meaning").replace("## X", "## Impact")
    assert any("do not come first, in this order" in one for one in found(swapped))


@pytest.mark.parametrize(("words", "said"), [("", "is empty"), ("Just look.", "has 2 words")])
def test_a_section_that_says_nothing_is_thin(words, said):
    text = PAGE.replace(f"## Mitigation\n\n{WORDS}", f"## Mitigation\n\n{words}")
    (only,) = found(text)
    assert only.startswith("15: thin-section: section `Mitigation` " + said)


def test_links_to_no_file_and_to_no_heading_are_dead(tmp_path):
    (tmp_path / "b.md").write_text("# B\n\n## What to do\n")
    text = PAGE + (
        "[a](b.md) [b](b.md#what-to-do) [c](c.md) [d](b.md#what) [e](#impact) [f](#nothing) "
        "[g](https://example.org/x) `[h](h.md)`\n"
    )
    said = found(text, tmp_path / "a.md")
    assert [one.split(": ")[2] for one in said] == [
        "the link #nothing leads nowhere",
        "the link b.md#what leads nowhere",
        "the link c.md leads nowhere",
    ]
    assert all(one.startswith("31: dead-link") for one in said)


def test_shell_that_does_not_parse_is_found_at_its_line():
    text = PAGE + "```sh\nsre status\necho 'open\n```\n"
    (only,) = found(text)
    assert only.startswith("33: bad-command: the shell does not take it")


def test_a_block_that_is_never_closed_is_found():
    assert any("a code block is never closed" in one for one in found(PAGE + "```sh\nsre status\n"))


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("sre drian llm-1", "has no verb 'drian': did you mean `drain`?"),
        ("sre chaos heel", "has no verb 'heel': did you mean `heal`?"),
        ("sre drain llm-1 --gracee 3", "has no option --gracee: did you mean `--grace`?"),
        ("sre drain llm-1 --grace", "--grace of `sre drain` needs a value"),
        ("sre drain", "`sre drain` needs REPLICA"),
        ("sre scale 3 4", "takes 1 argument(s), here are 2"),
        ("sre chaos", "needs a verb"),
    ],
)
def test_a_command_of_this_kit_that_it_would_refuse_is_found_in_a_block(command, said):
    (only,) = found(f"{PAGE}```sh\necho; {command}\n```\n")
    assert only.startswith("32: bad-command")
    assert said in only


def test_in_a_sentence_a_verb_may_stand_without_what_it_takes():
    assert found(f"{PAGE}Use `sre drain`, `sre slo status --corrections`, `sre scale <n>`.\n") == []
    (only,) = found(f"{PAGE}Use `sre drian`.\n")
    assert "did you mean `drain`?" in only


@pytest.mark.parametrize(
    "command",
    [
        'sre drain "${REPLICA:?}" --restart --grace 30',
        "sre status > /dev/null 2>&1",
        '[ "$(sre status | grep -c up)" -ge 3 ]',
        "sre down && sre up --port 8400 --replicas=3",
    ],
)
def test_what_the_kit_takes_is_no_finding(command):
    assert found(f"{PAGE}```sh\n{command}\n```\n") == []


def test_comments_and_code_are_no_prose():
    document = parse("<!-- # no\n## heading -->\n# Yes\n```sh\n# no heading\n```\n")
    assert [(one.line, one.title) for one in document.headings] == [(3, "Yes")]
    assert [(one.line, one.text) for one in document.fences] == [(5, "# no heading")]


def test_two_headings_of_one_text_have_two_anchors():
    assert parse("## A b!\n## A b\n").anchors == {"a-b", "a-b-1"}
