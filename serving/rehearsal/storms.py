"""Clients beside the drill's load: more of them, ones that hang up, ones that repeat every failure at once.

They behave as the storms of a real drill do (docs/chaos.md): each request over a connection of its own, in an open
loop at a rate, or so many clients that wait for nobody's advice.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Coroutine
from typing import Any, Literal

import aiohttp

from serving.rehearsal.exchange import Response, VirtualSession
from serving.rehearsal.model import Offer, OfferCounts

Ending = Literal["ok", "rejected", "denied", "invalid", "failed", "timeout", "hung_up"]
_MOST_INFLIGHT = 2000
_RETRY_FLOOR_S = 0.01
_MEASURE_S = 4.0
_TAIL_BYTES = 64
_WORDS = "the of and to in is that for it as was with be by on not he his but at are this have from or had an they"


class Storm:
    """One offer under way (`model.Offered`). `finished` counts the requests that the gateway has finished."""

    def __init__(self, offer: Offer, session: VirtualSession, finished: Callable[[], float]) -> None:
        self.counts = OfferCounts(rate_rps=offer.rate_rps)
        self._offer = offer
        self._session = session
        self._finished = finished
        self._loop = asyncio.get_running_loop()
        self._random = random.Random(f"{offer.seed}/storm")  # noqa: S311  (a workload, not a secret)
        self._tasks: dict[asyncio.Task[Any], None] = {}  # in order, so that an end is the same each time
        self._task = self._spawn(self._blow())

    def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=f"offer {self._offer.kind}")
        self._tasks[task] = None
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[Any]) -> None:
        del self._tasks[task]
        if not task.cancelled():
            task.result()

    async def _blow(self) -> None:
        if self._offer.kind == "retry":
            await self._by_clients()
            return
        if self.counts.rate_rps is None:
            self.counts.rate_rps = await self._extra_rps()
        if self.counts.rate_rps:
            await self._at_rate(self.counts.rate_rps)

    async def _extra_rps(self) -> float | None:
        """What makes the present traffic `factor` times as much."""
        before = self._finished()
        await asyncio.sleep(_MEASURE_S)
        present = (self._finished() - before) / _MEASURE_S
        if present <= 0:
            self.counts.note = "there is no traffic to multiply: give rate_rps instead of factor"
            return None
        return present * ((self._offer.factor or 1.0) - 1.0)

    async def _at_rate(self, rate_rps: float) -> None:
        at, number = self._loop.time(), 0
        while True:
            at += self._random.expovariate(rate_rps)
            await asyncio.sleep(max(0.0, at - self._loop.time()))
            if self.counts.inflight >= _MOST_INFLIGHT:
                self.counts.skipped += 1
                continue
            self._spawn(self._request(number))
            number += 1

    async def _by_clients(self) -> None:
        for client in range(self._offer.clients):
            self._spawn(self._insist(client, self._random.uniform(0.0, self._offer.pause_s)))

    async def _insist(self, number: int, offset_s: float) -> None:
        offer = self._offer
        await asyncio.sleep(offset_s)
        while True:
            for attempt in range(offer.attempts):
                if attempt:
                    self.counts.retries += 1
                    await asyncio.sleep(_RETRY_FLOOR_S)
                if await self._request(number) == "ok":
                    break
            await asyncio.sleep(offer.pause_s)
            number += offer.clients

    async def _request(self, number: int) -> Ending:
        counts = self.counts
        counts.sent += 1
        counts.inflight += 1
        ending: Ending
        try:
            async with asyncio.timeout(self._offer.timeout_s):
                ending = await self._exchange(number)
        except TimeoutError:
            ending = "timeout"
        except (aiohttp.ClientError, OSError):
            ending = "failed"
        finally:
            counts.inflight -= 1
        setattr(counts, ending, getattr(counts, ending) + 1)
        return ending

    async def _exchange(self, number: int) -> Ending:
        body = completion(
            f"storm{self._offer.seed}n{number}", self._offer.prompt_tokens, max_tokens=self._offer.output_tokens
        )
        async with self._session.post("", data=body) as response:
            if response.status != 200:
                return _refusal(response.status)
            if self._offer.kind == "hang-up":
                return "hung_up" if await response.content.readany() else "failed"
            return "ok" if await _ends_well(response) else "failed"


async def _ends_well(response: Response) -> bool:
    tail = b""
    while chunk := await response.content.readany():
        tail = (tail + chunk)[-_TAIL_BYTES:]
    return b"[DONE]" in tail


def _refusal(status: int) -> Ending:
    if status == 429:
        return "rejected"
    if status in (401, 403):
        return "denied"
    return "invalid" if 400 <= status < 500 else "failed"


def completion(first_word: str, prompt_tokens: int, *, max_tokens: int) -> bytes:
    """A streamed request whose prompt shares no prefix with another's."""
    words = _WORDS.split()
    prompt = " ".join([first_word, *(words[i % len(words)] for i in range(prompt_tokens - 1))])
    return json.dumps(
        {"model": "llm", "prompt": prompt, "max_tokens": max_tokens, "ignore_eos": True, "stream": True}
    ).encode()
