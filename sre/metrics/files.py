"""Samples read back from the recorder's files, live or after the fact.

Only segments that overlap the asked range are opened, and a segment still being written is read on from where the last
call stopped, so a probe that asks for the last ten seconds parses one or two. A cut last line (the recorder was killed,
or is writing right now) waits for its end; any other unreadable line is a fault, never skipped.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from sre.errors import BadDocument, NoData
from sre.metrics.model import FloatArray, Selector, Series, SeriesId
from sre.metrics.segments import SCHEMA, segment_paths
from sre.metrics.selector import series_filter

_Column = tuple[SeriesId, FloatArray, FloatArray]


class RecordedSamples:
    """The recorder's samples as a SampleSource. `path` is its directory, or one file made by `extract`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._segments: dict[Path, _Segment] = {}

    @property
    def name(self) -> str:
        return "scraper"

    def series(self, selector: Selector, *, start: float, end: float) -> list[Series]:
        """Raw samples with start < t <= end. Raises NoData when nothing was ever recorded here."""
        wanted = series_filter(selector)
        pieces: dict[SeriesId, list[tuple[FloatArray, FloatArray]]] = {}
        for segment in self._overlapping(start, end):
            for series, times, values in segment.columns(wanted):
                inside = (times > start) & (times <= end)
                if inside.any():
                    pieces.setdefault(series, []).append((times[inside], values[inside]))
        return [_join(series, pieces[series]) for series in sorted(pieces, key=lambda s: (s.name, s.labels))]

    def extract(self, path: Path, *, start: float, end: float) -> None:
        """Copy the segments that overlap [start, end] into one file, for a report; RecordedSamples reads that too."""
        chosen = [chosen for chosen, _ in self._chosen(start, end)]
        with path.open("wb") as out:
            for segment in chosen:
                complete, newline, _ = segment.read_bytes().rpartition(b"\n")
                out.write(complete + newline)

    def _overlapping(self, start: float, end: float) -> Iterator[_Segment]:
        chosen = self._chosen(start, end)
        kept = {path for _, path in segment_paths(self._path)} if self._path.is_dir() else {self._path}
        self._segments = {path: segment for path, segment in self._segments.items() if path in kept}
        for path, _ in chosen:
            segment = self._segments.setdefault(path, _Segment(path))
            segment.read_on()
            yield segment

    def _chosen(self, start: float, end: float) -> list[tuple[Path, float]]:
        if self._path.is_file():
            return [(self._path, 0.0)]
        segments = segment_paths(self._path)
        if not segments:
            raise NoData(f"no samples in {self._path}: is the recorder running?")
        starts = [at for at, _ in segments]
        first = max(0, bisect_right(starts, start) - 1)
        return [(path, at) for at, path in segments[first : bisect_right(starts, end)]]


def _join(series: SeriesId, pieces: list[tuple[FloatArray, FloatArray]]) -> Series:
    if len(pieces) == 1:
        return Series(series, *pieces[0])
    times = np.concatenate([times for times, _ in pieces])
    values = np.concatenate([values for _, values in pieces])
    unique, first = np.unique(times, return_index=True)  # sorted already unless the wall clock was set back
    return Series(series, unique, values[first])


@dataclass(slots=True)
class _TargetLog:
    """One target's scrapes within one segment: a row of values (NaN: absent) for each good scrape."""

    labels: tuple[tuple[str, str], ...]
    series: list[SeriesId] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    rows: list[FloatArray] = field(default_factory=list)
    up_times: list[float] = field(default_factory=list)
    up_values: list[float] = field(default_factory=list)
    current: FloatArray = field(default_factory=lambda: np.empty(0))

    def take(self, line: dict[str, Any]) -> None:
        self.up_times.append(line["at"])
        self.up_values.append(float(line["up"]))
        if not line["up"]:
            self.current = np.full_like(self.current, np.nan)
            return
        new = [SeriesId(name, _pairs(labels)) for name, labels in line.get("new", ())]
        row = np.concatenate([self.current, np.full(len(new), np.nan)])
        row[line.get("gone", [])] = np.nan
        row[line.get("ids", [])] = line.get("values", [])
        self.series.extend(new)
        self.current = row
        self.times.append(line["at"])
        self.rows.append(row)

    def columns(self, wanted: Callable[[SeriesId], bool]) -> Iterator[_Column]:
        up = SeriesId("up", self.labels)
        if wanted(up) and self.up_times:
            yield up, np.array(self.up_times), np.array(self.up_values)
        chosen = [number for number, series in enumerate(self.series) if wanted(series)]
        if not chosen:
            return
        grid = np.full((len(self.rows), len(chosen)), np.nan)
        for i, row in enumerate(self.rows):
            known = bisect_right(chosen, len(row) - 1)  # a row written before a series appeared is shorter
            grid[i, :known] = row[chosen[:known]]
        times = np.array(self.times)
        for column, number in enumerate(chosen):
            present = ~np.isnan(grid[:, column])
            yield self.series[number], times[present], grid[present, column]


class _Segment:
    """A file parsed as far as it was complete. An extract holds several segments one after the other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._line = 0
        self._done: list[_TargetLog] = []
        self._open: list[_TargetLog] = []

    def columns(self, wanted: Callable[[SeriesId], bool]) -> Iterator[_Column]:
        for log in (*self._done, *self._open):
            yield from log.columns(wanted)

    def read_on(self) -> None:
        """Take the lines completed since the last call. A segment removed meanwhile keeps what was read."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                complete, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return
        self._offset += len(complete) + len(newline)
        for text in complete.split(b"\n") if newline else ():
            self._line += 1
            try:
                self._take(json.loads(text))
            except (ValueError, KeyError, IndexError, TypeError) as error:
                where = f"{self._path}:{self._line}"
                raise BadDocument([f"{where}: not a recorder's line: the file is damaged, remove it"]) from error

    def _take(self, line: dict[str, Any]) -> None:
        if "schema" not in line:
            self._open[line["target"]].take(line)
            return
        if line["schema"] != SCHEMA:
            raise ValueError(f"schema {line['schema']}")
        self._done += self._open
        self._open = [_TargetLog(_pairs(labels)) for labels in line["targets"]]


def _pairs(labels: list[list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in labels)
