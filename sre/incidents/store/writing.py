"""One transaction that writes: it holds the chain's end, so ids have no gaps and no two writers follow one hash."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Table, and_, insert, select, update

from sre.errors import SreError
from sre.incidents.case import CaseHead, advance, item_of
from sre.incidents.events import Draft, Event, ItemSet, Opened, Origin
from sre.incidents.store.chain import chained
from sre.incidents.store.model import Anchor
from sre.incidents.store.projection import HEAD_COLUMNS, head_of, head_row, identity, item_row
from sre.incidents.store.tables import CHAIN, EVENTS, HEADS, ITEMS

_LINE = select(*HEAD_COLUMNS, HEADS.c.opened_position)


class Writing:
    """Appends to the end of the chain. Taking it waits for other writers; its end lets the next one on."""

    def __init__(self, connection: Connection, shown: str, now: float) -> None:
        self._connection = connection
        self._shown = shown
        self._now = now
        end = connection.execute(select(CHAIN).with_for_update()).mappings().one_or_none()
        if end is None:
            raise SreError(f"{shown}: the row of the chain's end is gone: put your last good copy in its place")
        self._end = Anchor(end["position"], end["hash"])
        self._counts = {False: end["incidents"], True: end["exercises"]}

    def open(self, drafts: Sequence[Draft]) -> str:
        """The id of a new incident."""
        opened = drafts[0].payload
        if not isinstance(opened, Opened):
            raise SreError("an incident begins with its opening: give an Opened first")
        incident = self._next_id(opened.origin)
        self._append(incident, None, drafts, self._end.position + 1)
        return incident

    def append(self, head: CaseHead, drafts: Sequence[Draft], opened_position: int) -> tuple[Event, ...]:
        return self._append(head.id, head, drafts, opened_position)

    def by_key(self, key: str) -> tuple[CaseHead, int] | None:
        """The incident opened last under `key`, with its opening's position."""
        return self._one(_LINE.where(HEADS.c.key == key).order_by(HEADS.c.opened_position.desc()).limit(1))

    def by_id(self, incident: str) -> tuple[CaseHead, int] | None:
        return self._one(_LINE.where(HEADS.c.id == incident))

    def _one(self, query: Any) -> tuple[CaseHead, int] | None:
        row = self._connection.execute(query).one_or_none()
        return None if row is None else (head_of(row, self._shown), row.opened_position)

    def _next_id(self, origin: Origin) -> str:
        exercise = origin == "tabletop"
        self._counts[exercise] += 1
        return identity(origin, self._counts[exercise])

    def _append(
        self, incident: str, head: CaseHead | None, drafts: Sequence[Draft], opened_position: int
    ) -> tuple[Event, ...]:
        if any(isinstance(draft.payload, Opened) for draft in (drafts[1:] if head is None else drafts)):
            raise SreError(f"{incident}: is open already: an opening cannot be added to it")
        seq = 0 if head is None else head.events
        pairs = chained(drafts, incident=incident, seq=seq, after=self._end, recorded_at=self._now)
        if not pairs:
            return ()
        self._connection.execute(insert(EVENTS), [asdict(row) for row, _ in pairs])
        events = tuple(event for _, event in pairs)
        for one in events:
            head = advance(head, one)
        if head is not None:
            self._put(HEADS, ("id",), head_row(head, opened_position))
        for change in {e.payload.item: e.payload for e in events if isinstance(e.payload, ItemSet)}.values():
            self._put(ITEMS, ("incident", "item"), item_row(item_of(incident, change)))
        self._move_end(events[-1])
        return events

    def _put(self, table: Table, key: tuple[str, ...], values: dict[str, Any]) -> None:
        same = and_(*(table.c[name] == values[name] for name in key))
        if self._connection.execute(update(table).where(same).values(values)).rowcount == 0:
            self._connection.execute(insert(table).values(values))

    def _move_end(self, last: Event) -> None:
        self._end = Anchor(last.position, last.hash)
        end = {"position": last.position, "hash": last.hash}
        counts = {"incidents": self._counts[False], "exercises": self._counts[True]}
        self._connection.execute(update(CHAIN).where(CHAIN.c.id == 1).values({**end, **counts}))
