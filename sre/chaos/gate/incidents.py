"""Open incidents: nothing is broken on purpose while something is broken by accident.

Asked is the incident store: SRE_INCIDENTS_URL, else `incidents.sqlite` of the workspace. What is mitigated is not over
yet; a drill that was never resolved left something behind; an exercise at a table breaks nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sre.incidents.events import Status
from sre.incidents.store import open_store, store_address
from sre.incidents.store.address import address_of

UNRESOLVED: tuple[Status, ...] = ("open", "acknowledged", "mitigated")


@dataclass(frozen=True, slots=True)
class OpenIncident:
    """What a refusal says of it."""

    id: str
    title: str
    status: Status


def open_incidents(workspace: Path, environ: Mapping[str, str] = os.environ) -> tuple[OpenIncident, ...]:
    """Those that are not resolved, oldest first; none without a store. Raises SreError when it cannot be read."""
    where = store_address(workspace, environ=environ)
    path = address_of(where).path
    if path is not None and not path.exists():
        return ()
    with closing(open_store(where)) as store:
        heads = store.heads(statuses=UNRESOLVED)
    return tuple(OpenIncident(head.id, head.title, head.status) for head in reversed(heads))
