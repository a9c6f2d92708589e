"""Where `serving`'s errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from serving.errors import BadInput, ServingError
from serving.errors import EnvironmentLacks as ServingLacks
from sre.errors import BadDocument, EnvironmentLacks, SreError


@contextmanager
def serving_errors_as_ours() -> Iterator[None]:
    """Errors of `serving` raised inside the block leave it as ours: same line, same exit code."""
    try:
        yield
    except ServingLacks as error:
        raise EnvironmentLacks(str(error)) from error
    except ServingError as error:
        raise SreError(str(error)) from error


@contextmanager
def faults_one_by_one() -> Iterator[None]:
    """As `serving_errors_as_ours`, and a bad document is told line by line."""
    try:
        with serving_errors_as_ours():
            yield
    except SreError as error:
        if isinstance(error.__cause__, BadInput):
            raise BadDocument(str(error).splitlines()) from error
        raise
