"""Merges the recorder's closed segments into blocks, and may be killed at any point.

The block takes its name in one step; from then on readers leave its segments aside, and they are removed. Segments that
cannot be read stay as they are: their reader will say what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sre.errors import BadDocument
from sre.metrics.blocks import write_block
from sre.metrics.segment_log import SegmentLog
from sre.metrics.segments import BLOCK_SUFFIX, stored_samples, superseded

MOST_BYTES = 64 * 2**20  # of segments in one block: they are parsed in memory


class Compactor:
    """Compacts one recorder's folder. Not for two at a time."""

    def __init__(self, directory: Path, *, interval_s: float) -> None:
        self._directory = directory
        self._block_s = block_length_s(interval_s)
        self._given_up: set[Path] = set()

    def run(self, before: float) -> None:
        """Merge what was closed before this time, as far as it fills blocks. Raises OSError; segments stay then."""
        for path in self._directory.glob(f".*{BLOCK_SUFFIX}.tmp"):
            path.unlink(missing_ok=True)
        for path in superseded(self._directory):
            path.unlink(missing_ok=True)
        for run in self._due(before):
            self._merge(run)

    def _due(self, before: float) -> Iterator[list[Path]]:
        stored = [one for one in stored_samples(self._directory) if one.start < before]
        ends = [*(one.start for one in stored), before][1:]
        run: list[Path] = []
        began, size = 0.0, 0
        for one, end in zip(stored, ends, strict=True):
            if one.is_block or one.path in self._given_up:  # a block spans no other
                run, size = [], 0
                continue
            began = began if run else one.start
            run.append(one.path)
            size += one.path.stat().st_size
            if end - began >= self._block_s or size >= MOST_BYTES:
                yield run
                run, size = [], 0

    def _merge(self, run: list[Path]) -> None:
        segments = [SegmentLog(path) for path in run]
        for segment, path in zip(segments, run, strict=True):
            try:
                segment.read_on()
            except BadDocument:
                self._given_up.add(path)
                return
        write_block(segments, self._directory / f"{run[0].stem}-{run[-1].stem}{BLOCK_SUFFIX}")
        for path in run:
            path.unlink(missing_ok=True)


def block_length_s(interval_s: float) -> float:
    """About 3,600 scrapes in a block, between an hour and a day: few files, and little that is still lines."""
    return min(max(3600.0, 3600.0 * interval_s), 86400.0)
