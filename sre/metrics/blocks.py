"""Closed segments merged into one columnar file: `samples/<first start>-<last start in ms>.block`.

Three lines, then little-endian float64 to the end: a magic word; the targets with their series (JSON; the same from
block to block, so it is parsed once); what each holds (JSON, padded so that data is aligned). The data of a target is
its good scrapes' times, one row a series (NaN: absent), all scrapes' times, their `up`. It is mapped, not read: asking
for three series of two hundred touches those rows alone, and memory goes back to the system when it wants it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from sre.errors import BadDocument
from sre.metrics.model import FloatArray, SeriesId
from sre.metrics.segment_log import Column, Labels, SegmentLog, TargetLog, pairs
from sre.metrics.segments import SCHEMA, SegmentLines, json_line

MAGIC = b"sre-samples-block 1\n"
_FLOAT = np.dtype("<f8")


@dataclass(frozen=True, slots=True)
class _Target:
    """One target's place in the data: `scrapes` good ones of `ups`; `at` counts floats."""

    labels: Labels
    series: tuple[SeriesId, ...]
    scrapes: int
    ups: int
    errors: tuple[tuple[int, str], ...]
    at: int

    @property
    def size(self) -> int:
        return self.scrapes * (1 + len(self.series)) + 2 * self.ups


class Block:
    """A block opened for reading. Raises BadDocument for a file that is none, FileNotFoundError when it is gone."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            magic, tables, extents = (file.readline() for _ in range(3))
            offset, size = file.tell(), os.fstat(file.fileno()).st_size
        try:
            if magic != MAGIC:
                raise ValueError("not a block")
            self.header: dict[str, Any] = json.loads(extents)
            self._targets = _targets(tables, self.header["targets"])
            floats = sum(target.size for target in self._targets)
            if size != offset + floats * _FLOAT.itemsize:
                raise ValueError("cut")
        except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
            raise BadDocument([f"{path}: not a recorder's block: the file is damaged, remove it"]) from error
        self._data: FloatArray = np.memmap(path, _FLOAT, "r", offset, (floats,)) if floats else np.empty(0, _FLOAT)

    def columns(self, wanted: Callable[[SeriesId], bool]) -> Iterator[Column]:
        for target in self._targets:
            up = SeriesId("up", target.labels)
            if target.ups and wanted(up):
                yield (up, *self._ups(target))
            for row, series in enumerate(target.series, start=1):
                if wanted(series):
                    times, values = self._row(target, 0), self._row(target, row)
                    present = ~np.isnan(values)
                    yield series, times[present], values[present]

    def ids(self) -> Iterator[SeriesId]:
        for target in self._targets:
            yield SeriesId("up", target.labels)
            yield from target.series

    def lines(self, *, start: float, end: float) -> Iterator[str]:
        """The scrapes in [start, end] as a segment of their own, for a report."""
        header = _told(self.header)
        targets = [target.labels for target in self._targets]
        yield json_line({"schema": SCHEMA, "at": start, **header, "targets": targets})
        series = [target.series for target in self._targets]
        lines = SegmentLines[int](
            len(targets), lambda row, number: [series[number][row].name, series[number][row].labels]
        )
        for number, target in enumerate(self._targets):
            yield from map(json_line, self._scrapes(lines, number, target, start, end))

    def _scrapes(
        self, lines: SegmentLines[int], number: int, target: _Target, start: float, end: float
    ) -> Iterator[dict[str, Any]]:
        ups = zip(*(column.tolist() for column in self._ups(target)), strict=True)
        rows = iter(self._grid(target).T)
        errors, failed, why = dict(target.errors), 0, ""
        for at, up in ups:
            if up:
                values = next(rows)
            else:
                why = errors.get(failed, why)
                failed += 1
            if not start <= at <= end:
                continue
            yield lines.scraped(at, number, dict(enumerate(values.tolist()))) if up else lines.failed(at, number, why)

    def _row(self, target: _Target, row: int) -> FloatArray:
        first = target.at + row * target.scrapes
        return self._data[first : first + target.scrapes]

    def _grid(self, target: _Target) -> FloatArray:
        first, count = target.at + target.scrapes, len(target.series)
        return self._data[first : first + count * target.scrapes].reshape(count, target.scrapes)

    def _ups(self, target: _Target) -> tuple[FloatArray, FloatArray]:
        first = target.at + target.scrapes * (1 + len(target.series))
        return np.array(self._data[first : first + target.ups]), np.array(
            self._data[first + target.ups : first + 2 * target.ups]
        )


def write_block(segments: Sequence[SegmentLog], path: Path) -> None:
    """Merge segments, oldest first, into one block, on disk before it takes its name. Raises OSError."""
    merged = _merged([log for segment in segments for log in segment.targets])
    tables = [[labels, [[one.name, one.labels] for one in _union(logs)]] for labels, logs in merged.items()]
    extents = {**_told(segments[-1].header), "targets": [_extent(logs) for logs in merged.values()]}
    head = MAGIC + json_line(tables).encode()
    last = json_line(extents).encode()
    last = last.rstrip(b"\n") + b" " * (-(len(head) + len(last)) % _FLOAT.itemsize) + b"\n"
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(head + last)
        for logs in merged.values():
            for array in _arrays(logs):
                file.write(np.ascontiguousarray(array, _FLOAT).tobytes())
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _told(header: dict[str, Any]) -> dict[str, Any]:
    """What a block keeps of the opening lines of its segments."""
    return {key: header[key] for key in ("interval_s", "retention_s") if key in header}


@lru_cache(maxsize=256)
def _read_tables(text: bytes) -> tuple[tuple[Labels, tuple[SeriesId, ...]], ...]:
    tables = json.loads(text)
    return tuple(
        (pairs(labels), tuple(SeriesId(name, pairs(own)) for name, own in series)) for labels, series in tables
    )


def _targets(tables: bytes, extents: list[dict[str, Any]]) -> tuple[_Target, ...]:
    found, at = [], 0
    for (labels, series), extent in zip(_read_tables(tables), extents, strict=True):
        errors = tuple((index, why) for index, why in extent["errors"])
        target = _Target(labels, series, extent["scrapes"], extent["ups"], errors, at)
        found.append(target)
        at += target.size
    return tuple(found)


def _merged(logs: list[TargetLog]) -> dict[Labels, list[TargetLog]]:
    merged: dict[Labels, list[TargetLog]] = {}
    for log in logs:
        merged.setdefault(log.labels, []).append(log)
    return merged


def _union(logs: list[TargetLog]) -> list[SeriesId]:
    return list(dict.fromkeys(one for log in logs for one in log.series))


def _extent(logs: list[TargetLog]) -> dict[str, Any]:
    errors: list[tuple[int, str]] = []
    failed = 0
    for log in logs:
        errors += [(failed + index, why) for index, why in log.errors]
        failed += log.up_values.count(0.0)
    return {
        "scrapes": sum(len(log.times) for log in logs),
        "ups": sum(len(log.up_times) for log in logs),
        "errors": errors,
    }


def _arrays(logs: list[TargetLog]) -> Iterator[FloatArray]:
    """A target's data, in the order of the file."""
    numbers = {one: row for row, one in enumerate(_union(logs))}
    grid = np.full((len(numbers), sum(len(log.times) for log in logs)), np.nan)
    at = 0
    for log in logs:
        rows = [numbers[one] for one in log.series]
        grid[rows, at : at + len(log.times)] = log.grid.T
        at += len(log.times)
    yield np.array([time for log in logs for time in log.times])
    yield grid
    yield np.array([time for log in logs for time in log.up_times])
    yield np.array([up for log in logs for up in log.up_values])
