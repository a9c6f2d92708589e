"""Where `serving`'s errors become ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from serving.errors import EnvironmentLacks as ServingLacks
from serving.errors import ServingError
from sre.errors import EnvironmentLacks, SreError


@contextmanager
def serving_errors_as_ours() -> Iterator[None]:
    """Errors of `serving` raised inside the block leave it as ours: same line, same exit code."""
    try:
        yield
    except ServingLacks as error:
        raise EnvironmentLacks(str(error)) from error
    except ServingError as error:
        raise SreError(str(error)) from error
