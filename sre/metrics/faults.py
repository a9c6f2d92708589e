"""Faults of a file of samples. A file of millions of lines may be wrong in each of them, so only the first are kept."""

from __future__ import annotations

from pathlib import Path

from sre.errors import BadDocument

MOST = 20


class Faults:
    """Collects `path:place: problem` lines: the first 20, then only their number."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: list[str] = []
        self.count = 0

    def add(self, place: str, problem: str) -> None:
        """`place` is a line number, `row 3`, or empty for the file as a whole."""
        self.count += 1
        if len(self._told) < MOST:
            self._told.append(f"{self._path}:{place + ':' if place else ''} {problem}")

    def raise_any(self) -> None:
        """Raises BadDocument when there was a fault."""
        if not self.count:
            return
        more = self.count - len(self._told)
        raise BadDocument(self._told + ([f"{self._path}: and {more} more"] if more else []))
