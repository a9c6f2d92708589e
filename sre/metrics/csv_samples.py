"""History as CSV, in the layout of `sre.metrics.layout`: a header line, then one sample a line; `.gz` too.

`time` is Unix seconds or RFC 3339 with a zone (`2026-11-25T10:00:00Z`); the two may be mixed. The standard library's
reader is used on chunks of rows whose columns are then turned into arrays.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from sre.errors import BadDocument
from sre.metrics.columns import SampleColumns
from sre.metrics.faults import Faults
from sre.metrics.layout import Layout, read_layout
from sre.metrics.loaded import LoadedSamples
from sre.metrics.model import Series
from sre.metrics.openmetrics import open_bytes, os_reason

CHUNK_ROWS = 50_000
_Row = list[str]


def read_csv(path: Path) -> LoadedSamples:
    """Every sample of a file. Raises BadDocument with its faults (file:line)."""
    faults, line = Faults(path), 0
    try:
        with io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", newline="") as text:
            rows = csv.reader(text, strict=True)
            try:
                return LoadedSamples("csv", _read(rows, faults))
            finally:
                line = rows.line_num
    except csv.Error as error:
        mend = "quote fields that hold commas, quotes or newlines"
        raise BadDocument([f"{path}:{line}: not CSV ({error}): {mend}"]) from error
    except UnicodeDecodeError as error:
        raise BadDocument([f"{path}:{line + 1}: not UTF-8 from here on: save the file as UTF-8"]) from error
    except (OSError, EOFError) as error:
        raise BadDocument([f"{path}: cannot be read ({os_reason(error)}): give a readable file"]) from error


def _read(rows: Iterator[_Row], faults: Faults) -> list[Series]:
    header = next(rows, [])
    layout = read_layout(header, faults, place="1")
    faults.raise_any()
    assert layout is not None  # noqa: S101  (for the type checker: without a layout there was a fault)
    reader = _Reader(layout, len(header), faults)
    line = 2 + sum(cell.count("\n") for cell in header)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        line = reader.take(chunk, line)
    series = reader.columns.series(faults)
    faults.raise_any()
    return series


class _Keys(dict[tuple[str, ...], int]):
    """A row's metric and labels to its series code. Raises ValueError for a name that is none."""

    def __init__(self, layout: Layout, columns: SampleColumns) -> None:
        super().__init__()
        self._layout, self._columns = layout, columns

    def __missing__(self, key: tuple[str, ...]) -> int:
        code = self[key] = self._columns.code(self._layout.series(key))
        return code


class _Reader:
    """Takes chunks of rows in order."""

    def __init__(self, layout: Layout, width: int, faults: Faults) -> None:
        self.columns = SampleColumns()
        self._layout, self._width, self._faults = layout, width, faults
        self._keys = _Keys(layout, self.columns)

    def take(self, rows: list[_Row], line: int) -> int:
        """Take rows of which the first stands at `line`; returns the line after the last."""
        heights = [1 + sum(cell.count("\n") for cell in row) for row in rows] if _tall(rows) else [1] * len(rows)
        lines = line + np.concatenate([[0], np.cumsum(heights)])
        if not self._quickly(rows, lines[:-1]):
            self._one_by_one(rows, lines[:-1].tolist())
        return int(lines[-1])

    def _quickly(self, rows: list[_Row], lines: np.ndarray[tuple[int], np.dtype[np.int64]]) -> bool:
        """Take rows that are all regular; False, and nothing taken, when one is not."""
        try:
            columns = list(zip(*rows, strict=True))
            if len(columns) != self._width:
                return False
            codes = list(map(self._keys.__getitem__, zip(*(columns[i] for i in self._layout.keys), strict=True)))
            values = np.array(list(map(float, columns[self._layout.value])))
            times = np.array(_times(columns[self._layout.time]))
        except ValueError:
            return False
        if not np.isfinite(times).all():
            return False
        self.columns.extend(codes, times, values, lines)
        return True

    def _one_by_one(self, rows: list[_Row], lines: list[int]) -> None:
        taken: list[tuple[int, float, float, int]] = []
        for row, line in zip(rows, lines, strict=True):
            if not row:
                continue
            try:
                taken.append((*self._sample(row), line))
            except ValueError as error:
                self._faults.add(f"{line}", str(error))
        if taken:
            self.columns.extend(*zip(*taken, strict=True))

    def _sample(self, row: _Row) -> tuple[int, float, float]:
        if len(row) != self._width:
            raise ValueError(f"{len(row)} cells under {self._width} columns")
        code = self._keys[tuple(row[i] for i in self._layout.keys)]
        at, value = _time(row[self._layout.time]), row[self._layout.value]
        try:
            return code, at, float(value)
        except ValueError:
            raise ValueError(f"value {value[:40]!r} is not a number: leave the row out, or write NaN") from None


def _tall(rows: list[_Row]) -> bool:
    return any("\n" in cell for row in rows for cell in row)


def _times(texts: tuple[str, ...]) -> list[float]:
    try:
        return list(map(float, texts))
    except ValueError:
        return list(map(_time, texts))


@lru_cache(maxsize=100_000)
def _time(text: str) -> float:
    try:
        at = float(text)
    except ValueError:
        return _rfc3339(text)
    if not np.isfinite(at):
        raise ValueError(f"time {text!r} is not a time")
    return at


def _rfc3339(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"time {text[:40]!r} is neither Unix seconds nor RFC 3339") from None
    if moment.tzinfo is None:
        raise ValueError(f"time {text!r} has no zone: end it in Z, or in +hh:mm")
    return moment.timestamp()
