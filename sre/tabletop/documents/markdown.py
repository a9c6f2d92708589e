"""A document as Markdown. Values are escaped; code between backticks stays code."""

from __future__ import annotations

import re

from sre.incidents.visible import visible
from sre.tabletop.documents.model import Blank, Block, Card, Document, Grid, Heading, Items, Shown, Text

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")
_CODE = re.compile(r"`([^`\n]+)`")
_MARKS = {"points": "- ", "numbered": "1. ", "boxes": "- [ ] "}


def to_markdown(document: Document, banner: str) -> str:
    """The whole file. `banner` says who may read it."""
    head = [f"# {_inline(document.title)}", _inline(document.subtitle), f"**{_inline(banner)}**"]
    return visible("\n\n".join([*head, *(_block(block) for block in document.blocks)])) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(text, level, _):
            return f"{'#' * level} {_inline(text)}"
        case Text(text, tone):
            return _paragraph(text, "> " if tone in ("quote", "warning") else "")
        case Items(items, kind):
            return "\n".join(f"{_MARKS[kind]}{_inline(item)}" for item in items)
        case Grid():
            return _grid(block)
        case Shown(artefact):
            lead = f"**{_inline(artefact.title)}**\n\n"
            return lead + (_inline(artefact.absent) if artefact.absent else _fenced(artefact.text))
        case Card(blocks):
            return "\n\n".join(_block(one) for one in blocks)
        case Blank(label, lines):
            return f"{_inline(label)}\n\n" + "\n\n".join(["\\_" * 40] * lines)


def _paragraph(text: str, mark: str) -> str:
    lines = [_inline(line) for line in text.split("\n")]
    return "\n".join(f"{mark}{line}".rstrip() for line in lines)


def _grid(grid: Grid) -> str:
    if not grid.rows:
        return _inline(grid.empty)
    head = f"| {' | '.join(_cell(text) for text in grid.head)} |"
    rows = [f"| {' | '.join(_cell(text) for text in row)} |" for row in grid.rows]
    return "\n".join([head, "|---" * len(grid.head) + "|", *rows])


def _cell(text: str) -> str:
    return "<br>".join(_inline(line) for line in text.split("\n"))


def _inline(text: str) -> str:
    """Plain text with code: escaped, but for what stands between backticks (where only a bar could break a table)."""
    parts = _CODE.split(text)
    return "".join(
        f"`{part.replace('|', chr(92) + '|')}`" if index % 2 else _SPECIAL.sub(r"\\\1", part)
        for index, part in enumerate(parts)
    )


def _fenced(text: str) -> str:
    fence = "~~~~" if "```" in text else "```"
    return f"{fence}text\n{text}\n{fence}"
