"""The store that a verb works on, closed when it is done."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sre.errors import SreError
from sre.incidents.case import Case
from sre.incidents.events import Draft
from sre.incidents.store import open_store, store_address
from sre.incidents.store.address import address_of
from sre.incidents.store.model import IncidentStore


@contextmanager
def store_to_write(workspace: Path, given: str | None) -> Iterator[IncidentStore]:
    """Made when it is not there."""
    opened = open_store(store_address(workspace, given))
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def store_to_read(workspace: Path, given: str | None) -> Iterator[IncidentStore | None]:
    """None where there is no store yet: reading makes none. One that may not be written to is read all the same."""
    where = store_address(workspace, given)
    path = address_of(where).path
    if path is not None and not path.exists():
        yield None
        return
    writable = path is None or (os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK))
    opened = open_store(where, read_only=not writable)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def store_there(workspace: Path, given: str | None) -> Iterator[IncidentStore]:
    """The store to read; raises SreError where there is none."""
    with store_to_read(workspace, given) as opened:
        if opened is None:
            shown = address_of(store_address(workspace, given)).shown
            raise SreError(
                f"{shown}: there is no incident store yet: a drill, `sre serve` or `sre incident open` makes it"
            )
        yield opened


def add(store: IncidentStore, case: Case, drafts: Sequence[Draft]) -> Case:
    """The case with `drafts` added; raises SreError when somebody else wrote since it was looked at."""
    store.append(case.head.id, drafts, after=case.head.events)
    return store.case(case.head.id)
