"""What a store promises, whatever database it lies in. `open_store` (package) gives one; tests hold both to this."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from sre.incidents.case import Case, CaseHead, Item
from sre.incidents.events import Draft, Event, Origin, Status


@dataclass(frozen=True, slots=True)
class Anchor:
    """The chain's end at a moment: kept elsewhere (in a report's manifest), it proves later that nothing before it was
    changed or cut off.
    """

    position: int
    hash: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One break of the chain or difference of a list from its events; `position` 0 where it concerns no one event."""

    position: int
    incident: str
    text: str


@dataclass(frozen=True, slots=True)
class Verification:
    """What `verify` found; good when there is no problem."""

    events: int
    incidents: int
    head: Anchor | None
    problems: tuple[Problem, ...]


class IncidentStore(Protocol):
    """Append-only. Every write is one transaction, safe beside other processes; SreError with one line on failure."""

    def open(self, first: Draft, *more: Draft, once: bool = False) -> Case:
        """Open a new incident: `first.payload` is `Opened`. Its id is `INC-0001`, `TTX-0001` for a tabletop, counted
        without gaps. When `key` is not "" and one with it is not closed, that one gets `more` instead, and is returned.
        With `once`, the incident opened last under the key, closed or not, is returned as it is: nothing is written.
        """
        ...

    def append(self, incident: str, drafts: Sequence[Draft], *, after: int | None = None) -> tuple[Event, ...]:
        """Add events, all or none. Raises SreError naming the id when it is not there, and when `after` is given and
        the incident has not that many events (`CaseHead.events`): somebody else wrote since it was looked at.
        """
        ...

    def case(self, incident: str) -> Case:
        """Raises SreError, naming the nearest ids, when it is not there."""
        ...

    def cases(self, incidents: Sequence[str]) -> tuple[Case, ...]:
        """Many at once, in the order asked for, all of one state. Raises SreError when one is not there."""
        ...

    def heads(
        self,
        *,
        origins: Sequence[Origin] = (),
        statuses: Sequence[Status] = (),
        since: float | None = None,
        until: float | None = None,
    ) -> tuple[CaseHead, ...]:
        """Newest first; nothing named: all of them (tabletops only when `origins` names them)."""
        ...

    def by_key(self, key: str) -> CaseHead | None:
        """The incident opened last under `key`, open or not."""
        ...

    def items(self) -> tuple[Item, ...]:
        """Follow-up actions of all incidents and exercises, by due day."""
        ...

    def log(self) -> Iterator[Event]:
        """All events of the store, in the order of the chain."""
        ...

    def anchor(self) -> Anchor | None:
        """The end of the chain; None while the store is empty."""
        ...

    def verify(self, anchors: Sequence[Anchor] = ()) -> Verification:
        """Compute everything again: hashes, order, gaps, and that lists say what the events say."""
        ...

    def close(self) -> None: ...
