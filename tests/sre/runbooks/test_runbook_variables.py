"""Values of a page's variables: only what looks like one gets to a command."""

from __future__ import annotations

import pytest

from sre.errors import SreError
from sre.runbooks.knowledge import shipped_alerts, shipped_knowledge
from sre.runbooks.variables import VARIABLES, checked_value, checked_values, variables_in, variables_of

PAGES = {**shipped_knowledge(), **shipped_alerts()}


@pytest.mark.parametrize("name", VARIABLES)
def test_the_example_of_each_variable_is_one(name):
    assert checked_value(name, VARIABLES[name].example) == VARIABLES[name].example


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REPLICA", "llm-1; rm -rf /"),
        ("REPLICA", "--help"),
        ("REPLICA", "../../etc"),
        ("REPLICA", "llm-1\n"),
        ("REPLICAS", "0"),
        ("PID", "1"),
        ("PID", "-1"),
        ("GATEWAY", "http://x/$(id)"),
        ("NS", ""),
    ],
)
def test_what_is_none_is_refused_with_an_example(name, value):
    with pytest.raises(SreError, match=r"give e\.g\."):
        checked_value(name, value)


def test_pairs_of_the_command_line_are_read_or_refused():
    assert checked_values(["REPLICA=llm-1", "REPLICAS=4"]) == {"REPLICA": "llm-1", "REPLICAS": "4"}
    with pytest.raises(SreError, match="write NAME=VALUE"):
        checked_values(["REPLICA"])
    with pytest.raises(SreError, match="HOME is no variable"):
        checked_values(["HOME=/"])


def test_a_command_says_which_variables_it_needs():
    assert variables_in('sre drain "${REPLICA:?}" --grace 30; echo $REPLICAS') == ("REPLICA", "REPLICAS")
    assert variables_in("echo $REPLICASET") == ()


@pytest.mark.parametrize("page", PAGES)
def test_no_command_of_a_page_leaves_something_to_be_put_in_by_hand(page):
    for part in PAGES[page].commands:
        for text in (part.run, getattr(part, "check", ""), getattr(part, "undo", "")):
            assert "<" not in text.replace("<<", "").replace("< /", ""), f"{page}: {part.name}: {text}"
        assert set(variables_of(part)) <= set(VARIABLES)
