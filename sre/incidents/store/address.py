"""Where a store lies: a file, or a PostgreSQL URL. A password never gets into a message."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sre.errors import SreError

STORE_FILE = "incidents.sqlite"
STORE_VARIABLE = "SRE_INCIDENTS_URL"
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_SECRET = ("password", "sslpassword", "passfile")


@dataclass(frozen=True, slots=True)
class Address:
    """`path` for SQLite, else `url` for PostgreSQL as it is dialled; `shown` is what people may see of it."""

    shown: str
    path: Path | None = None
    url: str = field(default="", repr=False)


def store_address(workspace: Path, given: str | None = None, environ: Mapping[str, str] = os.environ) -> str:
    """What `open_store` takes: what was given, else $SRE_INCIDENTS_URL, else `incidents.sqlite` of the workspace."""
    return given or environ.get(STORE_VARIABLE) or str(workspace / STORE_FILE)


def address_of(where: str | Path) -> Address:
    """Raises SreError on a URL of another kind."""
    text = str(where)
    if not isinstance(where, str) or "://" not in text:
        return _file(text)
    scheme, _, rest = text.partition("://")
    if scheme == "sqlite":
        return _file(rest.removeprefix("/"))
    if scheme in _POSTGRES:
        return _postgres(scheme, text)
    raise SreError(f"{scheme}://... is no incident store: give sqlite:///file, postgresql://user@host/name, or a path")


def _file(name: str) -> Address:
    if not name or name == ":memory:":
        raise SreError("an incident store is kept in a file: give its path, for example incidents.sqlite")
    return Address(shown=name, path=Path(name))


def _postgres(scheme: str, text: str) -> Address:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(text.replace(scheme, "postgresql+psycopg", 1))
    except (ArgumentError, ValueError):  # their message repeats the URL, with its password
        raise SreError("the store's URL cannot be read: write postgresql://user@host:5432/name") from None
    seen = url.difference_update_query(_SECRET).set(drivername="postgresql", password=None)
    return Address(shown=seen.render_as_string(hide_password=True), url=url.render_as_string(hide_password=False))
