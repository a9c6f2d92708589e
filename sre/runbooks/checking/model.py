"""A finding about a page, and how a page is read for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]
Code = Literal[
    "stale",
    "unproven",
    "missing-section",
    "thin-section",
    "dead-link",
    "bad-command",
    "no-page",
    "orphan",
    "unreadable",
]
_HEADING = re.compile(r"^(#{1,6}) +(.+?) *#* *$")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+) *([A-Za-z0-9_-]*)")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing wrong with a page: where, what, and how to mend it. A warning alone does not fail the check."""

    file: str
    line: int
    severity: Severity
    code: Code
    what: str
    mend: str

    @property
    def text(self) -> str:
        return f"{self.file}:{self.line}: {self.what}: {self.mend}"


@dataclass(frozen=True, slots=True)
class Heading:
    """`line` counts from 1."""

    line: int
    level: int
    title: str

    @property
    def anchor(self) -> str:
        """What a link to it ends with, as GitHub makes it."""
        bare = re.sub(r"[^\w\- ]", "", self.title.lower())
        return bare.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code; `line` is that of its first line of text."""

    line: int
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A page in the parts that are looked at. `prose` has the lines outside of code, by number from 1."""

    headings: tuple[Heading, ...]
    fences: tuple[Fence, ...]
    prose: tuple[tuple[int, str], ...]
    unclosed: int | None = None

    @property
    def anchors(self) -> frozenset[str]:
        """Every heading's; a second one of the same text gets `-1`, a third `-2`."""
        seen: dict[str, int] = {}
        found = set()
        for heading in self.headings:
            count = seen.get(heading.anchor, 0)
            seen[heading.anchor] = count + 1
            found.add(f"{heading.anchor}-{count}" if count else heading.anchor)
        return frozenset(found)

    def section(self, heading: Heading) -> tuple[str, ...]:
        """What stands below a heading, down to the next of its level or above; text of code included."""
        end = self._end_of(heading)
        words = [text for line, text in self.prose if heading.line < line < end]
        words += [fence.text for fence in self.fences if heading.line < fence.line < end]
        return tuple(words)

    def _end_of(self, heading: Heading) -> float:
        after = (one.line for one in self.headings if one.line > heading.line and one.level <= heading.level)
        return next(after, float("inf"))


def parse(text: str) -> Document:
    """A Markdown page. Comments (`<!-- ... -->`) are no part of it."""
    headings, fences, prose = [], [], []
    marker, language, begin, held = "", "", 0, list[str]()
    for number, line in _visible(text):
        fence = _FENCE.match(line)
        if marker:
            if fence and fence.group(1).startswith(marker) and not fence.group(2):
                fences.append(Fence(begin + 1, language, "\n".join(held)))
                marker = ""
            else:
                held.append(line)
        elif fence:
            marker, language, begin, held = fence.group(1), fence.group(2), number, []
        elif heading := _HEADING.match(line):
            headings.append(Heading(number, len(heading.group(1)), heading.group(2)))
        elif line.strip():
            prose.append((number, line))
    return Document(tuple(headings), tuple(fences), tuple(prose), begin if marker else None)


def _visible(text: str) -> Iterator[tuple[int, str]]:
    shown = re.sub(r"<!--.*?(?:-->|\Z)", lambda found: "\n" * found.group(0).count("\n"), text, flags=re.DOTALL)
    return enumerate(shown.splitlines(), 1)
