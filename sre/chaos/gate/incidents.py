"""Open incidents: nothing is broken on purpose while something is broken by accident.

`incidents.jsonl` in the workspace, one object a line: `id`, `title`, `status` (`open`, `resolved` or `closed`). Of
several lines about one incident the last holds. Whoever keeps incidents elsewhere exports the open ones into it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sre.errors import BadDocument

INCIDENTS_FILE = "incidents.jsonl"
STATUSES = ("open", "resolved", "closed")


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """What a refusal says of it."""

    id: str
    title: str


def open_incidents(path: Path) -> tuple[OpenIncident, ...]:
    """Those that are open, oldest first; none without the file. Raises BadDocument with every bad line."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise BadDocument([f"{path}: cannot be read ({error}): mend it, no run starts while it is unknown"]) from error
    return _open(path, lines)


def _open(path: Path, lines: Iterable[str]) -> tuple[OpenIncident, ...]:
    found: dict[str, OpenIncident] = {}
    faults = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            said = json.loads(line)
            identity, title, status = str(said["id"]), str(said["title"]), said["status"]
            if status not in STATUSES:
                raise ValueError(f"status {status!r}")
        except (ValueError, KeyError, TypeError) as error:
            mend = f"write id, title and status ({', '.join(STATUSES)})"
            faults.append(f"{path}:{number}: no incident ({type(error).__name__}: {error}): {mend}")
            continue
        found.pop(identity, None)
        if status == "open":
            found[identity] = OpenIncident(identity, title)
    if faults:
        raise BadDocument(faults)
    return tuple(found.values())
