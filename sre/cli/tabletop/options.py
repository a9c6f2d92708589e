"""What the verbs of `sre tabletop` share."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sre.incidents.case import Case
    from sre.incidents.store.model import IncidentStore
    from sre.tabletop.session import Played

FOLDER = "reports/tabletop"
Store = Annotated[
    str | None,
    typer.Option("--store", help="A file or URL; default: $SRE_INCIDENTS_URL, else incidents.sqlite of the workspace."),
]
Edited = Annotated[
    bool, typer.Option("--edited", help="Play a package that was changed after it was built; its hash is recorded.")
]
Package = Annotated[
    Path | None, typer.Option("--package", help="Folder of the package; default: where it was when the session began.")
]


def session_id(text: str) -> str:
    """`TTX-0001` of `1`, `ttx-1` or the like; anything else as it is, for the store to say that it is not there."""
    digits = text.upper().removeprefix("TTX-")
    return f"TTX-{int(digits):04d}" if digits.isdecimal() else text


def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Sessions with their titles for the shell. Never fails: a shell that completes shows no errors."""
    from sre.cli.incident.completing import ids_like

    found = ids_like(ctx.params.get("workspace"), ctx.params.get("store"), incomplete)
    return [(id_, title) for id_, title in found if id_.startswith("TTX-")]


@contextmanager
def opened(
    given: str | None, workspace: Path | None, *, read_only: bool = False, makes: bool = False
) -> Iterator[IncidentStore]:
    """The incident store, closed afterwards. Raises SreError where there is none, unless the verb `makes` one."""
    from sre.errors import SreError
    from sre.incidents.store import open_store, store_address
    from sre.incidents.store.address import address_of

    where = store_address(workspace or Path(), given)
    address = address_of(where)
    if not makes and address.path is not None and not address.path.exists():
        raise SreError(f"{address.shown}: there is no incident store yet: `sre tabletop run PACKAGE` makes it")
    store = open_store(where, read_only=read_only)
    try:
        yield store
    finally:
        store.close()


def played(folder: Path, *, edited: bool = False) -> Played:
    """The package in a folder. Raises BadDocument."""
    from sre.tabletop.package import read_package
    from sre.tabletop.session import Played

    exercise, sha256 = read_package(folder, edited=edited)
    return Played(exercise, str(folder.resolve()), sha256)


def played_of(case: Case, folder: Path | None) -> Played:
    """The package that a session began with; raises SreError when it is another one by now."""
    from sre.tabletop.session import check_same, package_of

    link = package_of(case)
    found = played(folder or Path(link.target), edited=True)
    check_same(case, found)
    return found


def who() -> str:
    """The name of whoever types: what the store keeps as the actor."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "facilitator"
