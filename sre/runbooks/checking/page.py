"""One page as text: its sections, its links, its commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from sre.runbooks.checking.commands import Verbs, check_commands
from sre.runbooks.checking.model import Document, Finding, Heading, parse

FIRST = ("Meaning", "Impact", "Diagnosis", "Mitigation")
NEEDED = (*FIRST, "Escalation", "Dashboards and queries", "Last drill")
"""The first four in this order, before everything else."""
THIN_WORDS = 12
_LINK = re.compile(r"(?<!\!)\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_CODE = re.compile(r"`[^`]*`")


def check_text(text: str, path: Path, *, verbs: Verbs | None = None) -> tuple[Finding, ...]:
    """Everything that is wrong with the page of this text at `path`, by line."""
    document = parse(text)
    found = [*_sections(document, path), *_links(document, path), *check_commands(document, path, verbs)]
    if document.unclosed is not None:
        mend = "close it with the same mark"
        found.append(
            Finding(str(path), document.unclosed, "error", "bad-command", "a code block is never closed", mend)
        )
    return tuple(sorted(found))


def _sections(document: Document, path: Path) -> Iterator[Finding]:
    sections = {heading.title: heading for heading in document.headings if heading.level == 2}
    for name in NEEDED:
        if name not in sections:
            mend = "write it; a reader at night looks for it"
            yield Finding(str(path), 1, "error", "missing-section", f"there is no section `## {name}`", mend)
    if set(FIRST) <= set(sections) and tuple(sections)[: len(FIRST)] != FIRST:
        first = next(iter(sections.values()))
        what = f"{', '.join(FIRST)} do not come first, in this order"
        yield Finding(str(path), first.line, "error", "missing-section", what, "move them up")
    for name, heading in sections.items():
        yield from _thin(document, name, heading, path)


def _thin(document: Document, name: str, heading: Heading, path: Path) -> Iterator[Finding]:
    words = sum(len(re.findall(r"\w+", text)) for text in document.section(heading))
    if words < THIN_WORDS:
        what = f"section `{name}` {'is empty' if not words else f'has {words} words'}"
        mend = f"say what a novice needs, at least {THIN_WORDS} words"
        yield Finding(str(path), heading.line, "error", "thin-section", what, mend)


def _links(document: Document, path: Path) -> Iterator[Finding]:
    for line, text in document.prose:
        for target in _LINK.findall(_CODE.sub(lambda found: "`" * len(found.group(0)), text)):
            said = _dead(target, document, path)
            if said is not None:
                what, mend = said
                yield Finding(str(path), line, "error", "dead-link", f"the link {target} leads nowhere: {what}", mend)


def _dead(target: str, document: Document, path: Path) -> tuple[str, str] | None:
    """Why a link leads nowhere, and the mend. Addresses elsewhere are not asked for."""
    if re.match(r"[a-z][a-z0-9+.-]*:", target):
        return None
    name, _, anchor = target.partition("#")
    file = path.parent / name
    if name and not file.exists():
        return f"there is no {name} beside {path.parent}/", "mend the path, or write that file"
    if not anchor or (name and file.suffix != ".md"):
        return None
    there = document if not name else parse(file.read_text(encoding="utf-8"))
    if anchor not in there.anchors:
        return f"no heading makes #{anchor}", f"use one of {', '.join(sorted(there.anchors)[:6])}"
    return None
