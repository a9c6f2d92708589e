"""Which targets may become links. Targets come from records: only web addresses and relative paths."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote

_WEB = re.compile(r"https?://[^\s<>\"'`]+")
_RELATIVE = re.compile(r"\.{1,2}/")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


def linked(target: str) -> str:
    """An href that is safe to follow, "" for what is none (`javascript:`, an absolute path, a query in words).

    Folders may have any name: what begins with `./` or `../` is a path though it holds spaces. Whatever a URL cannot
    hold is percent-encoded here and nowhere else.
    """
    if _WEB.fullmatch(target):
        return target
    path = PurePosixPath(target)
    may_hold_spaces = _RELATIVE.match(target) is not None
    odd = path.is_absolute() or _SCHEME.match(target) or any(_is_odd(c, may_hold_spaces) for c in target)
    if not target or odd or "\\" in target or target.startswith("//"):
        return ""
    folders, slash, page = target.rpartition("/")
    return quote(folders + slash, safe="/._-~+@,=") + quote(page, safe="._-#~+@,=")


def _is_odd(character: str, may_hold_spaces: bool) -> bool:
    if unicodedata.category(character) == "Zs":
        return not may_hold_spaces
    return not character.isprintable()


def anchor_of(where: str, at: float | None = None, pick: str = "") -> str:
    """The name of a source's entry in the evidence of a post-incident report: the same from wherever it is linked."""
    told = where if at is None else f"{where}@{at:.6f}"
    clean = re.sub(r"[^A-Za-z0-9.@_-]+", "-", f"{told}+{pick}" if pick else told).strip("-")
    return f"at-{clean[:80]}-{hashlib.sha256(told.encode()).hexdigest()[:8]}" if len(clean) > 80 else f"at-{clean}"
