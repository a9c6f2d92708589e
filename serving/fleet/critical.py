"""Tasks without which the platform is not the one that was asked for: the end of one with an error ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from serving.errors import EnvironmentLacks, ServingError


class Critical:
    """Starts tasks and remembers the first error any of them ended with."""

    def __init__(self) -> None:
        self._failed = asyncio.Event()
        self._error: ServingError | None = None

    def start(self, work: Coroutine[Any, Any, None], *, name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._note)
        return task

    async def failure(self) -> None:
        """Wait for an error; never returns without one. `raise_failure` raises it."""
        await self._failed.wait()

    def raise_failure(self) -> None:
        if self._error is not None:
            raise self._error

    def _note(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is None or self._error is not None:
            return
        if isinstance(error, ServingError):
            self._error = error
        else:
            self._error = EnvironmentLacks(f"{task.get_name()} could not be supervised: {error}")
            self._error.__cause__ = error
        self._failed.set()
