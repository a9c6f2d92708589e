"""A store in a SQLite file. WAL lets readers read while one process writes; FULL puts each commit on the disk."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from sre.errors import SreError
from sre.incidents.store.database import LENIENT, WRITING, Database, first_line

BUSY_S = 30.0
_COPY = "keep a copy of the file and put your last good copy in its place, or name another file with --store"
_WORDS = {
    "SQLITE_NOTADB": f"is no SQLite database: {_COPY}",
    "SQLITE_CORRUPT": f"is damaged: {_COPY}; `sqlite3 FILE .recover` saves what can be read",
    "SQLITE_BUSY": f"another process has been writing to it for {BUSY_S:g} s: try again when that is done",
    "SQLITE_LOCKED": f"another process has been writing to it for {BUSY_S:g} s: try again when that is done",
    "SQLITE_READONLY": "cannot be written to: make the file and its folder writable for you, nothing was changed",
    "SQLITE_CANTOPEN": "cannot be opened: its folder must exist and you must be allowed to read and write there",
    "SQLITE_FULL": "the disk is full: make room and try again, nothing was changed",
    "SQLITE_IOERR": "the disk cannot be read or written: look at the system's log; nothing half-written counts",
}


def sqlite_database(path: Path, *, read_only: bool, shown: str) -> Database:
    """The file at `path`, made by the first transaction unless `read_only`."""
    if path.is_dir():
        raise SreError(f"{shown}: is a folder: give the path of a file, for example {path / 'incidents.sqlite'}")
    if read_only and not path.is_file():
        raise SreError(f"{shown}: there is no incident store: the first incident makes it")
    uri = _uri(path, read_only)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite+pysqlite://", creator=connect, poolclass=QueuePool)
    event.listen(engine, "connect", _set_up_reading if read_only else _set_up_writing)
    event.listen(engine, "begin", _begin)
    return Database(
        engine,
        shown,
        explain=lambda error: _explain(shown, error),
        lock=lambda connection: None,  # BEGIN IMMEDIATE has it
        read_only=read_only,
    )


def _uri(path: Path, read_only: bool) -> str:
    """A read-only file system cannot hold the index of the write-ahead log; without a log nobody writes: immutable."""
    where = path.absolute()
    if not read_only:
        return f"{where.as_uri()}?mode=rwc"
    return f"{where.as_uri()}?mode=ro" + ("" if _may_hold_a_log(where) else "&immutable=1")


def _may_hold_a_log(path: Path) -> bool:
    import os

    return path.with_name(path.name + "-wal").exists() or os.access(path.parent, os.W_OK)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")  # a tampered byte must reach `verify`, which finds it by its hash


def _set_up_reading(connection: sqlite3.Connection, _record: Any) -> None:
    connection.execute("PRAGMA trusted_schema = OFF")


def _set_up_writing(connection: sqlite3.Connection, _record: Any) -> None:
    for setting in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "trusted_schema = OFF"):
        connection.execute(f"PRAGMA {setting}")


def _begin(connection: Connection) -> None:
    """Writers queue at once: a reader that became a writer half-way could be refused after its work."""
    options = connection.get_execution_options()
    writes = options.get(WRITING, False)
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection):
        raw.text_factory = _text if options.get(LENIENT) else str
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _explain(shown: str, error: DBAPIError) -> SreError:
    name = getattr(error.orig, "sqlite_errorname", "")
    if "decode to UTF-8" in str(error.orig):
        return SreError(f"{shown}: holds text that is no UTF-8: see `sre incident verify`")
    words = next((words for code, words in _WORDS.items() if name.startswith(code)), None)
    return SreError(f"{shown}: {words or first_line(error)}")
