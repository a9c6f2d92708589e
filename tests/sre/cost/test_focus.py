"""FOCUS rows: only what is on a bill, adding up to it exactly, in the columns of the specification."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sre.cost.activity import Slot
from sre.cost.focus import Account, FocusRow, focus_rows
from sre.cost.focus_columns import COLUMNS
from sre.cost.focus_write import write_csv, write_parquet
from sre.cost.layers import SharedPrice, layers_of
from sre.cost.model import Price, ReplicaUse
from sre.cost.rounding import total
from sre.cost.statement import Statement, statement_of_drill
from sre.cost.work import Work
from sre.errors import EnvironmentLacks, NoData, SreError

Drill = Callable[..., Path]
BEFORE_MIDNIGHT = datetime(2026, 11, 30, 22, 30, tzinfo=UTC).timestamp()
PRICE = Price("p", "H100-80GB", Decimal("4.916"), "USD", None, "a contract", purchase="on-demand", provider="Lab")
WORK = Work(1000, 500, 400, 50, 10, 10, 9)


def statement(**changes: object) -> Statement:
    """Two replicas from 22:30 to 00:15, over two clock hours' ends and a month's."""
    start, end = BEFORE_MIDNIGHT, BEFORE_MIDNIGHT + 6300
    asked = {
        "id": "drill-1",
        "title": "A drill",
        "start": start,
        "end": end,
        "price": PRICE,
        "gpus_per_replica": 1,
        "uses": (ReplicaUse("llm-0", start - 60, start - 30, end), ReplicaUse("llm-1", start + 100, start + 130, end)),
        "slots": (Slot("llm-0", start, end - 300, "busy"), Slot("llm-1", start, end, "vacant")),
        "work": WORK,
        **changes,
    }
    found = Statement(**asked)  # type: ignore[arg-type]
    return replace(found, layers=layered(found)) if found.slots else found


def layered(one: Statement) -> object:
    return layers_of(
        one.uses,
        one.slots,
        one.work,
        price=one.price,
        gpus_per_replica=one.gpus_per_replica,
        start=one.start,
        end=one.end,
        shared=one.shared,
    )


def sum_of(rows: list[FocusRow], column: str) -> Decimal:
    return total(value for row in rows if isinstance(value := row[column], Decimal))


def test_the_rows_add_up_to_the_bill_and_to_each_layer_exactly() -> None:
    one = statement(shared=SharedPrice(Decimal("0.37"), "a bill"))
    rows = list(focus_rows([one]))
    assert sum_of(rows, "BilledCost") == one.bill
    assert one.layers is not None
    for layer in ("used", "wasted", "idle", "shared"):
        assert sum_of(rows, f"x_{layer.title()}Cost") == getattr(one.layers, layer)
    for row in rows:
        assert row["BilledCost"] == sum_of([row], "x_UsedCost") + sum_of([row], "x_WastedCost") + sum_of(
            [row], "x_IdleCost"
        ) + sum_of([row], "x_SharedCost")


@given(
    st.lists(st.tuples(st.floats(0, 20_000), st.floats(0, 20_000), st.floats(0, 20_000)), min_size=1, max_size=4),
    st.decimals(min_value="0.0001", max_value="99", places=4),
    st.integers(1, 8),
    st.one_of(st.none(), st.decimals(min_value="0.01", max_value="9", places=2)),
    st.booleans(),
)
def test_whatever_lived_the_rows_add_up(
    times: list[tuple[float, float, float]], per_hour: Decimal, gpus: int, shared: Decimal | None, is_seen: bool
) -> None:
    start = BEFORE_MIDNIGHT
    spans = [sorted(start + round(at, 6) for at in three) for three in times]
    uses = tuple(ReplicaUse(f"llm-{i}", a, b, c) for i, (a, b, c) in enumerate(spans) if a < c)
    one = Statement(
        id="x",
        title="x",
        start=start,
        end=start + 20_000,
        price=replace(PRICE, per_gpu_hour=per_hour),
        gpus_per_replica=gpus,
        uses=uses,
        slots=tuple(Slot(use.replica, use.start, (use.start + use.end) / 2, "busy") for use in uses) if is_seen else (),
        work=WORK,
        shared=None if shared is None else SharedPrice(shared, "a bill"),
    )
    with contextlib.suppress(NoData):
        one = replace(one, layers=layered(one))
    rows = list(focus_rows([one]))
    assert sum_of(rows, "BilledCost") == one.bill
    for row in rows:
        price, quantity, cost = row["ContractedUnitPrice"], row["PricingQuantity"], row["ContractedCost"]
        assert isinstance(price, Decimal)
        assert isinstance(quantity, Decimal)
        assert isinstance(cost, Decimal)
        assert abs(price * quantity - cost) < Decimal("1e-9"), "what the specification asks, as finely as its validator"


def test_a_life_is_cut_at_clock_hours_and_a_month_ends_a_billing_period() -> None:
    rows = [row for row in focus_rows([statement()]) if row["ResourceName"] == "llm-0"]
    hours = [
        datetime(2026, 11, 30, 22, tzinfo=UTC),
        datetime(2026, 11, 30, 23, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
    ]
    assert [row["ChargePeriodStart"] for row in rows] == hours
    assert [row["BillingPeriodStart"] for row in rows] == [
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 12, 1, tzinfo=UTC),
    ]
    assert rows[-1]["BillingPeriodEnd"] == datetime(2027, 1, 1, tzinfo=UTC)
    assert len({row["ResourceId"] for row in rows}) == 1
    assert rows[0]["x_UsageStart"] == datetime.fromtimestamp(BEFORE_MIDNIGHT, UTC)


def test_what_was_lost_and_not_billed_is_in_no_row(drill: Drill) -> None:
    """The report knows of capacity lost and tokens wasted in the incident; none of it is a charge of its own."""
    one = statement_of_drill(drill())
    rows = list(focus_rows([one]))
    assert {row["ChargeCategory"] for row in rows} == {"Usage"}
    assert {row["ResourceType"] for row in rows} == {"GPU replica"}
    assert sum_of(rows, "BilledCost") == one.bill == Decimal("0.38")
    told = " ".join(str(value) for row in rows for value in row.values()).lower()
    assert not [word for word in ("revenue", "credit", "labour", "refund", "lost") if word in told]


def test_the_rows_know_their_drill_and_their_account(drill: Drill) -> None:
    (row, *_) = focus_rows([statement_of_drill(drill("d1"))], Account("acc-1", "Team A"))
    assert (row["x_ReportId"], row["x_Experiment"], row["x_IncidentId"]) == ("d1", "crash.yaml", "d1")
    assert (row["BillingAccountId"], row["BillingAccountName"]) == ("acc-1", "Team A")
    assert (row["ProviderName"], row["RegionId"], row["x_PriceSource"]) == ("Lab", "lab-1", "our contract 17")
    assert row["Tags"] == '{"experiment": "crash.yaml", "incident": "d1", "report": "d1"}'
    assert row["PricingUnit"] == row["ConsumedUnit"] == "GPU-Hours"


@pytest.mark.parametrize(
    ("purchase", "listed", "category", "list_cost"),
    [
        ("on-demand", None, "Standard", "1"),
        ("committed", "8", "Standard", "2"),
        ("spot", "8", "Dynamic", "2"),
        ("capacity-block", None, "Standard", "1"),
        (None, None, "Standard", "1"),
    ],
)
def test_how_it_was_bought_decides_category_and_list_price(
    purchase: str | None, listed: str | None, category: str, list_cost: str
) -> None:
    price = replace(
        PRICE,
        per_gpu_hour=Decimal(4),
        purchase=purchase,  # type: ignore[arg-type]
        list_per_gpu_hour=None if listed is None else Decimal(listed),
    )
    start = datetime(2026, 11, 30, 22, tzinfo=UTC).timestamp()
    one = statement(
        price=price, start=start, end=start + 900, uses=(ReplicaUse("llm-0", start, start, start + 900),), slots=()
    )
    (row,) = focus_rows([one])
    assert (row["PricingCategory"], row["x_PurchaseOption"]) == (category, purchase)
    assert (row["BilledCost"], row["ListCost"]) == (1, Decimal(list_cost))


def test_without_samples_the_rows_have_no_layers() -> None:
    one = statement(slots=())
    rows = list(focus_rows([one]))
    assert sum_of(rows, "BilledCost") == one.bill
    assert {row["x_UsedCost"] for row in rows} == {None}


def test_a_drill_given_twice_is_refused() -> None:
    with pytest.raises(SreError, match="drill-1: given twice"):
        list(focus_rows([statement(), statement()]))


def test_every_column_is_filled_where_the_specification_wants_it() -> None:
    names = {column.name for column in COLUMNS}
    for row in focus_rows([statement(shared=SharedPrice(Decimal(1), "a bill")), statement(id="other", slots=())]):
        assert set(row) <= names
        empty = [column.name for column in COLUMNS if not column.nullable and row.get(column.name) in {None, ""}]
        assert empty == []


def test_our_own_columns_come_last_and_say_so() -> None:
    names = [column.name for column in COLUMNS]
    own = [name for name in names if name.startswith("x_")]
    assert names[-len(own) :] == own == sorted(own)
    assert names[: -len(own)] == sorted(names[: -len(own)])


def test_the_csv_holds_the_rows_as_the_specification_writes_them(tmp_path: Path) -> None:
    one = statement(shared=SharedPrice(Decimal(1), "a bill"))
    rows = list(focus_rows([one]))
    write_csv(rows, tmp_path / "a.csv")
    write_csv(list(focus_rows([one])), tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    with (tmp_path / "a.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert total(Decimal(row["BilledCost"]) for row in read) == one.bill
    assert read[0]["ChargePeriodStart"] == "2026-11-30T22:00:00Z"
    assert read[0]["ChargeClass"] == ""
    assert not any("E" in row["BilledCost"] for row in read)


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@x"])
def test_no_text_of_the_csv_is_a_formula_to_a_spreadsheet(tmp_path: Path, name: str) -> None:
    write_csv(list(focus_rows([statement(experiment=name)], Account(name, name))), tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert {row["BillingAccountId"] for row in read} == {f"'{name}"}
    assert {row["x_Experiment"] for row in read} == {f"'{name}"}
    assert total(Decimal(row["BilledCost"]) for row in read) == statement().bill


def test_the_parquet_has_exact_money_and_times_in_utc(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    one = statement()
    write_parquet(list(focus_rows([one])), tmp_path / "a.parquet")
    write_parquet(list(focus_rows([one])), tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    table = parquet.read_table(tmp_path / "a.parquet")
    assert table.schema.field("BilledCost").type == pyarrow.decimal128(30, 12)
    assert table.schema.field("ChargePeriodStart").type == pyarrow.timestamp("ms", tz="UTC")
    assert not table.schema.field("BilledCost").nullable
    assert total(table["BilledCost"].to_pylist()) == one.bill


@pytest.mark.parametrize("name", ["rows.csv", "rows.parquet"])
def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    write = write_csv if name.endswith("csv") else write_parquet
    with pytest.raises(EnvironmentLacks, match=r"rows\.\w+: cannot be written \(No such file or directory\)") as raised:
        write([], tmp_path / "none" / name)
    assert "\n" not in str(raised.value)
