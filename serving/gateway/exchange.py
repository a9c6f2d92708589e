"""The client's side of one request: what it sent, and the way its answer goes back. Here over HTTP; a rehearsal has its
own. The handler and the delivery know no more of a client than the Protocol says.

Pieces are handed to the connection's buffer as they come. A client may lag `_MAX_LAG_BYTES` behind before it holds up
its replica's stream, and is given up when it then takes nothing for `write_timeout_s`: a slow reader costs bounded
memory, makes no replica look silent and no gap between tokens look long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from aiohttp import web

from serving.gateway.accounting import Account
from serving.gateway.config import GatewayConfig
from serving.gateway.errors import ApiError, ClientStalled, invalid

_STREAM_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}
_MAX_LAG_BYTES = 1024 * 1024
_RESUME_BYTES = _MAX_LAG_BYTES - 64 * 1024
_BLOCKED_S = 0.01  # a write that takes longer has waited for the client


class Exchange(Protocol):
    """One request and its answer: `refuse` or `whole` alone, or `open`, then `write`, then `end`.

    Writing raises ConnectionError when the client is gone, ClientStalled when it does not read.
    """

    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def account(self) -> Account: ...
    @property
    def body_is_here(self) -> bool: ...
    async def body(self) -> bytes:
        """All of it. Raises ApiError when it does not come, or cannot be taken."""

    def refuse(self, error: ApiError, headers: Mapping[str, str]) -> None:
        """Answer with an error instead of a stream."""

    async def whole(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        """The answer in one piece, to its end."""

    async def open(self, headers: Mapping[str, str]) -> None:
        """Begin a stream of events."""

    async def write(self, data: bytes) -> None: ...
    async def end(self) -> None:
        """End the body, and wait until the client's connection has taken all of it."""


class HttpExchange:
    """A request of aiohttp's; `response` is what its handler returns. `clock` is the account's."""

    __slots__ = ("_clock", "_config", "_http", "account", "response")

    def __init__(self, http: web.Request, account: Account, config: GatewayConfig, clock: Callable[[], float]) -> None:
        self._http = http
        self._config = config
        self._clock = clock
        self.account = account
        self.response: web.StreamResponse = web.Response(status=500)

    @property
    def headers(self) -> Mapping[str, str]:
        return self._http.headers

    @property
    def body_is_here(self) -> bool:
        return self._http.content.is_eof()

    async def body(self) -> bytes:
        try:
            async with asyncio.timeout(self._config.body_timeout_s):
                return await self._http.read()
        except TimeoutError as error:
            raise invalid("the body did not arrive in time", status=408) from error
        except web.HTTPRequestEntityTooLarge as error:
            message = f"the body is larger than {self._config.max_body_bytes} bytes"
            raise invalid(message, status=413, code="request_too_large") from error
        except web.RequestPayloadError as error:
            raise invalid("the body cannot be decoded: check Content-Encoding and Transfer-Encoding") from error

    def refuse(self, error: ApiError, headers: Mapping[str, str]) -> None:
        self.response = error_response(error, headers)

    async def whole(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self.response = response = web.json_response(body, headers=headers)
        await response.prepare(self._http)
        await self.end()

    async def open(self, headers: Mapping[str, str]) -> None:
        self.response = response = web.StreamResponse(headers={**_STREAM_HEADERS, **headers})
        await response.prepare(self._http)
        self._limit_buffer(_MAX_LAG_BYTES, _RESUME_BYTES)

    async def write(self, data: bytes) -> None:
        """Hand `data` to the connection. With nothing unsent it never has to wait, and a token costs no timeout."""
        transport = self._http.transport
        if transport is None or (not transport.get_write_buffer_size() and len(data) < _RESUME_BYTES):
            await self.response.write(data)
        else:
            await self._patiently(self.response.write(data))

    async def end(self) -> None:
        self._limit_buffer(0, 0)
        await self._patiently(self.response.write_eof())

    def _limit_buffer(self, pause_bytes: int, resume_bytes: int) -> None:
        """Writing waits from `pause_bytes` unsent bytes until no more than `resume_bytes` are left."""
        if self._http.transport is not None:
            self._http.transport.set_write_buffer_limits(pause_bytes, resume_bytes)

    async def _patiently(self, writing: Awaitable[None]) -> None:
        """Wait for the client to take what is written. Raises ClientStalled when it does not in time."""
        begun, limit_s = self._clock(), self._config.write_timeout_s
        try:
            async with asyncio.timeout(limit_s):
                await writing
        except TimeoutError as error:
            if self._http.transport is not None:
                self._http.transport.abort()
            self.account.detail = f"the client took nothing for {limit_s:g} s"
            raise ClientStalled(self.account.detail) from error
        now = self._clock()
        if now - begun > _BLOCKED_S:
            self.account.held(now - begun, now)


def error_response(error: ApiError, headers: Mapping[str, str]) -> web.Response:
    """The OpenAI-shaped answer to a request that has not begun."""
    return web.json_response(error.body(), status=error.status, headers={**headers, **error.headers()})
