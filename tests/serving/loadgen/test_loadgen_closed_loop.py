"""The closed loop: so many under way and no more, the next when one ended, to the end or until it is stopped."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import cast

from serving.loadgen.client import CompletionClient
from serving.loadgen.model import PlannedRequest, RequestRecord, Schedule
from serving.loadgen.runner import ClosedLoop


@dataclass
class FakeClient:
    """Answers after two turns of the event loop; notes how many were under way at once. Time is what was served."""

    now: float = 0.0
    under_way: int = 0
    most: int = 0
    order: list[int] = field(default_factory=list)

    def clock(self) -> float:
        return self.now

    def body(self, planned: PlannedRequest, prompt: str) -> bytes:
        return prompt.encode()

    async def send(self, planned: PlannedRequest, body: bytes, *, scheduled_at: float) -> RequestRecord:
        self.order.append(planned.index)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        outcome = "ok"
        try:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            outcome = "cancelled"
        self.under_way -= 1
        self.now += 1.0
        fields = (planned.prompt_tokens, planned.max_tokens, 1, None, outcome, 200, None, "length", ())
        return RequestRecord(planned.id, scheduled_at, scheduled_at, None, None, self.now, *fields)  # type: ignore[arg-type]


async def played(n: int, *, concurrency: int, duration_s: float = 1e9, stopped: bool = False) -> FakeClient:
    fake, stop = FakeClient(), asyncio.Event()
    requests = tuple(PlannedRequest(index, 0.0, 3, 2) for index in range(n))
    loop = ClosedLoop(
        cast(CompletionClient, fake),
        clock=fake.clock,
        on_record=lambda record: None,
        concurrency=concurrency,
        duration_s=duration_s,
    )
    if stopped:
        asyncio.get_running_loop().call_soon(stop.set)
    await loop.run(Schedule("test", 0.0, requests), seed=1, stop=stop)
    assert fake.under_way == 0
    assert len(loop.records) == len(fake.order)
    return fake


async def test_every_request_is_sent_once_in_order_and_never_more_than_the_clients_there_are() -> None:
    fake = await played(20, concurrency=4)
    assert fake.order == list(range(20))
    assert fake.most == 4


async def test_more_clients_than_requests_need_no_idle_ones() -> None:
    assert (await played(3, concurrency=64)).most == 3


async def test_none_is_sent_after_the_duration() -> None:
    fake = await played(100, concurrency=2, duration_s=10.0)
    assert 10 <= len(fake.order) <= 12


async def test_a_stop_ends_it_and_leaves_nothing_under_way() -> None:
    assert len((await played(1000, concurrency=4, stopped=True)).order) < 20
