"""The hash chain: each event's hash covers the hash before it and everything the event says.

hash = sha256(previous + "\\n" + body), body the JSON of [position, incident, seq, kind, at, recorded_at, payload, text,
source, actor] without spaces, ASCII only, floats as the shortest digits that read back the same. Whoever has an export
can compute it again with a dozen lines and without this package.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sre.incidents.events import Draft, Event, kind_of
from sre.incidents.payloads import keepable, payload_of, payload_text, require_finite
from sre.incidents.store.model import Anchor

GENESIS = Anchor(0, "0" * 64)
"""What the first event follows."""


@dataclass(frozen=True, slots=True)
class Row:
    """An event as its table holds it. `payload` is the text that was hashed."""

    position: int
    incident: str
    seq: int
    kind: str
    at: float
    recorded_at: float
    payload: str
    text: str
    source: str
    actor: str
    previous: str
    hash: str


def hash_of(row: Row) -> str:
    """What `row.hash` must be. Raises TypeError or ValueError on a row that holds what no event can hold."""
    said = (row.position, row.incident, row.seq, row.kind, row.at, row.recorded_at)
    told = (row.payload, row.text, row.source, row.actor)
    body = json.dumps([*said, *told], separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(f"{row.previous}\n{body}".encode()).hexdigest()


def chained(
    drafts: Sequence[Draft], *, incident: str, seq: int, after: Anchor, recorded_at: float
) -> tuple[tuple[Row, Event], ...]:
    """`drafts` as the events that follow `after`; `seq` is the number of events the incident has already."""
    rows = []
    for number, draft in enumerate(drafts, 1):
        row = _row(draft, incident, seq + number, after, recorded_at)
        after = Anchor(row.position, row.hash)
        rows.append((row, event_of(row)))
    return tuple(rows)


def _row(draft: Draft, incident: str, seq: int, after: Anchor, recorded_at: float) -> Row:
    require_finite(draft)
    kind, said = kind_of(draft.payload), payload_text(draft.payload)
    row = Row(
        position=after.position + 1,
        incident=incident,
        seq=seq,
        kind=kind,
        at=float(draft.at) + 0.0,  # -0.0 is kept as 0.0 by SQLite
        recorded_at=float(recorded_at) + 0.0,
        payload=payload_text(payload_of(kind, said, f"event '{keepable(draft.text)[:60]}'")),  # as it will be read
        text=keepable(draft.text),
        source=keepable(draft.source),
        actor=keepable(draft.actor),
        previous=after.hash,
        hash="",
    )
    return replace(row, hash=hash_of(row))


def event_of(row: Row) -> Event:
    """The event of a row; raises BadDocument where what it says cannot be read."""
    return Event(
        incident=row.incident,
        position=row.position,
        seq=row.seq,
        at=row.at,
        recorded_at=row.recorded_at,
        payload=payload_of(row.kind, row.payload, f"event {row.position} of {row.incident}"),
        text=row.text,
        source=row.source,
        actor=row.actor,
        previous=row.previous,
        hash=row.hash,
    )


def events_of(rows: Iterable[Row]) -> tuple[Event, ...]:
    return tuple(event_of(row) for row in rows)
