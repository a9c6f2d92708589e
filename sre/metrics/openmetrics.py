"""History as text: OpenMetrics (timestamps in seconds, ends in `# EOF`) and Prometheus text (milliseconds), `.gz` too.

Whole chunks of lines are split by C-level calls and only turned into arrays; each distinct head is parsed once. A chunk
that holds anything irregular (an exemplar, a fault) is read again line by line, so faults carry their line.
"""

from __future__ import annotations

import gzip
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np

from sre.errors import BadDocument
from sre.metrics.columns import SampleColumns
from sre.metrics.faults import Faults
from sre.metrics.heads import HEAD_PATTERN, read_head
from sre.metrics.loaded import LoadedSamples
from sre.metrics.model import Series

CHUNK_BYTES = 4 * 2**20
_MS_FROM = 1e11  # as seconds the year 5138, as milliseconds 1973: no history is older in one or younger in the other
_LINE = re.compile(rf"({HEAD_PATTERN})\s*(\S+)?(?:\s+(\S+))?\s*?(?:\s+# \{{.*)?", re.DOTALL)


def read_openmetrics(path: Path) -> LoadedSamples:
    """Every sample of a file. Raises BadDocument with its faults (file:line), EnvironmentLacks when it cannot be read.

    A sample without a timestamp is a fault: it belongs to a scrape, not to history. `promtool tsdb dump` is read too.
    """
    reader = _Reader(path)
    for number, chunk in line_chunks(path):
        reader.take(number, chunk)
    return LoadedSamples("openmetrics", reader.finish())


def open_bytes(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked when its name ends in `.gz`."""
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix.lower() == ".gz" else path.open("rb")


def os_reason(error: OSError | EOFError) -> str:
    """Why a file could not be read, in a few words."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__


def line_chunks(path: Path) -> Iterator[tuple[int, bytes]]:
    """(number of its first line, some whole lines) until the end. Raises BadDocument when the file cannot be read."""
    number, rest = 1, b""
    try:
        with open_bytes(path) as file:
            while block := file.read(CHUNK_BYTES):
                whole, newline, rest_of_block = block.rpartition(b"\n")
                if not newline:
                    rest += block
                    continue
                chunk = rest + whole + newline
                rest = rest_of_block
                yield number, chunk
                number += chunk.count(b"\n")
    except (OSError, EOFError) as error:  # the second: a .gz that is cut
        raise BadDocument([f"{path}: cannot be read ({os_reason(error)}): give a readable file"]) from error
    if rest:
        yield number, rest


class _Heads(dict[str, int]):
    """Head text to series code; a head seen for the first time is parsed. Raises ValueError for a bad one."""

    def __init__(self, columns: SampleColumns) -> None:
        super().__init__()
        self._columns = columns

    def __missing__(self, head: str) -> int:
        code = self[head] = self._columns.code(read_head(head))
        return code


class _Reader:
    """Takes chunks of lines in order."""

    def __init__(self, path: Path) -> None:
        self._columns = SampleColumns()
        self._heads = _Heads(self._columns)
        self._faults = Faults(path)
        self._eof_line: int | None = None
        self._last_line = 0
        self._dump = False

    def take(self, number: int, chunk: bytes) -> None:
        lines = self._decoded(number, chunk).split("\n")
        if lines[-1] == "":
            lines.pop()
        samples = [line for line in lines if line and line[0] != "#"]
        if len(samples) == len(lines):
            places = np.arange(number, number + len(lines))
        else:
            places = number + np.flatnonzero([bool(line) and line[0] != "#" for line in lines])
            self._look_for_eof(number, lines)
        if samples:
            self._last_line = int(places[-1])
            self._dump = self._dump or samples[0].startswith("{__name__=")
            if not self._quickly(samples, places):
                self._one_by_one(samples, places)

    def finish(self) -> list[Series]:
        """The series. Raises BadDocument when anything was wrong."""
        if self._eof_line is not None and self._last_line > self._eof_line:
            self._faults.add(f"{self._last_line}", f"samples after `# EOF` (line {self._eof_line}): one file was meant")
        latest = self._columns.latest()
        milliseconds = self._dump or self._eof_line is None
        if milliseconds and not self._dump and latest is not None and abs(latest) < _MS_FROM:
            self._faults.add(
                "",
                f"does not end in `# EOF`, and its timestamps (up to {latest:g}) are no milliseconds: "
                "the OpenMetrics text is cut, or its last line `# EOF` is missing",
            )
        series = self._columns.series(self._faults, scale=1000.0 if milliseconds else 1.0)
        self._faults.raise_any()
        return series

    def _decoded(self, number: int, chunk: bytes) -> str:
        try:
            return chunk.decode("utf-8")
        except UnicodeDecodeError as error:
            line = number + chunk.count(b"\n", 0, error.start)
            self._faults.add(f"{line}", "not UTF-8: save the file as UTF-8")
            return chunk.decode("utf-8", "replace")

    def _look_for_eof(self, number: int, lines: list[str]) -> None:
        if self._eof_line is None and "# EOF" in lines:
            self._eof_line = number + lines.index("# EOF")

    def _quickly(self, lines: list[str], places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> bool:
        """Take lines that all are `head value timestamp`; False, and nothing taken, when one is not."""
        try:
            heads, values, times = zip(*[line.rsplit(" ", 2) for line in lines], strict=True)
            codes = list(map(self._heads.__getitem__, heads))
            times_read = np.array(list(map(float, times)))
            values_read = np.array(list(map(float, values)))
        except ValueError:
            return False
        if not np.isfinite(times_read).all():
            return False
        self._columns.extend(codes, times_read, values_read, places)
        return True

    def _one_by_one(self, lines: list[str], places: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
        taken: list[tuple[int, float, float, int]] = []
        for line, place in zip(lines, places.tolist(), strict=True):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                code, at, value = self._sample(line)
            except ValueError as error:
                self._faults.add(f"{place}", str(error))
            else:
                taken.append((code, at, value, place))
        if taken:
            self._columns.extend(*zip(*taken, strict=True))

    def _sample(self, line: str) -> tuple[int, float, float]:
        found = _LINE.fullmatch(line.strip())
        if found is None:
            raise ValueError(f"not a sample: {line[:80]!r}")
        head, value, at = found.groups()
        if value is None:
            raise ValueError(f"no value: {line[:80]!r}")
        code = self._heads[head.strip()]
        number = _number(value, "value")
        if at is None:
            raise ValueError("no timestamp: a file of history needs one after each value")
        time = _number(at, "timestamp")
        if not math.isfinite(time):
            raise ValueError(f"timestamp {at!r} is not a time")
        return code, time, number


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{what} {text[:40]!r} is not a number") from None
