"""Anchors as they are written down: `POSITION:HASH`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from sre.errors import BadDocument
from sre.incidents.store.model import Anchor

_ANCHOR = re.compile(r"([1-9]\d*):([0-9a-f]{64})")


def anchors_of(given: Sequence[str], file: Path | None) -> list[Anchor]:
    """Raises BadDocument with everything that is no anchor."""
    told = [("--anchor", text) for text in given]
    if file is not None:
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise BadDocument([f"{file}: cannot be read ({error})"]) from error
        bare = [(number, line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
        told += [(f"{file}:{number}", line) for number, line in bare if line]
    found = [(where, text, _ANCHOR.fullmatch(text)) for where, text in told]
    faults = [
        f"{where}: {text!r:.90} is no anchor: write POSITION:HASH" for where, text, match in found if match is None
    ]
    if faults:
        raise BadDocument(faults)
    return [Anchor(int(match[1]), match[2]) for _, _, match in found if match is not None]
