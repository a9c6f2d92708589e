"""What is seen of a bill adds up, whatever was rounded."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from sre.cost.model import CostLayers, LayerPart, UnitCost
from sre.cost.rounding import total
from sre.reports.cost_layers import layer_shares, layers_table, shares, shown, units_table
from sre.reports.cost_layers_chart import layers_chart

NAMES = (("used", "good"), ("wasted", "failed"), ("idle", "vacant"), ("idle", "stalled"), ("shared", "platform"))


def layers(*amounts: str) -> CostLayers:
    parts = tuple(
        LayerPart(layer, name, Decimal(amount), 1.0, "what it is")  # type: ignore[arg-type]
        for (layer, name), amount in zip(NAMES, amounts, strict=False)
    )
    by = {
        one: total(part.amount for part in parts if part.layer == one) for one in ("used", "wasted", "idle", "shared")
    }
    units = (
        UnitCost("million tokens", "allocation", "", Decimal("1.5"), 10, "bill / tokens"),
        UnitCost("request", "allocation", "", None, None, "bill / requests", "nobody counted them"),
    )
    return CostLayers("USD", **by, bill=total(by.values()), parts=parts, units=units, busy_share=0.5)


amounts = st.lists(st.decimals(min_value=0, max_value=1000, places=6), min_size=5, max_size=5).filter(any)


@given(amounts)
def test_shown_amounts_add_up_to_the_shown_bill_and_shares_to_a_hundred(drawn: list[Decimal]) -> None:
    found = layers(*map(str, drawn))
    rows = layers_table(found).rows
    by_label = {row.cells[0]: row.cells for row in rows}
    parts = [Decimal(cells[1]) for label, cells in by_label.items() if label.startswith("\u00a0")]
    assert total(parts) == total(Decimal(by_label[one][1]) for one in ("used", "wasted", "idle", "shared"))
    assert total(parts) == Decimal(by_label["bill"][1])
    assert total(shares(found).values()) == total(share for _, share in layer_shares(found)) == 100


def test_a_small_bill_keeps_four_digits_and_a_large_one_cents() -> None:
    assert shown(layers("0.1234567", "0"))["used", "good"] == "0.1235"
    assert shown(layers("1234.5678", "0"))["used", "good"] == "1234.57"
    assert shown(layers("0.1234567", "0"))["wasted", "failed"] == "0.0000"


def test_parts_of_nothing_have_no_row_and_their_layer_has() -> None:
    labels = [row.cells[0] for row in layers_table(layers("1", "0", "2")).rows]
    assert labels == ["used", "\u00a0\u00a0good", "wasted", "idle", "\u00a0\u00a0vacant", "shared", "bill"]


def test_a_unit_that_is_not_known_says_why() -> None:
    cells = [row.cells for row in units_table(layers("1")).rows]
    assert cells[0][:4] == ("million tokens", "allocation", "all", "1.500")
    assert cells[1][3] == "n/a (nobody counted them)"


def test_the_chart_says_in_words_what_it_shows_and_is_the_same_each_time() -> None:
    found = layers("3", "1", "4", "1.5", "0.5")
    chart = layers_chart(found)
    assert chart.alt == "A bill of 10.0000 USD: used 30.0 %, wasted 10.0 %, idle 55.0 %, shared 5.0 %."
    assert chart == layers_chart(found)
    assert "idle: stalled 1.50" in chart.svg
