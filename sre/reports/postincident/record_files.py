"""Lines of the files of a report folder, found without parsing them: by number, by an instant in them, or by outcome.

Files may be large, cut short or full of anything: they are mapped, never decoded as a whole, and what is quoted is cut
and cleaned. Only plain files inside the folder are opened: a source comes from records that others wrote.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from sre.incidents.model import FAILED_OUTCOMES
from sre.incidents.visible import visible
from sre.reports.postincident.model import Pick, Quote

LINE_LIMIT = 480
_PICKS: dict[Pick, re.Pattern[bytes]] = {
    "failed": re.compile(rb'"outcome":\s*"(?:' + "|".join(sorted(FAILED_OUTCOMES)).encode() + rb')"'),
    "moved": re.compile(rb'"replicas":\s*\[[^\]]*,'),
}


def inside(folder: Path, name: str) -> Path | None:
    """The plain file `name` of the folder; None when it is absent, a link, or anywhere else."""
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name:
        return None
    found = folder / path
    if not found.is_file() or any(part.is_symlink() for part in (found, *found.parents) if folder in part.parents):
        return None
    return found


def line(path: Path, number: int) -> tuple[Quote, ...]:
    """Line `number`, counted from 1; none when the file is shorter."""
    with path.open("rb") as stream:
        for found, text in enumerate(stream, 1):
            if found == number:
                return (Quote(number, cleaned(text)),)
    return ()


def lines_at(path: Path, at: float, limit: int = 3) -> tuple[Quote, ...]:
    """Lines that hold the instant `at` as JSON writes it."""
    return _matching(path, re.compile(re.escape(repr(at)).encode()), limit)[0]


def picked(path: Path, pick: Pick, limit: int = 8) -> tuple[tuple[Quote, ...], int]:
    """The first lines that `pick` means, and how many there are."""
    return _matching(path, _PICKS[pick], limit)


def count_lines(path: Path) -> int:
    with _mapped(path) as data:
        return _newlines(data, 0, len(data))


def cleaned(text: bytes | str) -> str:
    """One line, short enough to print, with control characters shown."""
    told = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    shown = "".join(c if c.isprintable() else " " for c in visible(told.rstrip("\r\n")))
    return shown if len(shown) <= LINE_LIMIT else shown[: LINE_LIMIT - 1] + "…"


def _matching(path: Path, pattern: re.Pattern[bytes], limit: int) -> tuple[tuple[Quote, ...], int]:
    found: list[Quote] = []
    with _mapped(path) as data:
        total, begin, number = 0, -1, 1
        counted = 0
        for match in pattern.finditer(data):
            start = data.rfind(b"\n", 0, match.start()) + 1
            if start == begin:
                continue
            begin, total = start, total + 1
            if len(found) < limit:
                number += _newlines(data, counted, start)
                counted = start
                found.append(Quote(number, cleaned(_line_from(data, start))))
    return tuple(found), total


def _line_from(data: bytes | mmap.mmap, start: int) -> bytes:
    end = data.find(b"\n", start)
    return bytes(data[start : end if end >= 0 else len(data)][: LINE_LIMIT * 4])


def _newlines(data: bytes | mmap.mmap, start: int, end: int) -> int:
    step = 1 << 20
    return sum(data[at : min(at + step, end)].count(b"\n") for at in range(start, end, step))


@contextmanager
def _mapped(path: Path) -> Iterator[bytes | mmap.mmap]:
    """The file's bytes; an empty one cannot be mapped."""
    with path.open("rb") as stream:
        if path.stat().st_size == 0:
            yield b""
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data
