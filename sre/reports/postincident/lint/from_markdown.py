"""Anybody's post-mortem in Markdown as the rules see it: sections by their headings, rows of tables and lists.

It understands what people commonly write, not every Markdown; a section it does not find counts as missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sre.reports.postincident.lint.model import Line, Part, ReadAction, Reading
from sre.reports.postincident.lint.sentences import sentences

_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*$")
_NAMES: tuple[tuple[str, str], ...] = (
    ("actions", r"action|follow[- ]?up|next steps|remediation|corrective|preventive"),
    ("timeline", r"timeline|chronology|sequence of events"),
    ("detection", r"detect|how (?:did|was) .*(?:notic|found)|monitoring"),
    ("questions", r"open questions?|unknowns?|unanswered"),
    ("approvals", r"approv|sign[- ]?off|reviewed by|reviewers"),
    ("cost", r"\bcosts?\b|money|financial"),
    ("lucky", r"luck"),
    ("worked", r"went well|worked|good\b|positives"),
    ("failed", r"went wrong|did ?n[o']t|did not|went badly|poorly|could be better|negatives"),
    ("lessons", r"lesson|learn"),
    ("impact", r"impact|effect|scope|damage"),
    ("causes", r"cause|trigger|contributing|why did"),
    ("summary", r"summary|overview|tl;?dr|abstract|what happened"),
)
_KNOWN = tuple((name, re.compile(pattern, re.I)) for name, pattern in _NAMES)
_BLANK = re.compile(r"^\W*(?:none|tbd|todo|n/a|unassigned|unknown|nobody|-+)?\W*$", re.I)
_EVIDENCE = re.compile(
    r"\]\(|https?://|\[\\?\[?\d+\\?\]|`[^`]+`|[\w-]+\.(?:jsonl?|log|ya?ml|png|csv|txt)\b|\b[A-Z]{2,}-\d+\b"
)
_STAMP = re.compile(r"\d{1,2}:\d{2}|\d{4}-\d{2}-\d{2}|^\W*[+-]\d")
_DUE = re.compile(r"\d{4}-\d{2}-\d{2}|\bdue\b:?\s*\S+|\bby\s+(?:end of\s+)?(?:Q[1-4]|\w+\s+\d{1,2})", re.I)
_OWNER = re.compile(
    r"@[\w-]+|\bowner\b:?\s*\*{0,2}\s*\w+|\bassigned to\b\s*\w+|\((?:[A-Z][a-z]+(?: [A-Z][a-z]+)?)\)", re.I
)
_NA = re.compile(r"(?<![\w/])n/a(?![\w/])", re.I)
_SIGNED = re.compile(r"approved|signed|\blgtm\b|✓|\[x\]", re.I)
_VOID = re.compile(r"\W*(?:outdated|rejected|not approved|not signed|\w+ another document|\w+, not checked)\b", re.I)
Numbered = tuple[int, str]


@dataclass(frozen=True, slots=True)
class _Cells:
    """A row of a table under its headings."""

    line: int
    cells: Mapping[str, str]

    @property
    def text(self) -> str:
        return " ".join(self.cells.values())

    def of(self, pattern: str) -> str | None:
        """The cell under the first heading that matches; None when there is none."""
        return next((cell for head, cell in self.cells.items() if re.search(pattern, head, re.I)), None)


def reading_of_markdown(text: str) -> Reading:
    """Sections by heading; a subsection belongs to the section above it as well."""
    lines = _without_code(text.splitlines())
    sections = _sections(lines)
    timeline, approvals = sections.get("timeline", ()), sections.get("approvals", ())
    return Reading(
        summary=_summary(sections.get("summary")),
        impact=_prose(sections.get("impact")),
        detection=_prose(sections.get("detection")),
        causes=_prose(sections.get("causes")),
        cost=_prose(sections.get("cost")),
        lessons=_lessons(sections),
        rows=tuple(_timeline(timeline)),
        actions=tuple(_actions(sections.get("actions", ()))),
        unexplained=tuple(_unexplained(lines)),
        questions=_questions(sections.get("questions")),
        approvals=tuple(_approvals(approvals)),
        text=tuple(Line(f"line {number}", line) for number, line in lines if not line.startswith("Blameless:")),
    )


def has_heading(text: str) -> bool:
    """Whether it is a document with sections at all; code does not count."""
    return any(_HEADING.match(line) for _, line in _without_code(text.splitlines()))


def _without_code(lines: Sequence[str]) -> list[Numbered]:
    """Numbered lines; fenced code is evidence, not words of the author."""
    kept, fence = [], ""
    for number, line in enumerate(lines, 1):
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and (not fence or mark.group(1).startswith(fence)):
            fence = "" if fence else mark.group(1)[:3]
        elif not fence:
            kept.append((number, line))
    return kept


def _sections(lines: Sequence[Numbered]) -> dict[str, tuple[Numbered, ...]]:
    found: dict[str, list[Numbered]] = {}
    open_: list[tuple[int, str]] = []
    for number, line in lines:
        heading = _HEADING.match(line)
        if heading is None:
            for name in dict.fromkeys(name for _, name in open_):
                found[name].append((number, line))
            continue
        level, known = len(heading.group(1)), _name_of(heading.group(2))
        open_ = [(depth, name) for depth, name in open_ if depth < level]
        if level > 1 and known is not None:
            found.setdefault(known, [])
            open_.append((level, known))
    return {name: tuple(within) for name, within in found.items()}


def _name_of(heading: str) -> str | None:
    return next((name for name, pattern in _KNOWN if pattern.search(heading)), None)


def _prose(section: Sequence[Numbered] | None) -> str | None:
    return None if section is None else "\n".join(line for _, line in section if line.strip())


def _summary(section: Sequence[Numbered] | None) -> tuple[str, ...]:
    text = _prose(section) or ""
    plain = re.sub(r"\[\\?\[?\d+\\?\]\\?\]?(?:\([^)]*\))?", "", text)
    return sentences(re.sub(r"^\s*(?:[-*]|\d+[.)])\s+", "", plain, flags=re.MULTILINE))


def _lessons(sections: Mapping[str, Sequence[Numbered]]) -> frozenset[Part]:
    parts: tuple[Part, ...] = ("worked", "failed", "lucky")
    found = {part for part in parts if (_prose(sections.get(part)) or "").strip()}
    if not found and (_prose(sections.get("lessons")) or "").strip():
        found.add("failed")
    return frozenset(found)


def _table(section: Sequence[Numbered]) -> Iterator[_Cells]:
    """Rows of every table of the section, header and separator left out."""
    head: list[str] | None = None
    for number, line in section:
        if not line.lstrip().startswith("|"):
            head = None
            continue
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if head is None:
            head = [f"{cell}#{i}" for i, cell in enumerate(cells)]
        elif not all(re.fullmatch(r":?-+:?", cell) for cell in cells if cell):
            yield _Cells(number, dict(zip(head, cells, strict=False)))


def _items(section: Sequence[Numbered]) -> Iterator[str]:
    """Entries of lists, and lines that begin with a time."""
    for _, line in section:
        item = re.match(r"^\s*(?:[-*+]|\d+[.)])\s+(.*)", line)
        if item:
            yield item.group(1)
        elif _STAMP.match(line.strip()):
            yield line.strip()


def _timeline(section: Sequence[Numbered]) -> Iterator[tuple[str, bool]]:
    for row in _table(section):
        yield row.text, _EVIDENCE.search(row.text) is not None
    for item in _items(section):
        if _STAMP.search(item):
            yield item, _EVIDENCE.search(item) is not None


def _actions(section: Sequence[Numbered]) -> Iterator[ReadAction]:
    for row in _table(section):
        owner, due = row.of(r"owner|who|assign|responsib"), row.of(r"due|when|date|deadline|eta|until")
        title = row.of(r"action|what|item|task|description|title") or row.text
        yield ReadAction(title, _filled(owner), _filled(due))
    for item in _items(section):
        owner_found, due_found = _OWNER.search(item), _DUE.search(item)
        yield ReadAction(item, owner_found.group(0) if owner_found else "", due_found.group(0) if due_found else "")


def _filled(cell: str | None) -> str:
    return "" if cell is None or _BLANK.match(cell) else cell


def _unexplained(lines: Sequence[Numbered]) -> Iterator[Line]:
    """n/a with nothing beside it that could be its reason: fewer than three words in any other cell, or after it."""
    for number, line in lines:
        if not _NA.search(line):
            continue
        if line.lstrip().startswith("|"):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))][1:]
            others = [cell for cell in cells if not _NA.fullmatch(cell)]
        else:
            others = _NA.split(line)[1:]
        if not any(len(re.findall(r"[A-Za-z]{2,}", other)) >= 3 for other in others):
            yield Line(f"line {number}", line.strip())


def _questions(section: Sequence[Numbered] | None) -> tuple[str, ...] | None:
    return None if section is None else tuple(_items(section))


def _approvals(section: Sequence[Numbered]) -> Iterator[tuple[str, bool]]:
    for row in _table(section):
        role = next(iter(row.cells.values()), "")
        is_void = any(_VOID.match(cell) for cell in row.cells.values())
        yield role, not is_void and _SIGNED.search(row.text) is not None
    for item in _items(section):
        yield item[:40], _SIGNED.search(item) is not None
