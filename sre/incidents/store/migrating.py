"""Brings a store's schema up to date when it is opened: in one transaction, one process at a time.

Alembic is asked only when something is to be done: a store that is up to date opens without importing it.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from sre.errors import SreError
from sre.incidents.store.database import Database
from sre.incidents.store.tables import METADATA, VERSION_TABLE

NEWEST = "0002"
SCRIPTS = Path(__file__).parent / "migrations"


def bring_up_to_date(database: Database) -> None:
    """Raises SreError, having changed nothing, on a newer store, half a store, or a database of something else."""
    with database.reading() as connection:
        found = version(connection, database.shown)
    if found == NEWEST:
        return
    if database.read_only:
        state = "is empty" if found is None else f"has schema {found}, this version reads {NEWEST}"
        raise SreError(f"{database.shown}: {state}: open it for writing once (`sre incident anchor`), which mends that")
    with database.writing() as connection:
        database.lock(connection)
        if version(connection, database.shown) != NEWEST:  # nobody else did it meanwhile
            upgrade(connection, "head")


def version(connection: Connection, shown: str) -> str | None:
    """The schema's version; None where there is no store yet."""
    present = set(inspect(connection).get_table_names())
    ours = set(METADATA.tables)
    if VERSION_TABLE not in present:
        if present & ours or (present and connection.dialect.name == "sqlite"):
            raise SreError(f"{shown}: is a database of something else: name another with --store")
        return None
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608 (our constant)
    if found is not None and (not str(found).isdigit() or int(found) > int(NEWEST)):
        raise SreError(
            f"{shown}: written by a newer version (schema {found}, this one knows {NEWEST}): upgrade llm-gameday"
        )
    missing = sorted(ours - present)
    if found is None or missing:
        what = f"{', '.join(missing)} missing" if missing else "no version"
        raise SreError(f"{shown}: half a store ({what}): keep a copy and put your last good copy in its place")
    return str(found)


def upgrade(connection: Connection, target: str) -> None:
    """Run the migrations up to `target` in the transaction of `connection`."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, target)
