"""Samples read back from the recorder's files, live or after the fact.

Only files that overlap the asked range are opened. Blocks are mapped; a segment still being written is read on from
where the last call stopped, so a probe that asks for the last ten seconds parses one or two.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from sre.errors import BadDocument, NoData
from sre.metrics import facts
from sre.metrics.blocks import Block
from sre.metrics.columns import by_identity, join
from sre.metrics.model import FloatArray, Selector, Series, SeriesId
from sre.metrics.segment_log import SegmentLog
from sre.metrics.segments import Stored, stored_samples
from sre.metrics.selector import series_filter

_EVER = (float("-inf"), float("inf"))


class RecordedSamples:
    """The recorder's samples as a SampleSource. `path` is its directory, or one file made by `extract`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parts: dict[Path, SegmentLog | Block] = {}

    @property
    def name(self) -> str:
        return "scraper"

    def series(self, selector: Selector, *, start: float, end: float) -> list[Series]:
        """Raw samples with start < t <= end. Raises NoData when nothing was ever recorded here."""
        wanted = series_filter(selector)
        pieces: dict[SeriesId, list[tuple[FloatArray, FloatArray]]] = {}
        for part in self._overlapping(start, end):
            for series, times, values in part.columns(wanted):
                inside = (times > start) & (times <= end)
                if inside.any():
                    pieces.setdefault(series, []).append((times[inside], values[inside]))
        return sorted((join(series, found) for series, found in pieces.items()), key=by_identity)

    def extract(self, path: Path, *, start: float, end: float) -> None:
        """Copy what overlaps [start, end] into one file of lines, for a report; RecordedSamples reads that too."""
        for _ in range(3):
            try:
                self._extract(path, start, end)
            except FileNotFoundError:  # merged into a block, or expired, since it was listed
                continue
            return
        raise NoData(f"{self._path}: the recorder's files keep changing under the reader: try again")

    def metric_names(self) -> frozenset[str]:
        return frozenset(one.name for one in self._ids())

    def bucket_bounds(self, family: str) -> tuple[float, ...]:
        return facts.bucket_bounds(self._ids(), family)

    def label_values(self, name: str, label: str) -> frozenset[str]:
        return facts.label_values(self._ids(), name, label)

    def retention_s(self) -> float | None:
        """What the recorder was told to keep; for an extract, the span of its scrapes."""
        if self._path.is_file():
            times = [one.times for one in self.series(Selector("up"), start=_EVER[0], end=_EVER[1])]
            return max(float(t[-1]) for t in times) - min(float(t[0]) for t in times) if times else None
        told = [part.header.get("retention_s") for part in self._overlapping(*_EVER)]
        return next((float(seconds) for seconds in reversed(told) if seconds is not None), None)

    def version(self) -> str | None:
        return None

    def close(self) -> None:
        """Forget what was read."""
        self._parts = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _ids(self) -> set[SeriesId]:
        return {one for part in self._overlapping(*_EVER) for one in part.ids()}

    def _overlapping(self, start: float, end: float) -> list[SegmentLog | Block]:
        """The parts that overlap, up to date. A segment that was merged into a block meanwhile is looked up anew."""
        while True:
            stored = self._stored()
            kept = {one.path for one in stored}
            self._parts = {path: part for path, part in self._parts.items() if path in kept}
            parts = [self._part(one) for one in _between(stored, start, end)]
            if None not in parts or self._stored() == stored:
                return [part for part in parts if part is not None]

    def _part(self, one: Stored) -> SegmentLog | Block | None:
        """The part, read as far as it goes; None when its file is gone."""
        part = self._parts.get(one.path)
        try:
            if part is None:
                part = Block(one.path) if one.is_block else SegmentLog(one.path)
        except FileNotFoundError:
            return None
        if isinstance(part, SegmentLog) and not part.read_on():
            return None
        self._parts[one.path] = part
        return part

    def _stored(self) -> list[Stored]:
        if self._path.is_file():
            return [Stored(0.0, self._path)]
        stored = stored_samples(self._path)
        if not stored:
            raise NoData(f"no samples in {self._path}: is the recorder running?")
        return stored

    def _extract(self, path: Path, start: float, end: float) -> None:
        with path.open("wb") as out:
            for one in _between(self._stored(), start, end):
                if one.is_block:
                    for line in Block(one.path).lines(start=start, end=end):
                        out.write(line.encode())
                    continue
                complete, newline, _ = one.path.read_bytes().rpartition(b"\n")
                out.write(complete + newline)


def read_extract(path: Path) -> RecordedSamples:
    """A drill's `samples.jsonl`, read at once so that its faults show. Raises BadDocument."""
    samples = RecordedSamples(path)
    if not samples.metric_names():
        raise BadDocument([f"{path}: holds no samples of a recorder: give a drill's samples.jsonl"])
    return samples


def _between(stored: list[Stored], start: float, end: float) -> Iterator[Stored]:
    starts = [one.start for one in stored]
    first = max(0, bisect_right(starts, start) - 1)
    yield from stored[first : bisect_right(starts, end)]
