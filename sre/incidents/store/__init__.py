"""The incident store: SQLite in a file by default, PostgreSQL by URL.

Whatever it lies in, it is opened with `open_store`; where it lies by default, `store_address` says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from sre.incidents.store.address import STORE_FILE, STORE_VARIABLE, address_of, store_address
from sre.incidents.store.model import IncidentStore

__all__ = ["STORE_FILE", "STORE_VARIABLE", "open_store", "store_address"]


def open_store(where: str | Path, *, read_only: bool = False, clock: Callable[[], float] = time.time) -> IncidentStore:
    """The store at a path, `sqlite:///path` or `postgresql://user@host/name`; made or upgraded unless `read_only`.

    The password of a URL comes from it, PGPASSWORD or ~/.pgpass. `clock` dates what is written. Close it after use.
    Raises SreError with one line on what cannot be opened, EnvironmentLacks when server or driver are missing.
    """
    from sre.incidents.store.migrating import bring_up_to_date
    from sre.incidents.store.sql import SqlStore

    address = address_of(where)
    if address.path is not None:
        from sre.incidents.store.sqlite import sqlite_database

        database = sqlite_database(address.path, read_only=read_only, shown=address.shown)
    else:
        from sre.incidents.store.postgres import postgres_database

        database = postgres_database(address.url, read_only=read_only, shown=address.shown)
    try:
        bring_up_to_date(database)
    except BaseException:
        database.close()
        raise
    return SqlStore(database, clock)
