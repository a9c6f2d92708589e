"""Typed values out of a parsed YAML mapping, with every fault noted under its key instead of raised at the first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from serving.errors import BadInput


def kind(value: object) -> str:
    """A value as a message shows it: its type and its beginning."""
    shown = repr(value)
    return "nothing" if value is None else f"{type(value).__name__} {shown if len(shown) <= 60 else shown[:57] + '...'}"


class DocumentReader:
    """One mapping of a document. A faulty value is replaced by a harmless one, so that reading can go on to the end."""

    def __init__(self, where: str, data: Mapping[Any, Any], faults: list[str] | None = None, prefix: str = "") -> None:
        self.faults: list[str] = [] if faults is None else faults
        self._where, self._data, self._prefix = where, data, prefix
        self._read: set[str] = set()
        self._sections: list[DocumentReader] = []

    def fault(self, key: str, what: str, mend: str) -> None:
        self.faults.append(f"{self._where}: {self._prefix}{key}: {what}: {mend}")

    def raise_faults(self) -> None:
        if self.faults:
            raise BadInput("\n".join(self.faults))

    def refuse_unknown(self) -> None:
        """Note each key that nobody asked for, here and in the sections below."""
        for key in sorted(map(str, self._data.keys() - self._read)):
            self.fault(key, "is not a known key", f"known here are {', '.join(sorted(self._read))}")
        for section in self._sections:
            section.refuse_unknown()

    def section(self, key: str) -> DocumentReader:
        """A reader of the mapping under `key`, whose unknown keys are refused when this one's are."""
        value = self._value(key, "a mapping", lambda v: isinstance(v, Mapping), {})
        section = DocumentReader(self._where, value, self.faults, f"{self._prefix}{key}.")
        self._sections.append(section)
        return section

    def has(self, key: str) -> bool:
        return key in self._data

    def text(self, key: str) -> str:
        return str(self._value(key, "text that is not empty", lambda v: isinstance(v, str) and bool(v.strip()), "?"))

    def integer(self, key: str, minimum: int = 1) -> int:
        need = f"a whole number of at least {minimum}"
        return int(self._value(key, need, lambda v: type(v) is int and v >= minimum, minimum))

    def flag(self, key: str, default: bool) -> bool:
        """true or false; `default` when it is not there."""
        if not self.has(key):
            self._read.add(key)
            return default
        return bool(self._value(key, "true or false", lambda v: isinstance(v, bool), default))

    def number(self, key: str, minimum: float = 0.0) -> float:
        need = f"a number of at least {minimum:g}"
        return float(self._value(key, need, lambda v: _is_number(v, minimum), max(minimum, 1)))

    def number_or(self, key: str, default: float, minimum: float = 0.0) -> float:
        """A number; `default` when it is not there."""
        if self.has(key):
            return self.number(key, minimum)
        self._read.add(key)
        return default

    def text_or(self, key: str, default: str) -> str:
        if self.has(key):
            return self.text(key)
        self._read.add(key)
        return default

    def choice(self, key: str, known: tuple[str, ...]) -> str:
        """One of the words `known`."""
        return str(self._value(key, f"one of {', '.join(known)}", lambda v: v in known, known[0]))

    def share(self, key: str) -> float:
        """A number from 0.01 to 1."""
        value = self.number(key, minimum=0.01)
        if value > 1:
            self.fault(key, f"is {value:g}", "use a share, 0.01 to 1")
        return value

    def table(self, key: str, first: int | None = None) -> dict[int, float]:
        """A table {whole number: milliseconds} of at least two rows, times rising, starting at `first` when given."""
        need = "a table {whole number: milliseconds} of two or more rows, both columns rising"
        need += f", the first row for {first}" if first is not None else ""
        harmless = {1: 1.0, 2: 2.0}
        return dict(self._value(key, need, lambda v: _is_table(v, first), harmless))

    def _value(self, key: str, need: str, accepts: Callable[[Any], bool], harmless: Any) -> Any:
        self._read.add(key)
        if key not in self._data:
            self.fault(key, "is missing", f"write {need}")
        elif not accepts(self._data[key]):
            self.fault(key, f"is {kind(self._data[key])}", f"write {need}")
        else:
            return self._data[key]
        return harmless


def _is_number(value: object, minimum: float) -> bool:
    return type(value) in {int, float} and minimum <= float(value) < float("inf")  # type: ignore[arg-type]


def _is_table(value: object, first: int | None) -> bool:
    if not isinstance(value, Mapping) or len(value) < 2:
        return False
    if not all(type(key) is int and key >= 1 and _is_number(ms, 0.001) for key, ms in value.items()):
        return False
    keys, times = list(value), list(value.values())
    return keys == sorted(keys) and times == sorted(times) and first in (None, keys[0])
