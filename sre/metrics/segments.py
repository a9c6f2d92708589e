"""The recorder's files: `samples/<start in ms>.jsonl`, one object a line; later merged into blocks (`blocks.py`).

A segment opens with `{"schema": 1, "at", "interval_s", "retention_s", "targets": [LABELS, ...]}`; LABELS is
`[[name, value], ...]`.
Then each scrape is a line: `{"at", "target": index, "up": 1, "new": [[name, LABELS], ...], "ids", "values", "gone"}`.
Series are numbered by target in the order of `new`; `ids`/`values` are the series whose value changed, all others keep
theirs. A failed scrape is `{"at", "target", "up": 0, "error"}` and ends every value of its target: the next good scrape
lists them all. Each segment starts anew, so any segment can be read (or removed) without the others.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from sre.metrics.exposition import SampleId
from sre.metrics.targets import Target

SCHEMA = 1
SUFFIX = ".jsonl"
BLOCK_SUFFIX = ".block"
_BLOCK_NAME = re.compile(r"(\d+)-(\d+)\.block")
Key = TypeVar("Key", bound=Hashable)


def segment_paths(directory: Path) -> list[tuple[float, Path]]:
    """(start in Unix seconds, path) of each segment, oldest first; other files are left out."""
    found = [(int(p.stem) / 1000, p) for p in directory.glob("*" + SUFFIX) if p.stem.isdigit()]
    return sorted(found)


@dataclass(frozen=True, slots=True)
class Stored:
    """A segment or a block; `start` in Unix seconds. What it holds ends where the next one starts."""

    start: float
    path: Path

    @property
    def is_block(self) -> bool:
        return self.path.suffix == BLOCK_SUFFIX


def block_paths(directory: Path) -> list[tuple[int, int, Path]]:
    """(start of its first segment, start of its last one, path) of each block, in ms, oldest first."""
    named = ((_BLOCK_NAME.fullmatch(path.name), path) for path in directory.glob("*" + BLOCK_SUFFIX))
    return sorted((int(name.group(1)), int(name.group(2)), path) for name, path in named if name)


def superseded(directory: Path) -> list[Path]:
    """Segments that a block holds already; they are left when a recorder was killed between the two steps."""
    blocks = block_paths(directory)
    return [path for at, path in segment_paths(directory) if _holder(blocks, at)]


def stored_samples(directory: Path) -> list[Stored]:
    """Every block, and every segment that is in none, oldest first."""
    segments = segment_paths(directory)  # first: what is merged in between is then in both lists, not in neither
    blocks = block_paths(directory)
    found = [Stored(at, path) for at, path in segments if not _holder(blocks, at)]
    return sorted([*found, *(Stored(first / 1000, path) for first, _, path in blocks)], key=lambda one: one.start)


def _holder(blocks: list[tuple[int, int, Path]], at: float) -> Path | None:
    ms = round(at * 1000)
    number = bisect_right(blocks, ms, key=lambda block: block[0]) - 1
    return blocks[number][2] if number >= 0 and ms <= blocks[number][1] else None


@dataclass(slots=True)
class _Known(Generic[Key]):
    """What the current segment has said so far about one target."""

    numbers: dict[Key, int] = field(default_factory=dict)
    values: dict[Key, float] = field(default_factory=dict)


class SegmentLines(Generic[Key]):
    """The objects of one segment. `describe` gives `[name, LABELS]` of a series of one target."""

    def __init__(self, targets: int, describe: Callable[[Key, int], Sequence[Any]]) -> None:
        self._known: list[_Known[Key]] = [_Known() for _ in range(targets)]
        self._describe = describe

    def scraped(self, at: float, target: int, samples: Mapping[Key, float]) -> dict[str, Any]:
        """A good scrape. Values that are not finite count as absent: JSON cannot carry them, sums cannot use them."""
        finite = {series: value for series, value in samples.items() if math.isfinite(value)}
        known = self._known[target]
        new = [series for series in finite if series not in known.numbers]
        for series in new:
            known.numbers[series] = len(known.numbers)
        changed = [series for series, value in finite.items() if known.values.get(series) != value]
        line: dict[str, Any] = {"at": at, "target": target, "up": 1}
        if new:
            line["new"] = [self._describe(series, target) for series in new]
        if changed:
            line["ids"] = [known.numbers[series] for series in changed]
            line["values"] = [_compact(finite[series]) for series in changed]
        gone = [known.numbers[series] for series in known.values if series not in finite]
        if gone:
            line["gone"] = gone
        known.values = finite
        return line

    def failed(self, at: float, target: int, error: str) -> dict[str, Any]:
        """A scrape that brought nothing; `error` says why in a few words."""
        self._known[target].values = {}
        return {"at": at, "target": target, "up": 0, "error": error}


def json_line(record: dict[str, Any] | list[Any]) -> str:
    """A record as one line of a segment."""
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False) + "\n"


class SegmentWriter:
    """Appends scrapes, rotates and expires segments. Times given to it must not decrease.

    Each line is handed to the system at once: a killed recorder loses the line it was writing, no more.
    """

    def __init__(
        self, directory: Path, targets: Sequence[Target], *, interval_s: float, segment_s: float, retention_s: float
    ) -> None:
        self._directory = directory
        self._targets = tuple(targets)
        self._interval_s = interval_s
        self._segment_s = segment_s
        self._retention_s = retention_s
        self._file: IO[str] | None = None
        self._lines = self._new_lines()
        self.opened_at = -math.inf
        """When the current segment began; all older ones are closed."""

    def advance(self, at: float) -> None:
        """Open a new segment when the current one is full (or none is open), and remove those past retention.

        Raises OSError when it cannot be written, or `at` lies in a block: then the wall clock was set back.
        """
        if self._file is not None and at < self.opened_at + self._segment_s:
            return
        self.close()
        self._directory.mkdir(parents=True, exist_ok=True)
        self._expire(at)
        block = _holder(block_paths(self._directory), at)
        if block is not None:
            raise OSError(f"the clock was set back into {block.name}, which is closed")
        self._lines = self._new_lines()
        self.opened_at = at
        path = self._directory / f"{round(at * 1000):015d}{SUFFIX}"
        self._file = path.open("a", encoding="utf-8")
        header = {"schema": SCHEMA, "at": at, "interval_s": self._interval_s, "retention_s": self._retention_s}
        try:
            self._append({**header, "targets": [target.identity for target in self._targets]})
        except OSError:  # a full disk: leave no empty file behind at every try
            self.close()
            path.unlink(missing_ok=True)
            raise

    def scraped(self, at: float, target: int, samples: Mapping[SampleId, float]) -> None:
        """A good scrape."""
        self._append(self._lines.scraped(at, target, samples))

    def failed(self, at: float, target: int, error: str) -> None:
        """A scrape that brought nothing; `error` says why in a few words."""
        self._append(self._lines.failed(at, target, error))

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
        self._file.write(json_line(record))
        self._file.flush()

    def _expire(self, now: float) -> None:
        for one, following in pairwise(stored_samples(self._directory)):
            if following.start <= now - self._retention_s:
                one.path.unlink(missing_ok=True)

    def _new_lines(self) -> SegmentLines[SampleId]:
        return SegmentLines(
            len(self._targets), lambda series, target: [series.name, merge_labels(series, self._targets[target])]
        )


def merge_labels(series: SampleId, target: Target) -> list[tuple[str, str]]:
    """The series' labels with its target's; where they clash, the series' own is kept as `exported_<label>`."""
    own = dict(target.identity)
    exported = {(f"exported_{name}" if name in own else name): value for name, value in series.labels}
    return sorted({**exported, **own}.items())


def _compact(value: float) -> float | int:
    """Counters are whole numbers most of the time; `12` is shorter than `12.0` and reads back to the same float."""
    return int(value) if value.is_integer() and abs(value) < 2**53 else value
