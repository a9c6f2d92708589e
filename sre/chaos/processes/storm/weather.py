"""When the requests of a storm are sent: at a rate, however late the answers are, or again at once after a failure."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from sre.chaos.processes.storm.client import Ending
from sre.chaos.processes.storm.model import Counts, StormPlan

MOST_INFLIGHT = 2000
RETRY_FLOOR_S = 0.01
"""Nobody repeats faster: a connection that is refused at once would otherwise only burn this machine's CPU."""
Send = Callable[[int], Awaitable[Ending]]


async def at_rate(rate_rps: float, send: Send, counts: Counts, *, seed: int) -> None:
    """Open loop with Poisson gaps; goes on until it is cancelled, then nothing of it is under way any more."""
    draw, loop, number = random.Random(f"{seed}/storm"), asyncio.get_running_loop(), 0  # noqa: S311  (a workload)
    at = loop.time()
    async with asyncio.TaskGroup() as tasks:
        while True:
            at += draw.expovariate(rate_rps)
            await asyncio.sleep(max(0.0, at - loop.time()))
            if counts.inflight >= MOST_INFLIGHT:
                counts.skipped += 1
                continue
            tasks.create_task(_sent(send, number))
            number += 1


async def _sent(send: Send, number: int) -> None:
    await send(number)


async def by_clients(plan: StormPlan, send: Send, counts: Counts) -> None:
    """`clients` side by side; each repeats a failed request at once, up to `attempts` times, and pauses between
    requests. Goes on until it is cancelled."""
    draw = random.Random(f"{plan.seed}/storm")  # noqa: S311
    async with asyncio.TaskGroup() as tasks:
        for client in range(plan.clients):
            tasks.create_task(_insist(client, draw.uniform(0.0, plan.pause_s), plan, send, counts))


async def _insist(client: int, offset_s: float, plan: StormPlan, send: Send, counts: Counts) -> None:
    await asyncio.sleep(offset_s)
    number = client
    while True:
        for attempt in range(plan.attempts):
            if attempt:
                counts.retries += 1
                await asyncio.sleep(RETRY_FLOOR_S)
            if await send(number) == "ok":
                break
        await asyncio.sleep(plan.pause_s)
        number += plan.clients
