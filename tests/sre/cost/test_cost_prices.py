"""Price books: exact digits, dates and sources; every fault with its line."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from sre.cost.model import Purchase
from sre.cost.price_book import parse_book
from sre.cost.prices import asked_price, load_book, price_named, price_of, shipped_prices
from sre.errors import BadDocument

BOOK = """schema: 1
prices:
  - name: lab-h100
    gpu: H100-80GB
    per_gpu_hour: 2.10
    currency: EUR
    valid_from: 2026-01-01
    valid_until: null
    source: "our contract 17"
"""


def faults_of(text: str) -> str:
    with pytest.raises(BadDocument) as raised:
        parse_book(text, where="book.yaml")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_price_keeps_the_digits_that_were_written() -> None:
    (price,) = parse_book(BOOK, where="book.yaml")
    assert str(price.per_gpu_hour) == "2.10"
    assert (price.name, price.gpu, price.currency, price.source) == ("lab-h100", "H100-80GB", "EUR", "our contract 17")
    assert (price.valid_from, price.valid_until) == ("2026-01-01", None)
    assert price.validity == "from 2026-01-01"


def test_the_shipped_price_is_the_published_one() -> None:
    price = price_named("aws-capacity-block-h100", shipped_prices())
    assert price.per_gpu_hour == Decimal("4.916")
    assert abs(price.per_gpu_hour - Decimal("39.33") / 8) < Decimal("0.001")
    assert (price.gpu, price.currency, price.validity) == ("H100-80GB", "USD", "until 2025-01-01")
    assert "Capacity Blocks" in price.source


def test_every_shipped_price_is_dated_sourced_and_named_once() -> None:
    prices = shipped_prices()
    assert len({price.name for price in prices}) == len(prices)
    assert all(price.source and price.validity != "undated" for price in prices)


def test_a_price_that_was_read_on_a_day_names_that_day_in_its_source() -> None:
    for price in shipped_prices():
        day = price.valid_from if price.valid_until is None or price.valid_from else price.valid_until
        assert day is not None
        assert day in price.source or price.purchase == "capacity-block", price.name


def test_a_price_below_its_list_price_was_bought_with_a_discount() -> None:
    discounted = [price for price in shipped_prices() if price.list_per_gpu_hour is not None]
    assert discounted
    assert all(price.per_gpu_hour < (price.list_per_gpu_hour or 0) for price in discounted)
    assert {price.purchase for price in discounted} == {"spot", "committed"}


def test_every_gpu_of_a_profile_has_a_price_today() -> None:
    for gpu in ("H100-80GB", "A100-80GB", "RTX-4090"):
        assert price_of(gpu, shipped_prices(), on=date(2026, 11, 25)).purchase == "on-demand"


AGES = """schema: 1
prices:
  - {name: old, gpu: H, per_gpu_hour: 4, currency: USD, valid_until: 2025-01-01, source: a}
  - {name: mid, gpu: H, per_gpu_hour: 3, currency: USD, valid_from: 2025-01-01, valid_until: 2026-01-01, source: a}
  - {name: late, gpu: H, per_gpu_hour: 2, currency: USD, valid_from: 2025-06-01, purchase: on-demand, source: a}
  - {name: spot, gpu: H, per_gpu_hour: 1, currency: USD, valid_from: 2025-09-01, purchase: spot, source: a}
