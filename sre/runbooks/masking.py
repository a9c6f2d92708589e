"""Secrets out of what commands print, before it is kept: a record is read by more people than a terminal.

It masks what looks like one; it cannot know all. What is kept can be looked at with `sre incident show`. A pattern
that may begin with any letter begins at the edge of a word: else a line of n letters costs n squared steps.
"""

from __future__ import annotations

import re

MASK = "***"
_NAMES = r"(?:authorization|proxy-authorization|x-api-key|api[_-]?key|access[_-]?key|secret|token|password|passwd|pwd)"
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_SCHEME = re.compile(r"\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)
_NAMED = re.compile(
    rf"((?<![\w.-])[\w.-]*{_NAMES}[\w.-]*[\"']?\s*[:=]\s*)(\"[^\"\n]+\"|'[^'\n]+'|(?!\*\*\*|null\b|none\b|bearer\b|basic\b)[^\s,;&\"'}}]+)",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"(\b\w+://[^\s/:@]*:)[^\s/@]+(@)")
_SHAPES = re.compile(
    r"\b(?:sk-[A-Za-z0-9_-]{16,}|sre-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}|xox[abpr]-[\w-]{10,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+)"
)


def masked(text: str) -> str:
    """The text with secrets replaced by `***`; names of what they were stay."""
    text = _KEY_BLOCK.sub(f"{MASK} (a private key)", text)
    text = _SCHEME.sub(lambda found: f"{found.group(1)} {MASK}", text)
    text = _IN_URL.sub(rf"\g<1>{MASK}\g<2>", text)
    text = _SHAPES.sub(MASK, text)
    return _NAMED.sub(_without_value, text)


def _without_value(found: re.Match[str]) -> str:
    """Numbers stay: `prompt_tokens: 12` counts, it opens nothing."""
    value = found.group(2).strip("\"'")
    return found.group(0) if re.fullmatch(r"[0-9.]+|true|false", value) else f"{found.group(1)}{MASK}"
