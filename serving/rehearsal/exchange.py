"""One request between a virtual client and the virtual gateway: the gateway's `Exchange`, the client's response.

The client is aiohttp's as far as the load generator uses it: `session.post` as a context manager, a response with
`status`, `headers` and `content.readany`. Leaving before the end hangs up, which cancels the gateway's handler.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Protocol

import aiohttp
from multidict import CIMultiDict

from serving.gateway.accounting import Account
from serving.gateway.config import GatewayConfig
from serving.gateway.errors import ApiError, invalid


class VirtualExchange:
    """Both ends of one request. `serve` has made it; `task` is its handler."""

    def __init__(self, body: bytes, headers: Mapping[str, str], account: Account, config: GatewayConfig) -> None:
        self._loop = asyncio.get_running_loop()
        self._body = body
        self._config = config
        self._chunks: list[bytes] = []
        self._reader: asyncio.Future[None] | None = None
        self._is_complete = False
        self._broken: Exception | None = None
        self.headers: Mapping[str, str] = CIMultiDict(headers)
        self.account = account
        self.body_is_here = True
        self.task: asyncio.Task[None] | None = None
        self.status: int | None = None
        self.answer_headers: Mapping[str, str] = {}

    # the gateway's end

    async def body(self) -> bytes:
        if len(self._body) > self._config.max_body_bytes:
            message = f"the body is larger than {self._config.max_body_bytes} bytes"
            raise invalid(message, status=413, code="request_too_large")
        return self._body

    def refuse(self, error: ApiError, headers: Mapping[str, str]) -> None:
        self._begin(error.status, {**headers, **error.headers()})
        self._chunks.append(json.dumps(error.body()).encode())
        self._complete()

    async def whole(self, body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self._begin(200, headers)
        self._chunks.append(json.dumps(body).encode())
        self._complete()

    async def open(self, headers: Mapping[str, str]) -> None:
        self._begin(200, headers)

    async def write(self, data: bytes) -> None:
        self._chunks.append(data)
        self._wake()

    async def end(self) -> None:
        self._complete()

    def handled(self, task: asyncio.Task[None]) -> None:
        """The handler is over: without an end of the answer the connection is."""
        if not self._is_complete:
            self.break_off(aiohttp.ServerDisconnectedError())

    def break_off(self, error: Exception) -> None:
        """The connection is gone under the client."""
        self._broken = self._broken or error
        self._wake()

    # the client's end

    async def head(self) -> None:
        """Wait for status and headers."""
        while self.status is None:
            await self._news()

    async def readany(self) -> bytes:
        """What has come since; empty at the end."""
        while not self._chunks and not self._is_complete:
            await self._news()
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks)

    async def read(self) -> bytes:
        """All of it."""
        parts = []
        while part := await self.readany():
            parts.append(part)
        return b"".join(parts)

    def hang_up(self) -> None:
        if self.task is not None and not self._is_complete:
            self.task.cancel()

    @property
    def content(self) -> VirtualExchange:
        return self

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.status, self.answer_headers = status, CIMultiDict(headers)
        self._wake()

    def _complete(self) -> None:
        self._is_complete = True
        self._wake()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def _news(self) -> None:
        if self._broken is not None:
            raise self._broken
        self._reader = self._loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None
        if self._broken is not None and not self._chunks and not self._is_complete:
            raise self._broken


class Response:
    """The client's view of an exchange: its headers are the answer's."""

    def __init__(self, exchange: VirtualExchange) -> None:
        self._exchange = exchange
        self.content = exchange
        self.status = exchange.status or 0
        self.headers = exchange.answer_headers

    async def read(self) -> bytes:
        return await self._exchange.read()

    def close(self) -> None:
        self._exchange.hang_up()


class Reached(Protocol):
    """A gateway that listens."""

    def accept(self, body: bytes, headers: Mapping[str, str]) -> VirtualExchange: ...


class VirtualSession:
    """Clients of one gateway. `reach` raises OSError while nobody listens; `trip_s` is what a connection takes."""

    def __init__(
        self, reach: Callable[[], Reached], *, trip_s: float, headers: Mapping[str, str] | None = None
    ) -> None:
        self._reach = reach
        self._trip_s = trip_s
        self._headers = headers or {}

    def post(self, url: str, *, data: bytes, allow_redirects: bool = False) -> _Post:
        return _Post(self._reach, data, self._headers, self._trip_s)


class _Post:
    def __init__(self, reach: Callable[[], Reached], data: bytes, headers: Mapping[str, str], trip_s: float) -> None:
        self._reach = reach
        self._data = data
        self._headers = headers
        self._trip_s = trip_s
        self._exchange: VirtualExchange | None = None

    async def __aenter__(self) -> Response:
        await asyncio.sleep(self._trip_s)
        self._exchange = exchange = self._reach().accept(self._data, self._headers)
        try:
            await exchange.head()
        except BaseException:
            exchange.hang_up()
            raise
        return Response(exchange)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._exchange is not None:
            self._exchange.hang_up()