"""


@pytest.mark.parametrize(
    ("day", "purchase", "expected"),
    [
        ("2024-12-31", None, "old"),
        ("2025-01-01", None, "mid"),
        ("2025-05-31", None, "mid"),
        ("2025-06-01", None, "late"),
        ("2025-12-01", None, "late"),
        ("2025-12-01", "spot", "spot"),
        ("2026-06-01", "on-demand", "late"),
    ],
)
def test_the_newest_price_in_force_on_the_day_is_taken(day: str, purchase: Purchase | None, expected: str) -> None:
    prices = parse_book(AGES, where="ages.yaml")
    assert price_of("H", prices, on=date.fromisoformat(day), purchase=purchase).name == expected


def test_without_a_day_the_newest_is_taken_that_anybody_pays() -> None:
    prices = parse_book(AGES, where="ages.yaml")
    assert price_of("H", prices).name == "late"
    assert price_of("H", prices, purchase="spot").name == "spot"
    assert price_of("H", prices[:1]).name == "old"


def test_a_comparison_is_priced_with_what_is_sold_now() -> None:
    price = price_of("H100-80GB", shipped_prices())
    assert (price.purchase, price.valid_until) == ("on-demand", None)


def test_a_price_that_ran_out_is_one_line_with_what_there_is() -> None:
    prices = [price for price in parse_book(AGES, where="ages.yaml") if price.name in {"old", "mid"}]
    with pytest.raises(
        BadDocument, match=r"^no price for GPU 'H' holds on 2026-02-01: there is old \(until 2025-01-01\),"
    ) as raised:
        price_of("H", prices, on=date(2026, 2, 1))
    assert "\n" not in str(raised.value)
    with pytest.raises(BadDocument, match="no committed price for GPU 'H' in the price book: there is old"):
        price_of("H", prices, on=date(2026, 2, 1), purchase="committed")


def test_a_price_is_found_by_its_name() -> None:
    assert price_named("mid", parse_book(AGES, where="ages.yaml")).per_gpu_hour == 3
    with pytest.raises(BadDocument, match=r"no price is called 'nope': there is old \(until"):
        price_named("nope", parse_book(AGES, where="ages.yaml"))


def test_an_unknown_price_lists_those_that_exist() -> None:
    with pytest.raises(BadDocument, match=r"no price for GPU 'H900' in the price book: there is one for .*H100-80GB"):
        price_of("H900", shipped_prices())


@pytest.mark.parametrize(
    ("written", "instead", "expected"),
    [
        ("2.10", "0", "book.yaml:5: per_gpu_hour '0' is no amount above 0"),
        ("2.10", "-3", "book.yaml:5: per_gpu_hour '-3'"),
        ("2.10", "NaN", "book.yaml:5: per_gpu_hour 'NaN'"),
        ("2.10", "1e400", "book.yaml:5: per_gpu_hour '1e400' is no amount"),
        ("2.10", "1e-400", "book.yaml:5: per_gpu_hour '1e-400' is no amount"),
        ("2.10", "0.1234567890123", "book.yaml:5: per_gpu_hour '0.1234567890123' is no amount"),
        ("2.10", "2,10", "book.yaml:5: per_gpu_hour '2,10'"),
        ("2.10", "[2]", "book.yaml:5: per_gpu_hour takes one value"),
        ("EUR", "euro", "book.yaml:6: currency 'euro' is no ISO 4217 code"),
        ("2026-01-01", "2026-02-30", "book.yaml:7: valid_from '2026-02-30' is no date"),
        (
            "valid_until: null",
            "valid_until: 2025-12-31",
            "valid_from 2026-01-01 does not lie before valid_until 2025-12-31",
        ),
        ('"our contract 17"', '""', "book.yaml:9: source '' is no text"),
        ("lab-h100", "lab h100", "book.yaml:3: name 'lab h100'"),
        ("    gpu: H100-80GB\n", "", "book.yaml:3: gpu is missing"),
        ("currency: EUR", "currency: EUR\n    colour: x", "unknown key 'colour': use name, gpu"),
        (
            "currency: EUR",
            "currency: EUR\n    purchase: leased",
            "purchase 'leased' is no purchase option (on-demand, spot",
        ),
        ("currency: EUR", "currency: EUR\n    list_per_gpu_hour: -1", "list_per_gpu_hour '-1' is no amount above 0"),
        ("EUR", "USS", "book.yaml:6: currency 'USS' is no ISO 4217 code"),
        ("currency: EUR", "currency: EUR\n    currency: USD", "book.yaml:7: 'currency' is given twice"),
        ("schema: 1", "schema: 2", "'schema: 1' is missing"),
        ("schema: 1", "schema: 1\ncolour: red", "book.yaml:2: unknown key 'colour'"),
        ("prices:", "prices: [", "not YAML"),
    ],
)
def test_each_fault_is_named_with_its_place(written: str, instead: str, expected: str) -> None:
    assert written in BOOK
    assert expected in faults_of(BOOK.replace(written, instead))


def test_all_faults_come_at_once() -> None:
    message = faults_of(BOOK.replace("2.10", "free").replace("EUR", "?!").replace("2026-01-01", "soon"))
    for part in ("book.yaml:5", "book.yaml:6", "book.yaml:7"):
        assert part in message


def test_two_prices_of_one_name_are_refused() -> None:
    again = BOOK[BOOK.index("  - name") :]
    assert "two prices are called 'lab-h100'" in faults_of(BOOK + again)


@pytest.mark.parametrize("text", ["", "prices: []\nschema: 1\n", "just words", "- a\n- b\n", "schema: 1\nprices: 3\n"])
def test_what_is_no_book_is_refused(text: str) -> None:
    assert "'prices' must be a list of at least one price" in faults_of(text)


@pytest.mark.parametrize("entry", ["  - 3\n", "  - [a]\n", "  -\n"])
def test_an_entry_that_is_no_price_is_refused(entry: str) -> None:
    assert "book.yaml:3: expected keys and values" in faults_of("schema: 1\nprices:\n" + entry)


def test_a_book_of_your_own_is_read_from_its_path(tmp_path: Path) -> None:
    path = tmp_path / "ours.yaml"
    path.write_text(BOOK)
    assert load_book(path)[0].name == "lab-h100"
    path.write_text(BOOK.replace("EUR", "e"))
    with pytest.raises(BadDocument, match=r"ours\.yaml:6: currency"):
        load_book(path)


def test_a_book_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadDocument, match="No such file"):
        load_book(tmp_path / "none.yaml")
    (tmp_path / "blob.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadDocument, match="UTF-8"):
        load_book(tmp_path / "blob.yaml")
    (tmp_path / "ctrl.yaml").write_bytes(b"schema: 1\x00\n")
    with pytest.raises(BadDocument, match="not YAML"):
        load_book(tmp_path / "ctrl.yaml")


@pytest.mark.parametrize(
    ("text", "amount", "currency"),
    [("2.10", "2.10", "USD"), ("2.10 EUR", "2.10", "EUR"), ("3EUR", "3", "EUR"), (" 0.5 ", "0.5", "USD")],
)
def test_an_amount_given_by_hand_keeps_its_digits(text: str, amount: str, currency: str) -> None:
    price = asked_price(text, "H", ())
    assert (str(price.per_gpu_hour), price.currency, price.source) == (amount, currency, "given by hand")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2.10 USS", "USS is no currency of ISO 4217"),
        ("0.00", "a GPU-hour costs more than 0"),
        ("cheap", "no price is called 'cheap': there is old"),
        ("-2", "no price is called '-2'"),
        ("2,10", "no price is called '2,10'"),
    ],
)
def test_what_is_no_price_is_one_line(text: str, said: str) -> None:
    with pytest.raises(BadDocument) as raised:
        asked_price(text, "H", parse_book(AGES, where="ages.yaml"))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_price_may_be_asked_for_by_its_name() -> None:
    assert asked_price("mid", "H", parse_book(AGES, where="ages.yaml")).name == "mid"


def test_a_key_that_is_no_text_is_named_with_its_line() -> None:
    assert faults_of("schema: 1\n? [a, b]\n: 2\nprices: []\n").startswith("book.yaml:2: a key is no text")
