"""Everything computed again: what one event cannot say of itself, its neighbours, the lists and the anchors say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table, select, text

from sre.errors import SreError
from sre.incidents.case import CaseHead, Item, advance, item_of
from sre.incidents.events import Event, ItemSet
from sre.incidents.store.chain import GENESIS, Row, event_of, hash_of
from sre.incidents.store.model import Anchor, Problem, Verification
from sre.incidents.store.projection import head_row, identity, item_row
from sre.incidents.store.tables import CHAIN, EVENTS, HEADS, ITEMS

GUARDS = frozenset(
    {"incident_events_no_update", "incident_events_no_delete", "incident_chain_forward", "incident_chain_no_delete"}
)
Expected = Mapping[tuple[str, ...], Mapping[str, Any]]
_MOST = 1000
"""Problems told in full: a store that was cut up needs no more to be disbelieved."""


def verify(connection: Connection, anchors: Sequence[Anchor]) -> Verification:
    """Read every event once, in the order of the chain, then the lists."""
    walk = Walk(anchors)
    rows = connection.execution_options(yield_per=2000).execute(select(EVENTS).order_by(EVENTS.c.position))
    found = list(chain.from_iterable(walk.step(Row(*row)) for row in rows))
    expected: Expected = {(name,): head_row(head, walk.opened[name]) for name, head in walk.heads.items()}
    items: Expected = {key: item_row(item) for key, item in walk.items.items()}
    found += chain(
        walk.unreached(),
        _end(connection, walk),
        _listed(connection, HEADS, ("id",), expected),
        _listed(connection, ITEMS, ("incident", "item"), items),
        _guards(connection),
        _pages(connection),
    )
    return Verification(walk.count, len(walk.heads), None if walk.end == GENESIS else walk.end, tuple(found[:_MOST]))


class Walk:
    """Steps through the events. One break is one problem: after it the stored hash is taken as it stands."""

    def __init__(self, anchors: Sequence[Anchor]) -> None:
        self.end = GENESIS
        self.count = 0
        self.heads: dict[str, CaseHead] = {}
        self.opened: dict[str, int] = {}
        self.items: dict[tuple[str, str], Item] = {}
        self.counts = {False: 0, True: 0}
        self._anchors = sorted(anchors, key=lambda anchor: anchor.position)

    def step(self, row: Row) -> Iterator[Problem]:
        self.count += 1
        yield from self._linked(row)
        yield from self._anchored(row)
        self.end = Anchor(row.position, row.hash)
        try:
            self._take(event_of(row))
        except (SreError, ValueError) as error:
            yield Problem(row.position, row.incident, str(error))

    def unreached(self) -> Iterator[Problem]:
        """Anchors behind the end: what they were taken of is gone."""
        for anchor in self._anchors:
            text = f"the anchor says there was an event {anchor.position}, the store ends at {self.end.position}"
            yield Problem(anchor.position, "", text)

    def _linked(self, row: Row) -> Iterator[Problem]:
        if row.position != self.end.position + 1:
            yield Problem(
                row.position, row.incident, f"events {self.end.position + 1} to {row.position - 1} are missing"
            )
        elif row.previous != self.end.hash:
            yield Problem(row.position, row.incident, "does not follow the event before it: one was changed or put in")
        if not _holds(row):
            yield Problem(row.position, row.incident, "was changed: its hash does not fit what it says")

    def _anchored(self, row: Row) -> Iterator[Problem]:
        while self._anchors and self._anchors[0].position <= row.position:
            anchor = self._anchors.pop(0)
            if anchor != Anchor(row.position, row.hash):
                yield Problem(anchor.position, row.incident, "is not the event that the anchor was taken of")

    def _take(self, event: Event) -> None:
        known = self.heads.get(event.incident)
        head = advance(known, event)
        if known is None:
            exercise = head.origin == "tabletop"
            self.counts[exercise] += 1
            self.opened[head.id] = event.position
            expected = identity(head.origin, self.counts[exercise])
            if head.id != expected:
                self.heads[head.id] = head
                raise ValueError(f"opens {head.id} where {expected} comes next")
        self.heads[head.id] = head
        if isinstance(event.payload, ItemSet):
            self.items[head.id, event.payload.item] = item_of(head.id, event.payload)


def _holds(row: Row) -> bool:
    try:
        return row.hash == hash_of(row)
    except (TypeError, ValueError):
        return False


def _end(connection: Connection, walk: Walk) -> Iterator[Problem]:
    rows = connection.execute(select(CHAIN)).mappings().all()
    if len(rows) != 1:
        yield Problem(0, "", "the row of the chain's end is gone")
        return
    end = rows[0]
    if (end["position"], end["hash"]) != (walk.end.position, walk.end.hash):
        text = f"the chain ended at event {end['position']}, the events end at {walk.end.position}"
        yield Problem(walk.end.position, "", text)
    if (end["incidents"], end["exercises"]) != (walk.counts[False], walk.counts[True]):
        text = (
            f"{end['incidents']} incidents and {end['exercises']} exercises were opened, "
            f"the events open {walk.counts[False]} and {walk.counts[True]}"
        )
        yield Problem(0, "", text)


def _listed(connection: Connection, table: Table, key: tuple[str, ...], expected: Expected) -> Iterator[Problem]:
    found = {tuple(row[name] for name in key): dict(row) for row in connection.execute(select(table)).mappings()}
    for missing in expected.keys() - found.keys():
        yield Problem(0, str(missing[0]), f"{' '.join(map(str, missing))} is in the events and not in the list")
    for one, row in found.items():
        events = expected.get(one)
        if events is None:
            yield Problem(0, str(one[0]), f"{' '.join(map(str, one))} is in the list and not in the events")
            continue
        for name in events:
            if row[name] != events[name]:
                yield Problem(
                    0, str(one[0]), f"the list says {name} {row[name]!r:.60}, the events {events[name]!r:.60}"
                )


def _guards(connection: Connection) -> Iterator[Problem]:
    """The triggers without which the database lets anybody change events."""
    if connection.dialect.name == "postgresql":
        query = "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    for name in sorted(GUARDS - set(connection.execute(text(query)).scalars())):
        yield Problem(0, "", f"the trigger {name} is gone or off: the database no longer refuses changes")


def _pages(connection: Connection) -> Iterator[Problem]:
    """Damage of a SQLite file that no query has touched."""
    if connection.dialect.name != "sqlite":
        return
    for said in connection.execute(text("PRAGMA integrity_check(10)")).scalars():
        if said != "ok":
            yield Problem(0, "", f"the file is damaged: {said.splitlines()[0]}")
