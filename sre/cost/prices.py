"""The prices of a GPU hour: those that come with the package or a book of your own, and which of them holds on a day.

Nothing is converted: an amount stays in the currency of its price.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from importlib import resources
from pathlib import Path

from sre.cost.currencies import CODES
from sre.cost.model import Price, Purchase
from sre.cost.price_book import parse_book
from sre.errors import BadDocument

_UNDATED = "0000-00-00"
_AMOUNT = re.compile(r"(?P<amount>[0-9]{1,6}(\.[0-9]{1,12})?) ?(?P<currency>[A-Z]{3})?")


def shipped_prices() -> tuple[Price, ...]:
    """Every price of the books that come with the package, in the order of their file names."""
    books = sorted(
        (
            entry
            for entry in resources.files("sre.cost").joinpath("price_books").iterdir()
            if entry.name.endswith(".yaml")
        ),
        key=lambda entry: entry.name,
    )
    return tuple(price for book in books for price in parse_book(book.read_text("utf-8"), where=book.name))


def load_book(path: Path) -> tuple[Price, ...]:
    """The prices of a book of your own. Raises BadDocument with every fault as file:line."""
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise BadDocument([f"{path}: cannot read the price book: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}: not a text file in UTF-8 (byte {error.start})"]) from error
    return parse_book(text, where=str(path))


def in_force(price: Price, on: date) -> bool:
    """Whether the price holds on that day: [valid_from, valid_until), open where the source states no bound."""
    day = on.isoformat()
    begun = price.valid_from is None or price.valid_from <= day
    return begun and (price.valid_until is None or day < price.valid_until)


def price_of(gpu: str, prices: Sequence[Price], *, on: date | None = None, purchase: Purchase | None = None) -> Price:
    """The price of a GPU model that holds `on` a day; of several the newest `valid_from`, then the first.

    Without a purchase option, on demand (or an option the book does not state) goes before the others: it is what
    anybody pays. Without a day, the newest whatever its dates: the same tomorrow, for what is compared or simulated.
    Raises BadDocument, one line that names what there is.
    """
    of_model = [price for price in prices if price.gpu == gpu]
    if not of_model:
        known = ", ".join(sorted({price.gpu for price in prices})) or "none"
        raise BadDocument([f"no price for GPU {gpu!r} in the price book: there is one for {known}"])
    bought = [price for price in of_model if purchase is None or price.purchase == purchase]
    if not bought:
        raise BadDocument([f"no {purchase} price for GPU {gpu!r} in the price book: there is {_listed(of_model)}"])
    held = bought if on is None else [price for price in bought if in_force(price, on)]
    if on is not None and not held:
        raise BadDocument([f"no price for GPU {gpu!r} holds on {on.isoformat()}: there is {_listed(bought)}"])
    return max(held, key=lambda price: (_anybody_pays(price), price.valid_from or _UNDATED))


def price_named(name: str, prices: Sequence[Price]) -> Price:
    """The price called `name`. Raises BadDocument, naming those there are."""
    for price in prices:
        if price.name == name:
            return price
    raise BadDocument([f"no price is called {name!r}: there is {_listed(prices)}"])


def asked_price(text: str, gpu: str, prices: Sequence[Price]) -> Price:
    """What somebody asked for by hand: the name of a price, or an amount for a GPU-hour (`2.10`, `2.10 EUR`; USD where
    no currency is said). Raises BadDocument, one line.
    """
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        return price_named(text, prices)
    amount, currency = Decimal(match["amount"]), match["currency"] or "USD"
    if currency not in CODES:
        raise BadDocument([f"{text!r}: {currency} is no currency of ISO 4217: write 2.10 EUR"])
    if not amount:
        raise BadDocument([f"{text!r}: a GPU-hour costs more than 0"])
    return Price("given", gpu, amount, currency, None, "given by hand")


def _anybody_pays(price: Price) -> bool:
    return price.purchase in {None, "on-demand"}


def _listed(prices: Sequence[Price]) -> str:
    return ", ".join(f"{price.name} ({price.validity})" for price in prices) or "none"
