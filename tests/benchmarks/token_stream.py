"""A lean client for one streamed completion: it keeps the bytes with their times, and reads them after the end.

Raw asyncio, because it shares two cores with what is measured: while streams run, a chunk costs it one append.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TIMEOUT_S = 60.0


@dataclass(slots=True)
class Seen:
    """What one stream showed. `token_times` are seconds of the monotonic clock, one for each event with text."""

    sent_at: float
    ended_at: float = 0.0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""
    token_times: list[float] = field(default_factory=list)
    finish_reason: str | None = None
    usage: dict[str, int] | None = None
    done: bool = False
    error: str | None = None

    @property
    def complete(self) -> bool:
        return self.status == 200 and self.done and self.finish_reason is not None and self.error is None

    @property
    def first_s(self) -> float:
        """Request sent to first token."""
        return self.token_times[0] - self.sent_at if self.token_times else float("inf")

    @property
    def worst_gap_s(self) -> float:
        """The longest wait between two successive tokens."""
        return max((b - a for a, b in zip(self.token_times, self.token_times[1:], strict=False)), default=0.0)

    @property
    def verdict(self) -> str:
        """`ok`, `truncated` (cut after its first token), `rejected` (429) or `failed`."""
        if self.complete:
            return "ok"
        if self.status == 429:
            return "rejected"
        return "truncated" if self.token_times else "failed"


class _Exchange(asyncio.Protocol):
    """One connection, one request; the server closes it."""

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.chunks: list[tuple[float, bytes]] = []
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.sent_at = 0.0

    def connection_made(self, transport):
        self.transport = transport
        self.sent_at = time.monotonic()
        transport.write(self.request)

    def data_received(self, data):
        self.chunks.append((time.monotonic(), data))
        if data.endswith(b"0\r\n\r\n"):  # the last chunk: no need to wait until the server closes
            self.connection_lost(None)

    def connection_lost(self, error):
        if not self.over.done():
            self.over.set_result(None)


async def stream(url: str, body: dict[str, object], *, timeout_s: float = TIMEOUT_S, read: bool = True) -> Seen:
    """One streamed completion through `url`, to its end, whatever that is. Without `read` only tokens are counted."""
    address = urlsplit(url)
    began = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            _, exchange = await asyncio.get_running_loop().create_connection(
                lambda: _Exchange(_request(address.netloc, body)), address.hostname, address.port
            )
    except (OSError, TimeoutError) as error:
        return Seen(began, time.monotonic(), error=f"no connection: {error!r}")
    late = None
    try:
        async with asyncio.timeout(timeout_s):
            await exchange.over
    except TimeoutError:
        late = f"no end within {timeout_s:g} s"
    finally:
        exchange.transport.abort()
    seen = Seen(exchange.sent_at, time.monotonic(), error=late)
    (_read if read else _count)(seen, exchange.chunks)
    return seen


def _request(host: str, body: dict[str, object]) -> bytes:
    data = json.dumps({"model": "llm", "stream": True} | body).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data


def _count(seen: Seen, chunks: list[tuple[float, bytes]]) -> None:
    """Tokens alone: each event but the last ones holds one."""
    whole = b"".join(data for _, data in chunks)
    seen.status = int(whole.split(b" ", 2)[1]) if whole else None
    seen.done = b"data: [DONE]" in whole
    seen.finish_reason = "length" if b'"finish_reason":"length"' in whole else None
    for at, data in chunks:
        seen.token_times += [at] * data.count(b'"finish_reason":null')


def _read(seen: Seen, chunks: list[tuple[float, bytes]]) -> None:
    """Take the stream apart. An event has the time of the chunk that completed it."""
    head = b""
    body: list[tuple[float, bytes]] = []
    for at, data in chunks:
        if b"\r\n\r\n" in head:
            body.append((at, data))
            continue
        head += data
        if b"\r\n\r\n" in head:
            start = head.index(b"\r\n\r\n") + 4
            body.append((at, head[start:]))
    if not head:
        seen.error = seen.error or "no answer"
        return
    lines = head.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    seen.status = int(lines[0].split(" ")[1])
    seen.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    rest = b""
    for at, data in _dechunked(body) if "chunked" in seen.headers.get("transfer-encoding", "") else body:
        *events, rest = (rest + data).split(b"\n\n")
        for event in events:
            _event(seen, event.removeprefix(b"data: "), at)
    if seen.status != 200:
        seen.error = rest.decode(errors="replace")[:200]


def _dechunked(body: list[tuple[float, bytes]]) -> list[tuple[float, bytes]]:
    """The pieces inside the chunked framing, with the time at which each was complete."""
    pieces: list[tuple[float, bytes]] = []
    held = b""
    for at, data in body:
        held += data
        while (end := held.find(b"\r\n")) >= 0:
            size = int(held[:end], 16)
            if len(held) < end + size + 4:
                break
            pieces.append((at, held[end + 2 : end + 2 + size]))
            held = held[end + size + 4 :]
    return pieces


def _event(seen: Seen, payload: bytes, at: float) -> None:
    if payload == b"[DONE]":
        seen.done = True
        return
    chunk = json.loads(payload)
    if "error" in chunk:
        seen.error = str(chunk["error"].get("message"))
        return
    seen.usage = chunk.get("usage") or seen.usage
    for choice in chunk.get("choices", []):
        text = choice.get("text") or ""
        if text:
            seen.text += text
            seen.token_times.append(at)
        seen.finish_reason = choice.get("finish_reason") or seen.finish_reason
