"""Tables in Markdown, and their place between two marks of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sre.errors import SreError


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [_line(header), _line(["---"] * len(header)), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def begin(name: str) -> str:
    return f"<!-- {name}: written by `make docs` -->"


def end(name: str) -> str:
    return f"<!-- end of {name} -->"


def between_marks(page: str, name: str, content: str) -> str:
    """The page with what stands between the marks of `name` replaced. Raises SreError when they are not there."""
    before, first, rest = page.partition(begin(name))
    _, last, after = rest.partition(end(name))
    if not first or not last:
        raise SreError(f"the page has no `{begin(name)}` ... `{end(name)}`: put both lines where the table belongs")
    return f"{before}{first}\n\n{content.strip()}\n\n{last}{after}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"
