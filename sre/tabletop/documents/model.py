"""What a document consists of. Texts are plain, with `code` between backticks; the renderers escape them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sre.tabletop.model import Artefact

Audience = Literal["players", "control"]


@dataclass(frozen=True, slots=True)
class Heading:
    """`starts_page`: printed at the top of a new page. `level` 2 or 3."""

    text: str
    level: int = 2
    starts_page: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; line breaks stay. `tone` `quote` is somebody's words, `note` is small."""

    text: str
    tone: Literal["", "quote", "note", "warning"] = ""


@dataclass(frozen=True, slots=True)
class Items:
    """A list; `numbered` in order, `boxes` to tick."""

    items: tuple[str, ...]
    kind: Literal["points", "numbered", "boxes"] = "points"


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. `widths` are per cent, in the order of the columns; none: as the browser likes."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[int, ...] = ()
    empty: str = "None."


@dataclass(frozen=True, slots=True)
class Shown:
    """An artefact of an inject."""

    artefact: Artefact


@dataclass(frozen=True, slots=True)
class Blank:
    """Room to write by hand: `lines` lines under a label."""

    label: str
    lines: int = 1


Part = Heading | Text | Items | Grid | Shown | Blank


@dataclass(frozen=True, slots=True)
class Card:
    """Blocks that are printed on one page where they fit on one."""

    blocks: tuple[Part, ...]


Block = Part | Card


@dataclass(frozen=True, slots=True)
class Document:
    """`name` is the file's name without its ending."""

    name: str
    title: str
    subtitle: str
    audience: Audience
    blocks: tuple[Block, ...]
