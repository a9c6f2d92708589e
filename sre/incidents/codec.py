"""Typed records to plain JSON values and back, driven by the dataclasses' own annotations.

Written here rather than left to pydantic because the records hold numpy arrays and because a bad file must name all of
its faults, each with its path. NaN becomes null, and NaN again in arrays only: elsewhere a number may be missing only
where its type says so. Infinities are the strings `inf` and `-inf`; decimals, times and time zones are strings. Of a
union of records the one that has the fields found is meant.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from sre.errors import BadDocument

T = TypeVar("T")
Faults = list[str]
Decoder = Callable[[Any, str, Faults], Any]
_MISSING = object()


def encode(value: Any) -> Any:
    """`value` (dataclass, tuple, number, array ...) as JSON values; raises TypeError on a type no record may hold."""
    if value is None or isinstance(value, str | bool):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {name: encode(getattr(value, name)) for name in _field_names(type(value))}
    if isinstance(value, float | np.floating):
        return _encode_float(float(value))
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [_encode_float(item) for item in value.tolist()]
    return _encode_as_text(value)


def _encode_as_text(value: Any) -> str:
    if isinstance(value, Decimal):
        return str(value) if value else "0"  # a product of zeros is 0E-32, which no reader of a file wants to see
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, ZoneInfo):
        return value.key
    raise TypeError(f"a record may not hold {type(value).__name__}")


def decode(kind: type[T], value: Any, where: str) -> T:
    """`value` (parsed JSON) as a `kind`; raises BadDocument with every fault, each as `where.path: what`."""
    faults: Faults = []
    result = _decoder(cast(Any, kind))(value, where, faults)
    if faults:
        raise BadDocument(faults)
    return cast(T, result)


@functools.cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _encode_float(value: float) -> float | str | None:
    if math.isfinite(value):
        return value
    return None if math.isnan(value) else str(value)


@functools.cache
def _decoder(kind: Any) -> Decoder:
    """The decoder of one annotation, built once: 100,000 request rows pass through it."""
    origin = get_origin(kind)
    if kind in _SCALARS:
        return _SCALARS[kind]
    if origin is tuple:
        return _tuple_decoder(get_args(kind))
    if origin is Mapping:
        return _mapping_decoder(_decoder(get_args(kind)[1]))
    if origin is np.ndarray:
        return _decode_array
    if origin is Literal:
        return _literal_decoder(get_args(kind))
    if origin in (Union, types.UnionType):
        return _union_decoder(get_args(kind))
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _record_decoder(kind)
    raise TypeError(f"no decoder for {kind!r}")


def _record_decoder(kind: type) -> Decoder:
    hints = get_type_hints(kind)
    unset = dataclasses.MISSING
    required = {f.name for f in dataclasses.fields(kind) if f.default is unset and f.default_factory is unset}
    fields = [(name, _decoder(hints[name])) for name in _field_names(kind)]
    known = frozenset(_field_names(kind))

    def decode_record(value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, Mapping):
            faults.append(f"{path}: expected an object, found {_name(value)}")
            return None
        before = len(faults)
        faults.extend(f"{path}.{name}: unknown field" for name in sorted(value.keys() - known))
        parts = {}
        for name, part in fields:
            item = value.get(name, _MISSING)
            if item is not _MISSING:
                parts[name] = part(item, f"{path}.{name}", faults)
            elif name in required:
                faults.append(f"{path}.{name}: missing")
        return kind(**parts) if len(faults) == before else None

    return decode_record


def _tuple_decoder(arguments: tuple[Any, ...]) -> Decoder:
    repeated = len(arguments) == 2 and arguments[1] is Ellipsis
    parts = [_decoder(a) for a in arguments if a is not Ellipsis]

    def decode_tuple(value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, list):
            faults.append(f"{path}: expected a list, found {_name(value)}")
            return None
        if repeated:
            return tuple(parts[0](item, f"{path}[{i}]", faults) for i, item in enumerate(value))
        if len(value) != len(parts):
            faults.append(f"{path}: expected {len(parts)} items, found {len(value)}")
            return None
        return tuple(p(item, f"{path}[{i}]", faults) for i, (p, item) in enumerate(zip(parts, value, strict=True)))

    return decode_tuple


def _mapping_decoder(part: Decoder) -> Decoder:
    def decode_mapping(value: Any, path: str, faults: Faults) -> Any:
        if not isinstance(value, Mapping):
            return _complain(value, path, faults, "an object")
        return types.MappingProxyType({key: part(item, f"{path}.{key}", faults) for key, item in value.items()})

    return decode_mapping


def _union_decoder(arguments: tuple[Any, ...]) -> Decoder:
    inner = [a for a in arguments if a is not type(None)]
    part = _decoder(inner[0]) if len(inner) == 1 else _records_decoder(tuple(inner))
    if len(inner) == len(arguments):
        return part

    def decode_optional(value: Any, path: str, faults: Faults) -> Any:
        return None if value is None else part(value, path, faults)

    return decode_optional


def _records_decoder(kinds: tuple[Any, ...]) -> Decoder:
    if not all(isinstance(kind, type) and dataclasses.is_dataclass(kind) for kind in kinds):
        raise TypeError(f"no decoder for a union of {kinds!r}")
    choices = [(frozenset(_field_names(kind)), _decoder(kind)) for kind in kinds]

    def decode_one(value: Any, path: str, faults: Faults) -> Any:
        keys = frozenset(value) if isinstance(value, Mapping) else frozenset[str]()
        _, part = max(choices, key=lambda choice: len(choice[0] & keys))
        return part(value, path, faults)

    return decode_one


def _literal_decoder(allowed: tuple[Any, ...]) -> Decoder:
    def decode_literal(value: Any, path: str, faults: Faults) -> Any:
        if value not in allowed:
            faults.append(f"{path}: expected one of {', '.join(map(str, allowed))}, found {value!r:.60}")
        return value

    return decode_literal


def _decode_array(value: Any, path: str, faults: Faults) -> Any:
    try:
        return np.array([math.nan if item is None else float(item) for item in value], dtype=np.float64)
    except (TypeError, ValueError):
        faults.append(f"{path}: expected a list of numbers, found {_name(value)}")
        return None


def _decode_float(value: Any, path: str, faults: Faults) -> Any:
    if value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        faults.append(f"{path}: expected a number, found {_name(value)}")
        return None
    return float(value)


def _decode_decimal(value: Any, path: str, faults: Faults) -> Any:
    try:
        return Decimal(value) if isinstance(value, str) else _complain(value, path, faults, "a decimal as a string")
    except InvalidOperation:
        return _complain(value, path, faults, "a decimal as a string")


def _decode_time(value: Any, path: str, faults: Faults) -> Any:
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return _complain(value, path, faults, "a time, as ISO 8601")


def _decode_zone(value: Any, path: str, faults: Faults) -> Any:
    try:
        return ZoneInfo(value)
    except (TypeError, ValueError, OSError, ZoneInfoNotFoundError):
        return _complain(value, path, faults, "the name of a time zone")


def _decode_exactly(kind: type, words: str) -> Decoder:
    def decode_scalar(value: Any, path: str, faults: Faults) -> Any:
        return value if type(value) is kind else _complain(value, path, faults, words)

    return decode_scalar


def _complain(value: Any, path: str, faults: Faults, expected: str) -> None:
    faults.append(f"{path}: expected {expected}, found {_name(value)}")


def _name(value: Any) -> str:
    return "null" if value is None else f"{type(value).__name__} {value!r:.40}"


_SCALARS: Mapping[Any, Decoder] = types.MappingProxyType(
    {
        float: _decode_float,
        int: _decode_exactly(int, "a whole number"),
        str: _decode_exactly(str, "text"),
        bool: _decode_exactly(bool, "true or false"),
        Decimal: _decode_decimal,
        datetime: _decode_time,
        ZoneInfo: _decode_zone,
    }
)
