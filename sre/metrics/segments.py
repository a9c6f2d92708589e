"""The recorder's files: `samples/<start in ms>.jsonl`, one object a line.

A segment opens with `{"schema": 1, "at", "interval_s", "targets": [LABELS, ...]}`; LABELS is `[[name, value], ...]`.
Then each scrape is a line: `{"at", "target": index, "up": 1, "new": [[name, LABELS], ...], "ids", "values", "gone"}`.
Series are numbered by target in the order of `new`; `ids`/`values` are the series whose value changed, all others keep
theirs. A failed scrape is `{"at", "target", "up": 0, "error"}` and ends every value of its target: the next good scrape
lists them all. Each segment starts anew, so any segment can be read (or removed) without the others.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

from sre.metrics.exposition import SampleId
from sre.metrics.targets import Target

SCHEMA = 1
SUFFIX = ".jsonl"


def segment_paths(directory: Path) -> list[tuple[float, Path]]:
    """(start in Unix seconds, path) of each segment, oldest first; other files are left out."""
    found = [(int(p.stem) / 1000, p) for p in directory.glob("*" + SUFFIX) if p.stem.isdigit()]
    return sorted(found)


@dataclass(slots=True)
class _Known:
    """What the current segment has said so far about one target."""

    numbers: dict[SampleId, int] = field(default_factory=dict)
    values: dict[SampleId, float] = field(default_factory=dict)


class SegmentWriter:
    """Appends scrapes, rotates and expires segments. Times given to it must not decrease."""

    def __init__(
        self, directory: Path, targets: Sequence[Target], *, interval_s: float, segment_s: float, retention_s: float
    ) -> None:
        self._directory = directory
        self._targets = tuple(targets)
        self._interval_s = interval_s
        self._segment_s = segment_s
        self._retention_s = retention_s
        self._file: IO[str] | None = None
        self._started_at = -math.inf
        self._known: list[_Known] = []

    def advance(self, at: float) -> None:
        """Open a new segment when the current one is full (or none is open), and remove those past retention."""
        if self._file is not None and at < self._started_at + self._segment_s:
            return
        self.close()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._expire(at)
        self._known = [_Known() for _ in self._targets]
        self._started_at = at
        path = self._directory / f"{round(at * 1000):015d}{SUFFIX}"
        self._file = path.open("a", encoding="utf-8")
        identities = [target.identity for target in self._targets]
        try:
            self._append({"schema": SCHEMA, "at": at, "interval_s": self._interval_s, "targets": identities})
        except OSError:  # a full disk: leave no empty file behind at every try
            self.close()
            path.unlink(missing_ok=True)
            raise

    def scraped(self, at: float, target: int, samples: Mapping[SampleId, float]) -> None:
        """A good scrape. Values that are not finite count as absent: JSON cannot carry them, sums cannot use them."""
        finite = {series: value for series, value in samples.items() if math.isfinite(value)}
        known = self._known[target]
        new = [series for series in finite if series not in known.numbers]
        for series in new:
            known.numbers[series] = len(known.numbers)
        changed = [series for series, value in finite.items() if known.values.get(series) != value]
        line: dict[str, Any] = {"at": at, "target": target, "up": 1}
        if new:
            line["new"] = [[series.name, merge_labels(series, self._targets[target])] for series in new]
        if changed:
            line["ids"] = [known.numbers[series] for series in changed]
            line["values"] = [_compact(finite[series]) for series in changed]
        gone = [known.numbers[series] for series in known.values if series not in finite]
        if gone:
            line["gone"] = gone
        known.values = finite
        self._append(line)

    def failed(self, at: float, target: int, error: str) -> None:
        """A scrape that brought nothing; `error` says why in a few words."""
        self._known[target].values = {}
        self._append({"at": at, "target": target, "up": 0, "error": error})

    def close(self) -> None:
        """Close the current segment; the next `advance` opens another. Does not raise on a full disk."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            file.close()
        except OSError:
            # what could not be flushed is lost, as a line cut by a kill would be; the descriptor is closed all the same
            return

    def _append(self, record: dict[str, Any]) -> None:
        if self._file is None:
            raise OSError("no segment is open")
        self._file.write(json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n")
        self._file.flush()

    def _expire(self, now: float) -> None:
        segments = segment_paths(self._directory)
        for (_, path), (next_start, _) in pairwise(segments):
            if next_start <= now - self._retention_s:
                path.unlink(missing_ok=True)


def merge_labels(series: SampleId, target: Target) -> list[tuple[str, str]]:
    """The series' labels with its target's; where they clash, the series' own is kept as `exported_<label>`."""
    own = dict(target.identity)
    exported = {(f"exported_{name}" if name in own else name): value for name, value in series.labels}
    return sorted({**exported, **own}.items())


def _compact(value: float) -> float | int:
    """Counters are whole numbers most of the time; `12` is shorter than `12.0` and reads back to the same float."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
