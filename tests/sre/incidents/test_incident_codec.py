"""Typed records to JSON and back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.errors import BadDocument
from sre.incidents.codec import decode, encode


@dataclass(frozen=True)
class Inner:
    at: float
    note: str | None = None


@dataclass(frozen=True)
class Outer:
    name: str
    count: int
    flag: bool
    kind: Literal["a", "b"]
    price: Decimal
    maybe: float | None
    inner: tuple[Inner, ...]
    pair: tuple[str, int]


OUTER = st.builds(
    Outer,
    name=st.text(),
    count=st.integers(-(2**53), 2**53),
    flag=st.booleans(),
    kind=st.sampled_from(["a", "b"]),
    price=st.decimals(allow_nan=False, allow_infinity=False),
    maybe=st.none() | st.floats(allow_nan=False),
    inner=st.lists(st.builds(Inner, st.floats(allow_nan=False), st.none() | st.text())).map(tuple),
    pair=st.tuples(st.text(), st.integers(-1000, 1000)),
)


@given(OUTER)
def test_any_record_comes_back_as_it_was(record):
    text = json.dumps(encode(record), allow_nan=False)
    again = decode(Outer, json.loads(text), "x")
    assert again == record
    assert str(again.price) == str(record.price)


def test_numpy_numbers_become_plain_ones():
    assert encode(Inner(np.float64(1.5))) == {"at": 1.5, "note": None}
    assert encode((np.int64(3), np.array([1.0, math.nan, -math.inf]))) == [3, [1.0, None, "-inf"]]


def test_a_default_may_be_left_out_and_nothing_else():
    assert decode(Inner, {"at": 1}, "x") == Inner(1.0)
    with pytest.raises(BadDocument, match=r"x\.at: missing"):
        decode(Inner, {}, "x")


def test_every_fault_is_told_with_its_path():
    bad = {
        "name": 3,
        "count": 1.5,
        "flag": 1,
        "kind": "c",
        "price": 1,
        "maybe": "no",
        "inner": [{"at": None}],
        "pair": ["a"],
    }
    with pytest.raises(BadDocument) as caught:
        decode(Outer, bad, "x")
    paths = [fault.split(": ")[0] for fault in caught.value.faults]
    assert paths == ["x.name", "x.count", "x.flag", "x.kind", "x.price", "x.maybe", "x.inner[0].at", "x.pair"]


def test_a_type_no_record_may_hold_is_refused():
    with pytest.raises(TypeError, match="set"):
        encode({1, 2})


@dataclass(frozen=True)
class Circle:
    radius: float


@dataclass(frozen=True)
class Box:
    width: float
    height: float = 1.0


@dataclass(frozen=True)
class Drawing:
    shape: Circle | Box
    drawn_at: datetime
    zone: ZoneInfo | None = None
    frame: Circle | Box | None = None


@pytest.mark.parametrize(
    "drawing",
    [
        Drawing(Circle(2.0), datetime(2026, 3, 1, 9, 30)),  # noqa: DTZ001  (wall time of a calendar window)
        Drawing(Box(2.0, 3.0), datetime(2026, 3, 1, tzinfo=UTC), ZoneInfo("Europe/Berlin"), Circle(1.0)),
    ],
)
def test_a_union_of_records_times_and_zones_come_back(drawing):
    assert decode(Drawing, json.loads(json.dumps(encode(drawing))), "x") == drawing


def test_of_a_union_the_record_with_the_fields_found_is_meant():
    drawing = decode(Drawing, {"shape": {"width": 2.0}, "drawn_at": "2026-03-01T09:30:00"}, "x")
    assert drawing.shape == Box(2.0)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("shape", {"radius": 1.0, "depth": 2.0}, "x.shape.depth: unknown field"),
        ("shape", 3, "x.shape: expected an object"),
        ("shape", None, "x.shape: expected an object, found null"),
        ("drawn_at", "yesterday", "x.drawn_at: expected a time"),
        ("zone", "Mars/Olympus", "x.zone: expected the name of a time zone"),
        ("zone", "../../etc/passwd", "x.zone: expected the name of a time zone"),
    ],
)
def test_a_bad_union_time_or_zone_is_told_with_its_path(field, value, said):
    record = {"shape": {"radius": 1.0}, "drawn_at": "2026-03-01T09:30:00", field: value}
    with pytest.raises(BadDocument) as caught:
        decode(Drawing, record, "x")
    assert caught.value.faults[0].startswith(said)


@dataclass(frozen=True)
class Named:
    figures: Mapping[str, str]


def test_a_mapping_goes_there_and_back_and_cannot_be_changed():
    named = decode(Named, json.loads(json.dumps(encode(Named({"requests_failed": "3"})))), "x")
    assert named == Named({"requests_failed": "3"})
    assert not hasattr(named.figures, "__setitem__")


def test_every_fault_of_a_mapping_is_named():
    with pytest.raises(BadDocument) as error:
        decode(Named, {"figures": {"a": 1, "b": "2", "c": None}}, "x")
    assert [fault.split(":")[0] for fault in error.value.faults] == ["x.figures.a", "x.figures.c"]


def test_a_zero_of_money_is_written_plainly_whatever_it_was_multiplied_with() -> None:
    assert [encode(Decimal(text)) for text in ("0E-32", "0.000", "-0", "0.010")] == ["0", "0", "0", "0.010"]
