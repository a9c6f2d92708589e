"""Control characters made visible. The store and every JSON keep what was said; a terminal or a page shows it by this.

Texts come from alerts, commands and files of others: raw, they could move the cursor, recolour, ring or reorder lines.
"""

from __future__ import annotations

import re

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""Each of them as its escape: `\x1b`, `\u202e`. Tab and line end stay, a Windows line end becomes a plain one."""
    return _CONTROL.sub(_escape, text.replace("\r\n", "\n"))


def _escape(found: re.Match[str]) -> str:
    code = ord(found.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
