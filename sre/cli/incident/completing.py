"""Ids for the shell, read from a SQLite file straight away: loading SQLAlchemy would be felt at each press of Tab."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sre.errors import SreError
from sre.incidents.store import store_address
from sre.incidents.store.address import address_of

_MOST = 50


def ids_like(workspace: Path | None, given: str | None, incomplete: str) -> list[tuple[str, str]]:
    """(id, title) of the newest whose id begins so; of a server, or of what cannot be read, none."""
    try:
        path = address_of(store_address(workspace or Path(), given)).path
        if path is None or not path.is_file():
            return []
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=0.2)) as connection:
            query = "SELECT id, title FROM incident_heads WHERE id LIKE ? ORDER BY opened_position DESC LIMIT ?"
            return connection.execute(query, (f"{incomplete.upper()}%", _MOST)).fetchall()
    except (SreError, sqlite3.Error, OSError):
        return []
