"""Brings a generation's pieces to the client, as a stream of events or as one body, and keeps the request's account.

Pieces are read from the replica as they come and handed to the connection's buffer. A client may lag `_MAX_LAG_BYTES`
behind before it holds up its replica's stream, and is given up when it then takes nothing for `write_timeout_s`: a slow
reader costs bounded memory, makes no replica look silent and no gap between tokens look long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from serving.gateway.accounting import Account
from serving.gateway.errors import (
    ApiError,
    ClientStalled,
    DeadlinePassed,
    JobRefused,
    Truncated,
    deadline_exceeded,
    invalid,
    unavailable,
)
from serving.gateway.generation import Generation
from serving.gateway.model import Piece
from serving.gateway.sse import EventStream, Reply, event

_STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}
_MAX_LAG_BYTES = 1024 * 1024
_RESUME_BYTES = _MAX_LAG_BYTES - 64 * 1024
_BLOCKED_S = 0.01  # a write that takes longer has waited for the client


@dataclass(frozen=True, slots=True)
class Terms:
    """How one answer is delivered: the headers that go with it, and the time its client is given and gave us.

    `deadline_at` is the client's own deadline on the delivery's clock; None when it set none.
    """

    headers: Callable[[], Mapping[str, str]]
    write_timeout_s: float
    deadline_at: float | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One admitted request. The caller closes the generation, and settles the account of what ends in an error."""

    http: web.Request
    reply: Reply
    generation: Generation
    account: Account
    terms: Terms
    clock: Callable[[], float]

    async def stream(self, *, include_usage: bool) -> web.StreamResponse:
        """Headers are sent with the first token: until then any failure is a true HTTP error (ApiError)."""
        piece = await self._first()
        response = web.StreamResponse(headers={**_STREAM_HEADERS, **self.terms.headers()})
        await response.prepare(self.http)
        self._limit_buffer(_MAX_LAG_BYTES, _RESUME_BYTES)
        try:
            await self._send(response, EventStream(self.reply, include_usage=include_usage), piece)
        except Truncated as cut:
            await self._cut(response, cut, unavailable(str(cut), code="stream_cut"))
        except DeadlinePassed as passed:
            self.account.expired("stream")
            await self._cut(response, passed, deadline_exceeded("stream"))
        return response

    async def whole(self) -> web.Response:
        """One JSON body. Raises ApiError when it cannot be completed."""
        piece = await self._first()
        texts = [piece.text]
        try:
            while piece.finish is None:
                piece = await self._next()
                texts.append(piece.text)
        except Truncated as cut:
            raise unavailable(str(cut), status=502, code="replica_failed") from cut
        except DeadlinePassed as passed:
            raise deadline_exceeded("stream") from passed
        finished_at = self.clock()
        body = self.reply.body("".join(texts), piece.finish)
        response = web.json_response(body, headers=self.terms.headers())
        await response.prepare(self.http)
        await self._flush(response)
        self.account.settle("ok", finished_at)
        return response

    async def _send(self, response: web.StreamResponse, events: EventStream, piece: Piece) -> None:
        """All events, from the first piece on, and the end of the body."""
        pending = events.opening()
        while piece.finish is None:
            await self._write(response, pending + events.token(piece.text))
            pending = b""
            piece = await self._next()
        finished_at = self.clock()
        last = events.token(piece.text) if piece.text else b""
        await self._write(response, pending + last + events.ending(piece.finish))
        await self._flush(response)
        self.account.settle("ok", finished_at)

    async def _cut(self, response: web.StreamResponse, cause: Exception, error: ApiError) -> None:
        """The stream ends here: say so in an event, and send no end mark."""
        self.account.detail = str(cause)
        self.account.settle("truncated", self.clock())
        await self._write(response, event(error.body()))
        await self._flush(response)

    async def _flush(self, response: web.StreamResponse) -> None:
        """End the body, and wait until the client's connection has taken all of it."""
        self._limit_buffer(0, 0)
        await self._patiently(response.write_eof())

    def _limit_buffer(self, pause_bytes: int, resume_bytes: int) -> None:
        """Writing waits from `pause_bytes` unsent bytes until no more than `resume_bytes` are left."""
        if self.http.transport is not None:
            self.http.transport.set_write_buffer_limits(pause_bytes, resume_bytes)

    async def _write(self, response: web.StreamResponse, data: bytes) -> None:
        """Hand `data` to the connection. With nothing unsent it never has to wait, and a token costs no timeout."""
        transport = self.http.transport
        if transport is None or (not transport.get_write_buffer_size() and len(data) < _RESUME_BYTES):
            await response.write(data)
        else:
            await self._patiently(response.write(data))

    async def _patiently(self, writing: Awaitable[None]) -> None:
        """Wait for the client to take what is written. Raises ClientStalled when it does not in time."""
        begun = self.clock()
        try:
            async with asyncio.timeout(self.terms.write_timeout_s):
                await writing
        except TimeoutError as error:
            if self.http.transport is not None:
                self.http.transport.abort()
            self.account.detail = f"the client took nothing for {self.terms.write_timeout_s:g} s"
            raise ClientStalled(self.account.detail) from error
        now = self.clock()
        if now - begun > _BLOCKED_S:
            self.account.held(now - begun, now)

    async def _first(self) -> Piece:
        try:
            return await self._next()
        except JobRefused as refusal:
            raise invalid(str(refusal), code="invalid_value") from refusal
        except DeadlinePassed as passed:
            raise deadline_exceeded("engine") from passed

    async def _next(self) -> Piece:
        piece = await self._read()
        if piece.text or piece.finish is None:
            self.account.token(self.clock(), piece.tokens)
        if piece.finish is not None:
            self.account.usage(piece.finish)
        return piece

    async def _read(self) -> Piece:
        """The next piece. Raises DeadlinePassed when the client's deadline comes first."""
        if self.terms.deadline_at is None:
            return await self.generation.next()
        try:
            async with asyncio.timeout(max(0.0, self.terms.deadline_at - self.clock())):
                return await self.generation.next()
        except TimeoutError as error:
            raise DeadlinePassed("the client's deadline passed") from error


def error_response(error: ApiError, headers: Mapping[str, str]) -> web.Response:
    """The OpenAI-shaped answer to a request that has not begun."""
    return web.json_response(error.body(), status=error.status, headers={**headers, **error.headers()})
