"""What a report cannot be made to say: a figure without an origin, a column or a table of two."""

from __future__ import annotations

import math
from typing import Any, cast

import pytest

from sre.reports.performance.model import (
    Column,
    Compared,
    Figure,
    Finding,
    Measured,
    Row,
    Series,
    Simulated,
    Sufficiency,
    Table,
)

HERE = Measured("2 x a processor, Linux", "emulated engine")
MODEL = Simulated("h100", "+/-30 %")
ROWS = (Row("a", "a"), Row("b", "b"))


def figures(origin: Measured | Simulated, n: int = 2) -> tuple[Figure, ...]:
    return tuple(Figure("share", index / 10, origin) for index in range(n))


@pytest.mark.parametrize("origin", [None, "measured", 3])
def test_a_figure_or_a_sentence_without_an_origin_cannot_be_made(origin: Any) -> None:
    with pytest.raises(TypeError, match="needs an origin"):
        Figure("share", 0.5, cast(Measured, origin))
    with pytest.raises(TypeError, match="needs an origin"):
        Finding("half of them", cast(Measured, origin))


def test_no_value_needs_a_reason() -> None:
    with pytest.raises(ValueError, match="needs a reason"):
        Figure("share", None, HERE)
    assert Figure("share", None, HERE, "nothing was sent").value is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_figure_is_a_finite_number(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Figure("duration_s", value, HERE)


def test_measured_and_simulated_are_compared_by_ratio_only() -> None:
    both = Compared(HERE, MODEL)
    with pytest.raises(ValueError, match="by ratio"):
        Figure("duration_s", 1.0, both)
    assert Figure("ratio", 1.0, both).value == 1.0


def test_a_column_of_two_origins_cannot_be_made() -> None:
    mixed = (Figure("share", 0.5, HERE), Figure("share", 0.5, MODEL))
    with pytest.raises(ValueError, match="mixes origins"):
        Column("good", "good", mixed)


def test_nor_a_series() -> None:
    points = ((1.0, Figure("per_second", 1.0, HERE)), (2.0, Figure("per_second", 1.0, MODEL)))
    with pytest.raises(ValueError, match="mixes origins"):
        Series("line", "line", points)


def test_nor_a_table_whose_columns_are_each_of_one() -> None:
    one, other = Column("a", "a", figures(HERE)), Column("b", "b", figures(MODEL))
    with pytest.raises(ValueError, match="mixes origins"):
        Table("t", "t", "row", ROWS, (one, other))


def test_nor_one_whose_columns_do_not_fit_its_rows() -> None:
    with pytest.raises(ValueError, match="fits its 2 rows"):
        Table("t", "t", "row", ROWS, (Column("a", "a", figures(HERE, 3)),))


@pytest.mark.parametrize(("warm_up", "measured", "enough"), [(50, 500, True), (49, 500, False), (50, 499, False)])
def test_fewer_than_50_warm_up_and_500_measured_requests_do_not_suffice(
    warm_up: int, measured: int, *, enough: bool
) -> None:
    found = Sufficiency(warm_up, measured)
    assert found.is_enough is enough
    assert ("not sufficient" in found.words) is not enough
