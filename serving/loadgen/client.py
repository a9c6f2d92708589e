"""One request against an OpenAI-compatible server, from the client's side: what was sent, what came, how it ended."""

from __future__ import annotations

import asyncio
import json

import aiohttp

from serving.loadgen.clock import Clock
from serving.loadgen.model import Outcome, PlannedRequest, RequestRecord
from serving.loadgen.sse import CompletionStream, error_message

_KEEPALIVE_S = 4.0
"""Below the 5 s after which common servers close idle connections: reusing a dead one would look like their error."""


class CompletionClient:
    """Sends completions over one session. The caller closes `session`."""

    def __init__(self, session: aiohttp.ClientSession, *, url: str, model: str, timeout_s: float, clock: Clock) -> None:
        self._session = session
        self._url = f"{url}/v1/completions"
        self._model = model
        self._timeout_s = timeout_s
        self._clock = clock

    def body(self, planned: PlannedRequest, prompt: str) -> bytes:
        """The request's JSON, to be made before its time comes."""
        fields = {
            "model": self._model,
            "prompt": prompt,
            "max_tokens": planned.max_tokens,
            "ignore_eos": True,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        return json.dumps(fields).encode()

    async def send(self, planned: PlannedRequest, body: bytes, *, scheduled_at: float) -> RequestRecord:
        """Send `body` and read to the end, whatever that is. A cancellation becomes the outcome `cancelled`."""
        exchange = _Exchange(self._clock)
        outcome: Outcome | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                await exchange.run(self._session, self._url, body)
        except TimeoutError:
            outcome = "timeout"
            exchange.error = exchange.error or f"no end after {self._timeout_s:g} s"
        except asyncio.CancelledError:
            outcome = "cancelled"
            exchange.error = exchange.error or "the run was stopped"
        except (aiohttp.ClientError, OSError) as error:
            exchange.error = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
        return exchange.record(planned, scheduled_at, outcome)


def open_session(api_key: str | None = None) -> aiohttp.ClientSession:
    """A session without limits of its own: no connection cap, timeout or cookies. Call it inside the event loop."""
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if api_key is not None:
        headers["Authorization"] = f"Bearer {api_key}"
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
    )


class _Exchange:
    """What one HTTP exchange has shown so far: readable at any point, so a cut one is recorded as far as it went."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.sent_at = clock()
        self.status: int | None = None
        self.replicas: tuple[str, ...] = ()
        self.error: str | None = None
        self.done_at: float | None = None
        self.stream = CompletionStream()

    async def run(self, session: aiohttp.ClientSession, url: str, body: bytes) -> None:
        async with session.post(url, data=body, allow_redirects=False) as response:
            self.status = response.status
            tried = response.headers.get("x-sre-replicas", "")
            self.replicas = tuple(name.strip() for name in tried.split(",") if name.strip())
            if response.status == 200:
                await self._read_stream(response.content)
            else:
                self.error = error_message(await response.read()) or f"HTTP {response.status}"

    async def _read_stream(self, content: aiohttp.StreamReader) -> None:
        """To the end of the body, not only to [DONE]: leaving earlier would look like a disconnect to the server."""
        stream, clock = self.stream, self._clock
        while chunk := await content.readany():
            now = clock()
            stream.feed(chunk, now)
            if stream.done and self.done_at is None:
                self.done_at = now
        stream.end(clock())

    def record(self, planned: PlannedRequest, scheduled_at: float, outcome: Outcome | None) -> RequestRecord:
        """`outcome` is what ended it from outside (timeout, cancellation); a complete answer stays complete."""
        stream = self.stream
        complete = stream.done and stream.events_with_text > 0 and stream.error is None
        final: Outcome = "ok" if complete else outcome or self._failure()
        return RequestRecord(
            id=planned.id,
            scheduled_at=scheduled_at,
            sent_at=self.sent_at,
            first_token_at=stream.first_at,
            last_token_at=stream.last_at,
            finished_at=self.done_at or self._clock(),
            prompt_tokens=planned.prompt_tokens,
            max_tokens=planned.max_tokens,
            output_tokens=stream.output_tokens,
            max_gap_s=stream.max_gap_s,
            outcome=final,
            status=self.status,
            error=None if final == "ok" else stream.error or self.error or self._silence(),
            finish_reason=stream.finish_reason,
            replicas=self.replicas,
        )

    def _failure(self) -> Outcome:
        if self.status == 429:
            return "rejected"
        if self.status is not None and 400 <= self.status < 500:
            return "invalid"
        return "truncated" if self.stream.events_with_text else "error"

    def _silence(self) -> str:
        return "the stream ended without a token" if self.stream.done else "the stream ended without [DONE]"
