"""Selectors are read as PromQL reads them, and refused with the position where they stop being one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.metrics.model import Matcher, Selector, SeriesId
from sre.metrics.selector import BadSelector, format_selector, parse_selector, parse_sum, series_filter

LABELS = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True)
NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,12}", fullmatch=True)
VALUES = st.text(st.characters(codec="utf-8"), max_size=12)


def series(name="requests", **labels):
    return SeriesId(name, tuple(sorted(labels.items())))


def matches(text, one):
    return series_filter(parse_selector(text))(one)


def test_reads_a_name_and_its_matchers():
    assert parse_selector(' vllm:queue { a = "x" , b=~"y|z", } ') == Selector(
        "vllm:queue", (Matcher("a", "=", "x"), Matcher("b", "=~", "y|z"))
    )


def test_reads_all_three_quotes_with_their_escapes():
    selector = parse_selector(r"""m{a="q\"\n\\",b='it\'s',c=`raw\n`}""")
    assert [m.value for m in selector.matchers] == ['q"\n\\', "it's", "raw\\n"]


def test_braces_and_commas_inside_quotes_belong_to_the_value():
    assert parse_selector('m{a="},{+"}').matchers == (Matcher("a", "=", "},{+"),)


def test_a_sum_is_its_selectors_in_order():
    assert [s.name for s in parse_sum('a{x="+"} + b +c')] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 0, "metric name"),
        ('{a="b"}', 0, "metric name"),
        ("m{", 2, "label name"),
        ("m{a}", 3, "expected ="),
        ("m{a=b}", 4, "quoted"),
        ('m{a="b}', 4, "quoted"),
        ('m{a="b" c="d"}', 8, "`,` or `}`"),
        ('m{a=~"("}', 5, "regular expression"),
        ("m[5m]", 1, "range"),
        ("rate(m[5m])", 4, "functions"),
        ("a / b", 2, "join several"),
        ("a b", 2, "join several"),
        ("a +", 3, "metric name"),
    ],
)
def test_says_where_a_text_stops_being_a_selector(text, position, says):
    with pytest.raises(BadSelector, match=says) as caught:
        parse_sum(text)
    assert caught.value.position == position


def test_one_selector_is_not_a_sum():
    with pytest.raises(BadSelector):
        parse_selector("a + b")


@given(NAMES, st.lists(st.builds(Matcher, LABELS, st.sampled_from(["=", "!="]), VALUES), max_size=4))
def test_what_is_written_reads_back_equal(name, matchers):
    selector = Selector(name, tuple(matchers))
    assert parse_selector(format_selector(selector)) == selector


def test_the_name_must_be_equal():
    assert matches("requests", series(outcome="ok"))
    assert not matches("requests", series("requests_total"))


def test_regular_expressions_are_anchored():
    assert matches('requests{outcome=~"o.|error"}', series(outcome="ok"))
    assert not matches('requests{outcome=~"o|err"}', series(outcome="ok"))
    assert matches('requests{outcome!~"o|err"}', series(outcome="ok"))


def test_an_absent_label_is_an_empty_one():
    bare = series()
    assert matches('requests{outcome=""}', bare)
    assert matches('requests{outcome!="ok"}', bare)
    assert matches('requests{outcome=~".*"}', bare)
    assert not matches('requests{outcome=~".+"}', bare)
