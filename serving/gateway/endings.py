"""Work that is over for its client and still has to end properly."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Endings:
    """Each is bounded in time by itself."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def see_out(self, ending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(ending, name="see out")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def all(self) -> None:
        """Wait until none is left."""
        if self._tasks:
            await asyncio.wait(self._tasks)
