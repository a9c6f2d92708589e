"""Sends a schedule. Open loop: each request leaves at its time, however late the answers to earlier ones are. Closed
loop: so many clients, each sending the next request when its last one ended; it finds what a server can do at a given
concurrency, and says nothing about users, who do not wait for each other.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

from serving.loadgen.client import CompletionClient
from serving.loadgen.clock import Clock
from serving.loadgen.model import PlannedRequest, Progress, RequestRecord, Schedule
from serving.loadgen.prompts import prompt_text

_LEAD_S = 0.1
"""Between the start and time 0 of the schedule, so that a request at offset 0 is not late by set-up."""


class Loop(ABC):
    """Runs one schedule. `on_record` gets each record as its request finishes. Those below say when requests leave."""

    def __init__(self, client: CompletionClient, *, clock: Clock, on_record: Callable[[RequestRecord], None]) -> None:
        self._client = client
        self._clock = clock
        self._on_record = on_record
        self._tasks: list[asyncio.Task[None]] = []  # in the order sent, so that a cut is the same each time
        self._sent = 0
        self._records: list[RequestRecord] = []

    @property
    def records(self) -> tuple[RequestRecord, ...]:
        """Those finished so far, in the order they finished."""
        return tuple(self._records)

    def progress(self) -> Progress:
        finished = len(self._records)
        ok = sum(record.outcome == "ok" for record in self._records)
        cancelled = sum(record.outcome == "cancelled" for record in self._records)
        failed = finished - ok - cancelled
        return Progress(round(self._clock(), 3), self._sent, finished, ok, failed, self._sent - finished)

    async def run(self, schedule: Schedule, *, seed: int, stop: asyncio.Event) -> None:
        """Send everything, or until `stop` is set; then nothing is in flight any more."""
        await self._offer(schedule, seed=seed, stop=stop)
        await self._finish(stop)

    @abstractmethod
    async def _offer(self, schedule: Schedule, *, seed: int, stop: asyncio.Event) -> None:
        """Start tasks that send, each put into `self._tasks`."""

    async def _one(self, planned: PlannedRequest, body: bytes, scheduled_at: float) -> None:
        self._sent += 1
        record = await self._client.send(planned, body, scheduled_at=scheduled_at)
        self._records.append(record)
        self._on_record(record)

    async def _finish(self, stop: asyncio.Event) -> None:
        """Until the last answer; `stop` cuts that short. Any exception here is a fault of ours."""
        cutting = asyncio.create_task(self._cancel_when(stop))
        results = await asyncio.gather(*self._tasks, return_exceptions=True)
        cutting.cancel()
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _cancel_when(self, stop: asyncio.Event) -> None:
        await stop.wait()
        for task in self._tasks:
            task.cancel()


class OpenLoop(Loop):
    """Each request leaves at its `offset_s`."""

    async def _offer(self, schedule: Schedule, *, seed: int, stop: asyncio.Event) -> None:
        start = self._clock() + _LEAD_S
        for planned in schedule.requests:
            body = self._client.body(planned, prompt_text(planned, seed=seed))
            if await self._stopped_by(start + planned.offset_s, stop):
                break
            task = asyncio.create_task(self._one(planned, body, start + planned.offset_s))
            self._tasks.append(task)

    async def _stopped_by(self, at: float, stop: asyncio.Event) -> bool:
        """Waits until `at` on the clock; True at once when `stop` is set before. Yields even when `at` is past."""
        delay_s = at - self._clock()
        if delay_s <= 0:
            await asyncio.sleep(0)
            return stop.is_set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), delay_s)
        return stop.is_set()


class ClosedLoop(Loop):
    """`concurrency` clients, each with one request under way; none sends a new one `duration_s` after the start."""

    def __init__(
        self,
        client: CompletionClient,
        *,
        clock: Clock,
        on_record: Callable[[RequestRecord], None],
        concurrency: int,
        duration_s: float,
    ) -> None:
        super().__init__(client, clock=clock, on_record=on_record)
        self._concurrency = concurrency
        self._duration_s = duration_s

    async def _offer(self, schedule: Schedule, *, seed: int, stop: asyncio.Event) -> None:
        pending, until = iter(schedule.requests), self._clock() + self._duration_s
        for _ in range(min(self._concurrency, len(schedule.requests))):
            self._tasks.append(asyncio.create_task(self._serve(pending, seed, until, stop)))

    async def _serve(self, pending: Iterator[PlannedRequest], seed: int, until: float, stop: asyncio.Event) -> None:
        """One client. A request that fails at once must not let it spin: the others get their turn first."""
        while not stop.is_set() and self._clock() < until and (planned := next(pending, None)) is not None:
            body = self._client.body(planned, prompt_text(planned, seed=seed))
            await self._one(planned, body, self._clock())
            await asyncio.sleep(0)


async def tick(emit: Callable[[], None], *, every_s: float) -> None:
    """Calls `emit` at a fixed pace until cancelled."""
    while True:
        await asyncio.sleep(every_s)
        emit()
