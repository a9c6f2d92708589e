"""A store in PostgreSQL. The password comes from the URL, PGPASSWORD or ~/.pgpass, and goes into no message."""

from __future__ import annotations

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from sre.errors import EnvironmentLacks, SreError
from sre.incidents.store.database import Database, first_line

CONNECT_S, LOCK_S, IDLE_S = 10, 30, 60
_UPGRADE_LOCK = 7_236_091_244
"""Any number of our own: PostgreSQL's advisory locks are told apart by it."""
_STATES = {
    "42501": "this user may not do that here: grant it the store's tables, or connect as their owner",
    "55P03": f"another process has been writing for {LOCK_S} s: try again when that is done",
    "53100": "the server's disk is full: make room and try again, nothing was changed",
    "25006": "the server is read-only (a standby?): write to the primary",
}


def postgres_database(url: str, *, read_only: bool, shown: str) -> Database:
    """Raises EnvironmentLacks when the driver is missing."""
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise EnvironmentLacks(
            f"{shown}: psycopg, the driver of PostgreSQL, is missing: pip install 'llm-gameday[postgres]'"
        ) from error
    limits = f"-c lock_timeout={LOCK_S}s -c idle_in_transaction_session_timeout={IDLE_S}s"
    if read_only:
        limits += " -c default_transaction_read_only=on"
    options: dict[str, str | int] = {
        "connect_timeout": CONNECT_S,
        "application_name": "llm-gameday",
        "client_encoding": "utf8",
    }
    engine = create_engine(url, pool_pre_ping=True, pool_size=2, connect_args=_with_options(url, options, limits))
    return Database(
        engine,
        shown,
        explain=lambda error: _explain(shown, error),
        lock=lambda connection: _prepare(connection, shown),
        snapshot="REPEATABLE READ",
        read_only=read_only,
    )


def _with_options(url: str, options: dict[str, str | int], limits: str) -> dict[str, str | int]:
    """Our limits beside the `options` of the URL (a search path), which connect arguments would replace."""
    from sqlalchemy.engine import make_url

    own = make_url(url).query.get("options", "")
    return {**options, "options": f"{limits} {own if isinstance(own, str) else ' '.join(own)}".strip()}


def _prepare(connection: Connection, shown: str) -> None:
    """Before the tables are made or changed: nobody else does, and the database can hold every letter."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _UPGRADE_LOCK})
    encoding = connection.execute(text("SHOW server_encoding")).scalar()
    if encoding != "UTF8":
        raise SreError(f"{shown}: keeps text as {encoding}: make the database with ENCODING 'UTF8'")


def _explain(shown: str, error: DBAPIError) -> SreError:
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(error, OperationalError) and (state is None or state.startswith(("08", "28", "57P", "3D"))):
        return EnvironmentLacks(
            f"{shown}: no connection ({first_line(error)}): start the server, or mend host, user, database, PGPASSWORD"
        )
    return SreError(f"{shown}: {_STATES.get(state or '') or first_line(error)}")
