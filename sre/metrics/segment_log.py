"""A segment's lines read back: a grid of values for each target, grown as lines come.

A cut last line (the recorder was killed, or is writing right now) waits for its end; any other unreadable line is a
fault, never skipped. An extract for a report holds several segments one after the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sre.errors import BadDocument
from sre.metrics.identity import series_id
from sre.metrics.model import FloatArray, SeriesId
from sre.metrics.segments import SCHEMA

Column = tuple[SeriesId, FloatArray, FloatArray]
Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True, eq=False)
class TargetLog:
    """One target's scrapes within one segment. `errors` are (index into the failed scrapes, why), where it changed."""

    labels: Labels
    series: list[SeriesId] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    up_times: list[float] = field(default_factory=list)
    up_values: list[float] = field(default_factory=list)
    errors: list[tuple[int, str]] = field(default_factory=list)
    _grid: FloatArray = field(default_factory=lambda: np.full((16, 16), np.nan))
    _failed: int = 0
    _continues: bool = False

    @property
    def grid(self) -> FloatArray:
        """(scrapes, series): a row for each good scrape, NaN where a series was absent."""
        return self._grid[: len(self.times), : len(self.series)]

    def take(self, line: dict[str, Any]) -> None:
        """Raises ValueError, TypeError, KeyError or IndexError for what no recorder writes."""
        at = _number(line["at"])
        self.up_times.append(at)
        self.up_values.append(_number(line["up"]))
        if not line["up"]:
            self._take_failure(str(line.get("error", "")))
            return
        self.series.extend(series_id(_text(name), pairs(labels)) for name, labels in line.get("new", ()))
        number = len(self.times)
        self._reserve(number + 1, len(self.series))
        row = self._grid[number, : len(self.series)]
        if self._continues:
            row[:] = self._grid[number - 1, : len(self.series)]
        if "gone" in line:
            row[_numbers(line["gone"], whole=True)] = np.nan
        if "ids" in line:
            row[_numbers(line["ids"], whole=True)] = _numbers(line["values"])
        self.times.append(at)
        self._continues = True

    def columns(self, wanted: Callable[[SeriesId], bool]) -> Iterator[Column]:
        up = SeriesId("up", self.labels)
        if self.up_times and wanted(up):
            yield up, np.array(self.up_times), np.array(self.up_values)
        chosen = [number for number, series in enumerate(self.series) if wanted(series)]
        if not chosen:
            return
        times, grid = np.array(self.times), self.grid
        for number in chosen:
            column = grid[:, number]
            present = ~np.isnan(column)
            yield self.series[number], times[present], column[present]

    def _take_failure(self, error: str) -> None:
        if not self.errors or self.errors[-1][1] != error:
            self.errors.append((self._failed, error))
        self._failed += 1
        self._continues = False

    def _reserve(self, rows: int, columns: int) -> None:
        have_rows, have_columns = self._grid.shape
        if rows <= have_rows and columns <= have_columns:
            return
        shape = _grown(have_rows, rows), _grown(have_columns, columns)
        grid = np.full(shape, np.nan)
        grid[:have_rows, :have_columns] = self._grid
        self._grid = grid


class SegmentLog:
    """A file parsed as far as it was complete."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._line = 0
        self._done: list[TargetLog] = []
        self._open: list[TargetLog] = []
        self.header: dict[str, Any] = {}
        """The last opening line read; empty before one was."""

    @property
    def targets(self) -> tuple[TargetLog, ...]:
        return (*self._done, *self._open)

    def columns(self, wanted: Callable[[SeriesId], bool]) -> Iterator[Column]:
        for log in self.targets:
            yield from log.columns(wanted)

    def ids(self) -> Iterator[SeriesId]:
        for log in self.targets:
            yield SeriesId("up", log.labels)
            yield from log.series

    def read_on(self) -> bool:
        """Take the lines completed since the last call. False when the file is gone: what was read stays."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                complete, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return False
        self._offset += len(complete) + len(newline)
        for text in complete.split(b"\n") if newline else ():
            self._line += 1
            try:
                self._take(json.loads(text))
            except (ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
                where = f"{self._path}:{self._line}"
                raise BadDocument([f"{where}: not a recorder's line: the file is damaged, remove it"]) from error
        return True

    def _take(self, line: dict[str, Any]) -> None:
        if "schema" not in line:
            self._open[_numbers([line["target"]], whole=True)[0]].take(line)
            return
        if line["schema"] != SCHEMA:
            raise ValueError(f"schema {line['schema']}")
        if line.get("retention_s") is not None:
            _number(line["retention_s"])
        self.header = line
        self._done += self._open
        self._open = [TargetLog(pairs(labels)) for labels in line["targets"]]


def pairs(labels: list[list[str]]) -> Labels:
    """LABELS of a segment as label pairs. Raises TypeError where one is no text."""
    found = tuple((name, value) for name, value in labels)
    if not all(isinstance(text, str) for pair in found for text in pair):
        raise TypeError("a label that is no text")
    return found


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object) -> float:
    """JSON's numbers only: `"12"` would pass through float() and sort as text later."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _numbers(values: list[Any], *, whole: bool = False) -> NDArray[Any]:
    """A flat list of finite numbers; `whole` are places, from 0."""
    found = np.array(values if values else [], dtype=np.int64 if not values else None)
    if found.ndim != 1 or found.dtype.kind not in ("iu" if whole else "iuf"):
        raise TypeError("not a list of numbers")
    if not np.isfinite(found).all() or (whole and (found < 0).any()):
        raise ValueError("a number out of range")
    return found


def _grown(have: int, needed: int) -> int:
    """Doubling keeps the cost of a line constant."""
    while have < needed:
        have *= 2
    return have
