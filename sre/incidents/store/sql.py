"""The store over a database: what `sre.incidents.store.model.IncidentStore` promises."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Connection, select

from sre.errors import SreError
from sre.incidents.case import Case, CaseHead, Item, fold
from sre.incidents.events import Draft, Event, Opened, Origin, Status
from sre.incidents.payloads import keepable
from sre.incidents.store.chain import Row, event_of, events_of
from sre.incidents.store.database import Database
from sre.incidents.store.model import Anchor, Verification
from sre.incidents.store.projection import HEAD_COLUMNS, by_due, head_of, item_of_row
from sre.incidents.store.tables import CHAIN, EVENTS, HEADS, ITEMS
from sre.incidents.store.writing import Writing

_PAGE, _BATCH = 1000, 500
_ORIGINS: tuple[Origin, ...] = ("drill", "alertmanager", "manual")


class SqlStore:
    """`clock` dates what is written down."""

    def __init__(self, database: Database, clock: Callable[[], float]) -> None:
        self._database = database
        self._clock = clock

    def open(self, first: Draft, *more: Draft, once: bool = False) -> Case:
        key = keepable(first.payload.key) if isinstance(first.payload, Opened) else ""
        with self._database.writing() as connection:
            writing = Writing(connection, self._database.shown, self._clock())
            known = writing.by_key(key) if key else None
            if known is not None and once:
                return self._case(connection, known[0].id)
            if known is not None and known[0].status != "closed":
                writing.append(known[0], more, known[1])
                return self._case(connection, known[0].id)
            return self._case(connection, writing.open((first, *more)))

    def append(self, incident: str, drafts: Sequence[Draft], *, after: int | None = None) -> tuple[Event, ...]:
        with self._database.writing() as connection:
            writing = Writing(connection, self._database.shown, self._clock())
            known = writing.by_id(incident)
            if known is None:
                raise self._unknown(connection, incident)
            if after is not None and known[0].events != after:
                raise SreError(f"{incident}: somebody else wrote to it just now: look at it again, then repeat")
            return writing.append(known[0], drafts, known[1])

    def case(self, incident: str) -> Case:
        with self._database.reading() as connection:
            return self._case(connection, incident)

    def cases(self, incidents: Sequence[str]) -> tuple[Case, ...]:
        found: dict[str, list[Row]] = {incident: [] for incident in incidents}
        with self._database.reading() as connection:
            for begin in range(0, len(found), _BATCH):
                some = list(found)[begin : begin + _BATCH]
                query = select(EVENTS).where(EVENTS.c.incident.in_(some)).order_by(EVENTS.c.incident, EVENTS.c.seq)
                for row in connection.execute(query):
                    found[row.incident].append(Row(*row))
            return tuple(self._folded(connection, incident, found[incident]) for incident in incidents)

    def heads(
        self,
        *,
        origins: Sequence[Origin] = (),
        statuses: Sequence[Status] = (),
        since: float | None = None,
        until: float | None = None,
    ) -> tuple[CaseHead, ...]:
        query = select(*HEAD_COLUMNS).where(HEADS.c.origin.in_(origins or _ORIGINS))
        if statuses:
            query = query.where(HEADS.c.status.in_(statuses))
        if since is not None:
            query = query.where(HEADS.c.opened_at >= since)
        if until is not None:
            query = query.where(HEADS.c.opened_at < until)
        query = query.order_by(HEADS.c.opened_at.desc(), HEADS.c.opened_position.desc())
        with self._database.reading() as connection:
            rows = connection.execute(query).all()
        return tuple(head_of(row, self._database.shown) for row in rows)

    def by_key(self, key: str) -> CaseHead | None:
        query = select(*HEAD_COLUMNS).where(HEADS.c.key == keepable(key))
        with self._database.reading() as connection:
            row = connection.execute(query.order_by(HEADS.c.opened_position.desc()).limit(1)).one_or_none()
        return None if row is None else head_of(row, self._database.shown)

    def items(self) -> tuple[Item, ...]:
        with self._database.reading() as connection:
            rows = connection.execute(select(ITEMS)).mappings().all()
        return tuple(sorted((item_of_row(row, self._database.shown) for row in rows), key=by_due))

    def log(self) -> Iterator[Event]:
        """In pages, each read on its own: what is added meanwhile comes last, and a slow reader holds nothing up."""
        position = 0
        while True:
            query = select(EVENTS).where(EVENTS.c.position > position).order_by(EVENTS.c.position).limit(_PAGE)
            with self._database.reading() as connection:
                page = [Row(*row) for row in connection.execute(query)]
            for row in page:
                yield event_of(row)
            if not page:
                return
            position = page[-1].position

    def anchor(self) -> Anchor | None:
        with self._database.reading() as connection:
            end = connection.execute(select(CHAIN.c.position, CHAIN.c.hash)).one_or_none()
        return None if end is None or end.position == 0 else Anchor(end.position, end.hash)

    def verify(self, anchors: Sequence[Anchor] = ()) -> Verification:
        from sre.incidents.store.verifying import verify

        with self._database.reading(lenient=True) as connection:
            return verify(connection, anchors)

    def close(self) -> None:
        self._database.close()

    def _case(self, connection: Connection, incident: str) -> Case:
        query = select(EVENTS).where(EVENTS.c.incident == incident).order_by(EVENTS.c.seq)
        return self._folded(connection, incident, [Row(*row) for row in connection.execute(query)])

    def _folded(self, connection: Connection, incident: str, rows: Sequence[Row]) -> Case:
        if not rows:
            raise self._unknown(connection, incident)
        try:
            return fold(events_of(rows))
        except ValueError as error:
            raise SreError(f"{self._database.shown}: {error}: see `sre incident verify`") from error

    def _unknown(self, connection: Connection, incident: str) -> SreError:
        known = connection.execute(select(HEADS.c.id).order_by(HEADS.c.opened_position.desc())).scalars().all()
        near = difflib.get_close_matches(incident, known, n=3, cutoff=0.5) or known[:3]
        hint = f"the nearest are {', '.join(near)}" if near else "there is none yet"
        return SreError(
            f"no incident {keepable(incident)[:40]!r} in {self._database.shown}: {hint}; see `sre incident list`"
        )
