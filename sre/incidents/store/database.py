"""One database behind a store: transactions to read and to write in, and its faults in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sre.errors import SreError

WRITING = "sre_writing"
"""Execution option of a transaction that will write."""
LENIENT = "sre_lenient"
"""Execution option of one that must read on where text is damaged."""


@dataclass(frozen=True, slots=True)
class Database:
    """`shown` names it without secrets. `explain` says what a fault means and how to mend it, `lock` keeps other
    upgraders out until the transaction ends, `snapshot` is the isolation in which a reader sees one state.
    """

    engine: Engine
    shown: str
    explain: Callable[[DBAPIError], SreError]
    lock: Callable[[Connection], None]
    snapshot: str | None = None
    read_only: bool = False

    @contextmanager
    def reading(self, *, lenient: bool = False) -> Iterator[Connection]:
        """One state of the whole store, however many statements read it. `lenient`: also text that is none."""
        with self._explained(), self.engine.connect() as connection:
            connection = connection.execution_options(**{LENIENT: lenient})
            if self.snapshot is not None:
                connection = connection.execution_options(isolation_level=self.snapshot)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """All or nothing; committed when the block ends."""
        if self.read_only:
            raise SreError(f"{self.shown}: opened for reading only: nothing can be written to it")
        with self._explained(), self.engine.connect() as connection:
            connection = connection.execution_options(**{WRITING: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            raise self.explain(error) from error
        except SQLAlchemyError as error:
            raise SreError(f"{self.shown}: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """What a driver says, in one line and without the statement and its values."""
    said = getattr(error, "orig", None) or error
    return (str(said).strip() or type(said).__name__).splitlines()[0]
