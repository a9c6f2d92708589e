"""One request of a storm, and how it ended."""

from __future__ import annotations

import asyncio
import json
from typing import Literal

import aiohttp

from sre.chaos.processes.storm.model import Counts, StormPlan

Ending = Literal["ok", "rejected", "denied", "invalid", "failed", "timeout", "hung_up"]
_WORDS = "the of and to in is that for it as was with be by on not he his but at are this have from or had an they"


class StormClient:
    """Sends requests over one session and counts them. The caller closes `session`."""

    def __init__(self, session: aiohttp.ClientSession, plan: StormPlan, counts: Counts) -> None:
        self._session = session
        self._plan = plan
        self._counts = counts
        self._url = f"{plan.url}/v1/completions"

    async def request(self, number: int) -> Ending:
        """Send request `number` and see it to its end, or to the storm's timeout."""
        counts = self._counts
        counts.sent += 1
        counts.inflight += 1
        try:
            async with asyncio.timeout(self._plan.timeout_s):
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
        async with self._session.post(self._url, data=self._body(number), allow_redirects=False) as response:
            if response.status != 200:
                await response.read()
                return _refusal(response.status)
            if self._plan.kind == "hang-up":
                return await _hang_up(response)
            return await _read(response)

    def _body(self, number: int) -> bytes:
        fields = {
            "model": self._plan.model,
            "prompt": prompt(number, tokens=self._plan.prompt_tokens, seed=self._plan.seed),
            "max_tokens": self._plan.output_tokens,
            "ignore_eos": True,
            "stream": True,
        }
        return json.dumps(fields).encode()


def prompt(number: int, *, tokens: int, seed: int) -> str:
    """`tokens` words. The first differs from request to request, so that no prefix cache makes a storm cheap."""
    words = _WORDS.split()
    return " ".join([f"storm{seed}n{number}", *(words[(number + i) % len(words)] for i in range(tokens - 1))])


async def _read(response: aiohttp.ClientResponse) -> Ending:
    tail = b""
    while chunk := await response.content.readany():
        tail = (tail + chunk)[-64:]
    return "ok" if b"[DONE]" in tail else "failed"


async def _hang_up(response: aiohttp.ClientResponse) -> Ending:
    """The head of an answer comes with its first token; then the connection is cut."""
    first = await response.content.readany()
    response.close()
    return "hung_up" if first else "failed"


def _refusal(status: int) -> Ending:
    if status == 429:
        return "rejected"
    if status in (401, 403):
        return "denied"
    return "invalid" if 400 <= status < 500 else "failed"
