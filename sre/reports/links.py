"""Which targets may become links. Targets come from records: only web addresses and relative paths."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import quote

_WEB = re.compile(r"https?://[^\s<>\"'`]+")
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")


def linked(target: str) -> str:
    """An href that is safe to follow, "" for what is none (`javascript:`, an absolute path, a query in words)."""
    if _WEB.fullmatch(target):
        return target
    path = PurePosixPath(target)
    odd = path.is_absolute() or _SCHEME.match(target) or any(c.isspace() or not c.isprintable() for c in target)
    if not target or odd or "\\" in target or target.startswith("//"):
        return ""
    return quote(target, safe="/._-#~+@,=")


def anchor_of(where: str, at: float | None = None, pick: str = "") -> str:
    """The name of a source's entry in the evidence of a post-incident report: the same from wherever it is linked."""
    told = where if at is None else f"{where}@{at:.6f}"
    clean = re.sub(r"[^A-Za-z0-9.@_-]+", "-", f"{told}+{pick}" if pick else told).strip("-")
    return f"at-{clean[:80]}-{hashlib.sha256(told.encode()).hexdigest()[:8]}" if len(clean) > 80 else f"at-{clean}"
