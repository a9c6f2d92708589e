"""What an event says, as text and back."""

from __future__ import annotations

import json

import pytest

from sre.errors import BadDocument, SreError
from sre.incidents.events import KINDS, Draft, Measured, MilestoneMark, Observed, Opened, StatusSet
from sre.incidents.payloads import keepable, payload_of, payload_text, require_finite


def test_the_text_is_ascii_sorted_and_without_spaces():
    text = payload_text(Measured({"b": "ü", "a": ""}))
    assert text == '{"figures":{"a":"","b":"\\u00fc"},"reasons":{}}'


def test_fields_that_an_older_version_did_not_have_take_their_default():
    assert payload_of("opened", '{"title":"t","origin":"manual","severity":"SEV3"}', "x") == Opened(
        "t", "manual", "SEV3"
    )


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (
            "opened",
            '{"title":1,"origin":"x"}',
            ["x.title: expected text", "x.origin: expected one of", "x.severity: missing"],
        ),
        ("status", '{"status":"gone"}', ["x.status: expected one of open, acknowledged"]),
        ("status", "{", ["x: what it says is not JSON"]),
        ("status", "[]", ["x: expected an object"]),
        ("measured", '{"figures":{"a":3}}', ["x.figures.a: expected text"]),
        ("nosuch", "{}", ["x: kind 'nosuch' is not known: read it with the version that wrote it"]),
    ],
)
def test_every_fault_is_named_with_its_place(kind, text, said):
    with pytest.raises(BadDocument) as error:
        payload_of(kind, text, "x")
    assert len(error.value.faults) == len(said)
    assert all(fault.startswith(start) for fault, start in zip(error.value.faults, said, strict=True))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_instant_that_is_no_number_is_refused(bad):
    for draft in (Draft(bad, Observed("x"), "t", "s", "a"), Draft(1.0, MilestoneMark("x", bad), "t", "s", "a")):
        with pytest.raises(SreError, match="give a number, or n/a with a reason"):
            require_finite(draft)


def test_characters_no_database_takes_are_replaced_in_names_and_values():
    text = payload_text(Measured({"a\0": "\ud83d"}))
    assert json.loads(text)["figures"] == {"a\ufffd": "\ufffd"}
    assert keepable("\U0001f600 ok\n") == "\U0001f600 ok\n"


def test_every_kind_has_a_class_of_its_own():
    assert len(set(KINDS.values())) == len(KINDS)
    assert KINDS["status"] is StatusSet
