"""Documents: two renderings of the same blocks, in which nothing that was typed becomes markup."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.tabletop.documents.control import evaluation_guide, handbook, inject_list, sign_off_sheet
from sre.tabletop.documents.html import to_html
from sre.tabletop.documents.markdown import to_markdown
from sre.tabletop.documents.model import Blank, Card, Document, Grid, Heading, Items, Shown, Text
from sre.tabletop.documents.player import feedback_form, handouts, player_manual
from sre.tabletop.model import Artefact

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=40)


def document(*blocks):
    return Document("one", "Title", "Subtitle", "players", blocks)


def told(*blocks):
    return to_markdown(document(*blocks), "FOR PLAYERS"), to_html(document(*blocks), "FOR PLAYERS")


def test_code_stays_code_and_the_rest_is_text():
    markdown, page = told(Text("run `sre status` for *all* <b>"))
    assert r"run `sre status` for \*all\* \<b\>" in markdown
    assert "run <code>sre status</code> for *all* &lt;b&gt;" in page


def test_a_bar_in_a_cell_does_not_break_the_table():
    markdown, _ = told(Grid(("a", "b"), (("x | y", "`p | q`"),)))
    assert markdown.rstrip().endswith(r"| x \| y | `p \| q` |")


def test_an_empty_table_says_so():
    markdown, page = told(Grid(("a",), (), empty="Nothing."))
    assert "Nothing." in markdown
    assert "Nothing." in page


def test_boxes_can_be_ticked_and_lines_written_on():
    markdown, page = told(Items(("do it",), "boxes"), Blank("Seen", 3))
    assert "- [ ] do it" in markdown
    assert page.count('<div class="line">') == 3


def test_an_artefact_without_anything_says_why():
    for text in told(Shown(Artefact("I01-log", "Log", "", absent="n/a (no drill)"))):
        assert "n/a (no drill)" in text


def test_a_card_is_its_blocks():
    inside, alone = told(Card((Heading("A"), Text("b")))), told(Heading("A"), Text("b"))
    assert inside[0] == alone[0]
    assert '<section class="card">' in inside[1]


@given(WORDS)
def test_whatever_is_typed_stays_text(text):
    markdown, page = told(Text(text), Items((text,)), Grid(("a",), ((text,),)))
    body = page[page.index("</header>") :]
    assert set(re.findall(r"<(\w+)", body)) <= {
        "p",
        "ul",
        "li",
        "table",
        "thead",
        "tr",
        "th",
        "tbody",
        "td",
        "code",
        "br",
    }
    assert not re.search(r"(?<!\\)<", re.sub(r"`[^`\n]*`", "", markdown))


@pytest.mark.parametrize(
    "make", [player_manual, handouts, feedback_form, handbook, inject_list, evaluation_guide, sign_off_sheet]
)
def test_every_document_has_pages_to_print_and_something_on_them(exercise, make):
    made = make(exercise)
    page = to_html(made, "BANNER")
    words = re.sub(r"<(style|svg).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL).split()
    assert len(words) > 100
    assert "BANNER" in page
    assert "@media print" in page


def test_the_handbook_holds_what_the_facilitator_needs(exercise, example_report):
    text = to_markdown(handbook(exercise), "CONTROL")
    for heading in ("What it is", "Run sheet", "What really happened", "The runbook: replica-crash", "Look-ups"):
        assert f"## {heading}" in text
    assert f"{example_report.faults[0].target} exited: the supervisor saw it" in text
    assert all(inject.id in text for inject in exercise.injects)


def test_the_evaluation_guide_asks_for_every_expected_action(exercise):
    text = to_html(evaluation_guide(exercise), "CONTROL")
    assert text.count('<ul class="boxes">') == len(exercise.injects)
    for objective in exercise.objectives:
        assert f"{objective.id}. {objective.title}" in text


def test_the_manual_says_who_plays_what_and_when(exercise):
    text = to_markdown(player_manual(exercise), "PLAYERS")
    assert all(role.title in text for role in exercise.roles)
    assert all(rule[:30] in text for rule in exercise.frame.rules)
    assert "STARTEX: play" in text
    assert "EXP-001" not in text


def test_the_sign_off_sheet_has_a_place_for_each_approver(exercise):
    text = to_markdown(sign_off_sheet(exercise), "CONTROL")
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## SRE lead",
        "## Security and GRC",
        "## Finance",
    ]
    assert text.count("| Name | Date and time \\(UTC\\) | Signature |".replace("\\", "")) == 3
