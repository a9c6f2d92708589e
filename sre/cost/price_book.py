"""Reads a price book: a YAML file of dated GPU prices, each with its source.

A book is read as text nodes, not as Python values: a price stays the digits that were written (`4.916` never becomes a
binary float), and every fault has its line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import cast, get_args

import yaml

from sre.cost.currencies import CODES
from sre.cost.model import Price, Purchase
from sre.cost.rounding import MOST_EXACT
from sre.errors import BadDocument

_REQUIRED = ("name", "gpu", "per_gpu_hour", "currency", "source")
_OPTIONAL = ("valid_from", "valid_until", "purchase", "region", "provider", "list_per_gpu_hour")
_PURCHASES: tuple[str, ...] = get_args(Purchase)
_MOST = Decimal(10) ** 9
_NULL = "tag:yaml.org,2002:null"

Faults = list[str]


def parse_book(text: str, *, where: str) -> tuple[Price, ...]:
    """`where` names the book in faults."""
    faults: Faults = []
    fields = _fields(_root(text, where), where, faults)
    for key in fields.keys() - {"schema", "prices"}:
        faults.append(f"{_place(where, fields[key])}: unknown key '{key}' (a book has schema and prices)")
    schema, entries = fields.get("schema"), fields.get("prices")
    if not isinstance(schema, yaml.ScalarNode) or schema.value != "1":
        faults.append(f"{where}: 'schema: 1' is missing")
    if not isinstance(entries, yaml.SequenceNode) or not entries.value:
        raise BadDocument([*faults, f"{where}: 'prices' must be a list of at least one price"])
    prices = [price for node in entries.value if (price := _price(node, where, faults)) is not None]
    faults += _repeated(prices, where)
    if faults:
        raise BadDocument(faults)
    return tuple(prices)


def _root(text: str, where: str) -> yaml.Node | None:
    try:
        root: yaml.Node | None = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadDocument([f"{where}:{line}: not YAML: {error.problem}"]) from error
    except yaml.YAMLError as error:
        raise BadDocument([f"{where}: not YAML: {' '.join(str(error).split())}"]) from error
    except RecursionError as error:
        raise BadDocument([f"{where}: is nested too deeply: a book is a list of prices"]) from error
    return root


def _place(where: str, node: yaml.Node) -> str:
    return f"{where}:{node.start_mark.line + 1}"


def _fields(node: yaml.Node | None, where: str, faults: Faults) -> dict[str, yaml.Node]:
    if not isinstance(node, yaml.MappingNode):
        faults.append(f"{_place(where, node) if node else where}: expected keys and values")
        return {}
    fields: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            faults.append(f"{_place(where, key)}: a key is no text")
            continue
        if key.value in fields:
            faults.append(f"{_place(where, key)}: '{key.value}' is given twice")
        fields[str(key.value)] = value
    return fields


def _price(node: yaml.Node, where: str, faults: Faults) -> Price | None:
    before = len(faults)
    fields = _fields(node, where, faults)
    if not isinstance(node, yaml.MappingNode):
        return None
    missing = [key for key in _REQUIRED if key not in fields]
    if missing:
        faults.append(f"{_place(where, node)}: {', '.join(missing)} is missing")
    for key in sorted(fields.keys() - {*_REQUIRED, *_OPTIONAL}):
        faults.append(f"{_place(where, fields[key])}: unknown key '{key}': use {', '.join((*_REQUIRED, *_OPTIONAL))}")
    values = {key: _value(key, fields[key], where, faults) for key in (*_REQUIRED, *_OPTIONAL) if key in fields}
    _check_dates(values, _place(where, node), faults)
    if len(faults) > before:
        return None
    list_price = values.get("list_per_gpu_hour")
    return Price(
        name=values["name"] or "",
        gpu=values["gpu"] or "",
        per_gpu_hour=Decimal(values["per_gpu_hour"] or ""),
        currency=values["currency"] or "",
        valid_from=values.get("valid_from"),
        source=values["source"] or "",
        valid_until=values.get("valid_until"),
        purchase=cast("Purchase | None", values.get("purchase")),
        region=values.get("region"),
        provider=values.get("provider"),
        list_per_gpu_hour=None if list_price is None else Decimal(list_price),
    )


def _value(key: str, node: yaml.Node, where: str, faults: Faults) -> str | None:
    """The text of a field, None when it is null or (with a fault) not what the key takes."""
    if not isinstance(node, yaml.ScalarNode):
        faults.append(f"{_place(where, node)}: {key} takes one value")
        return None
    if node.tag == _NULL and key in _OPTIONAL:
        return None
    text = str(node.value).strip()
    takes, fits = _KINDS[key]
    if not fits(text):
        faults.append(f"{_place(where, node)}: {key} '{text}' is no {takes}")
        return None
    return text


def _is_amount(text: str) -> bool:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return False
    return is_hourly(amount) and amount > 0


def is_hourly(amount: Decimal) -> bool:
    """Whether it can be an hour's price: up to 10^9, with 12 decimal places, which is what amounts are kept to."""
    if not amount.is_finite() or not 0 <= amount <= _MOST:
        return False
    return bool(amount == amount.quantize(MOST_EXACT))


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


_TEXT: tuple[str, Callable[[str], bool]] = ("text", bool)
_DATE: tuple[str, Callable[[str], bool]] = ("date (2025-01-31)", _is_date)
_KINDS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "name": (
        "name of letters, digits and dashes",
        lambda text: re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) is not None,
    ),
    "gpu": _TEXT,
    "per_gpu_hour": ("amount above 0", _is_amount),
    "list_per_gpu_hour": ("amount above 0", _is_amount),
    "currency": ("ISO 4217 code (USD)", CODES.__contains__),
    "source": _TEXT,
    "valid_from": _DATE,
    "valid_until": _DATE,
    "purchase": (f"purchase option ({', '.join(_PURCHASES)})", _PURCHASES.__contains__),
    "region": _TEXT,
    "provider": _TEXT,
}


def _check_dates(values: dict[str, str | None], place: str, faults: Faults) -> None:
    since, until = values.get("valid_from"), values.get("valid_until")
    if since and until and since >= until:
        faults.append(f"{place}: valid_from {since} does not lie before valid_until {until}")


def _repeated(prices: Sequence[Price], where: str) -> Faults:
    names = [price.name for price in prices]
    return [f"{where}: two prices are called '{name}'" for name in sorted(set(names)) if names.count(name) > 1]
