"""One replica's try at a job: its lease and its stream, and how a wait for the next piece is broken off.

A piece must cost little, so there is no timeout around each read. Whoever finds the replica lost (the watcher, a drain)
calls `Lease.lose`, which cancels the reading task; the cancellation is turned into the failure here, as
`asyncio.timeout` does with its own.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

from serving.gateway.errors import ReplicaFailed
from serving.gateway.model import Job, Piece, Resume
from serving.gateway.replica import Lease


class Attempt:
    """Takes over `lease`. Read until a piece carries `finish`, then `finish`; or `abandon` at any time.

    `stays(failure)` says of an operator's wish to move whether the job cannot follow it.
    """

    __slots__ = ("_clock", "_lost", "_reader", "_stays", "_stream", "lease")

    def __init__(
        self,
        lease: Lease,
        job: Job,
        resume: Resume | None,
        *,
        clock: Callable[[], float],
        stays: Callable[[ReplicaFailed], bool],
    ) -> None:
        self.lease = lease
        self._clock = clock
        self._stays = stays
        self._lost: ReplicaFailed | None = lease.lost
        self._reader: asyncio.Task[Any] | None = None
        lease.on_lost = self._lose
        if resume is not None:
            lease.prefill_tokens += resume.output_tokens
        self._stream = lease.replica.channel.start(job, resume)

    async def read(self) -> Piece:
        """The next piece. Raises JobRefused, DeadlinePassed or ReplicaFailed."""
        if self._lost is not None:
            raise self._lost
        lease = self.lease
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  for the type: a coroutine runs in a task
        cancelling = task.cancelling()
        self._reader = task
        lease.waiting = True
        try:
            piece = await self._stream.read(math.inf)
        except asyncio.CancelledError:
            if self._lost is None or task.uncancel() > cancelling:
                raise
            raise self._lost from None
        finally:
            lease.waiting = False
            self._reader = None
        lease.piece(self._clock())
        return piece

    def abandon(self) -> None:
        """Give the place back and stop the work on the replica."""
        self.lease.on_lost = None
        self.lease.release()
        self._stream.cancel()

    async def finish(self) -> None:
        """After the final piece: let the replica close the stream."""
        await self._stream.finish()

    def _lose(self, failure: ReplicaFailed) -> None:
        if self._lost is not None or self._stays(failure):
            return
        self._lost = failure
        if self._reader is not None:
            self._reader.cancel()
