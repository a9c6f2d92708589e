"""One client's connection: bounds what aiohttp leaves open, the time in which a request's headers must arrive.

aiohttp times out idle connections only, and never one that sends its headers a byte at a time. It also answers what
it cannot parse with the offending bytes in plain text and in its log: here neither has them, for they may hold a key.
"""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Callable

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.typedefs import Handler
from aiohttp.web_request import BaseRequest

from serving.errors import EnvironmentLacks
from serving.gateway.errors import invalid, unavailable
from serving.gateway.exchange import error_response
from serving.gateway.log import emit

_KEEPALIVE_S = 75.0
BACKLOG = 1024


class Connection(web.RequestHandler):
    """aiohttp's connection with a time limit for headers.

    The clock starts when the connection is made and, on a kept one, with the first byte of the next request. It stops
    when a request reaches the application (`timed_headers` says so); bytes that trickle in do not move it.
    """

    def __init__(self, manager: web.Server, *, loop: asyncio.AbstractEventLoop, header_timeout_s: float) -> None:
        super().__init__(
            manager,
            loop=loop,
            keepalive_timeout=_KEEPALIVE_S,
            access_log=None,  # type: ignore[arg-type]  # None is how it is turned off; our handler writes one
        )
        self._header_timeout_s = header_timeout_s
        self._limit: asyncio.TimerHandle | None = None
        self._is_serving = False
        self._got_bytes = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._start_clock()

    def data_received(self, data: bytes) -> None:
        if data and not self._is_serving:
            self._got_bytes = True
            self._start_clock()
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def request_began(self) -> None:
        """All headers of a request are here."""
        self._is_serving = True
        self._got_bytes = False
        self._stop_clock()

    def request_ended(self) -> None:
        self._is_serving = False

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what is no HTTP request, or what the application let escape. The connection ends."""
        emit("request_unreadable" if status < 500 else "internal_error", error=type(exc).__name__, status=status)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun: another one cannot be sent")
        if isinstance(exc, LineTooLong):
            error = invalid("the request line or a header is too long", status=431, code="headers_too_large")
        elif status < 500:
            error = invalid("this is no HTTP request the gateway can read", status=status)
        else:
            error = unavailable("internal error", status=500, code="internal_error")
        response = error_response(error, {})
        response.force_close()
        return response

    def _start_clock(self) -> None:
        if self._limit is None:
            self._limit = asyncio.get_running_loop().call_later(self._header_timeout_s, self._is_late)

    def _stop_clock(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def _is_late(self) -> None:
        """Time is up: a started request is told so, a silent connection just ends."""
        self._limit = None
        if self.transport is not None and self._got_bytes:
            self.transport.write(_late_answer())
        self.force_close()


def _late_answer() -> bytes:
    body = json.dumps(invalid("the request's headers did not arrive in time", status=408).body()).encode()
    head = f"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


@web.middleware
async def timed_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tells a `Connection` which of its time is the client's and which is ours."""
    connection = request.protocol
    if not isinstance(connection, Connection):
        return await handler(request)
    connection.request_began()
    try:
        return await handler(request)
    finally:
        connection.request_ended()


class Site(web.BaseSite):
    """Where the application of `runner` listens: `web.TCPSite` with our connections."""

    __slots__ = ("_header_timeout_s", "_host", "_port")

    def __init__(self, runner: web.AppRunner, host: str, port: int, *, header_timeout_s: float) -> None:
        super().__init__(runner, backlog=BACKLOG)
        self._host = host
        self._port = port
        self._header_timeout_s = header_timeout_s

    @property
    def name(self) -> str:
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Raises OSError when the port cannot be had."""
        await super().start()
        connect = connections(self._runner, self._header_timeout_s)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(connect, self._host, self._port, backlog=self._backlog)


def connections(runner: web.BaseRunner, header_timeout_s: float) -> Callable[[], Connection]:
    """What makes a connection to the application of `runner`, which is set up."""
    manager = runner.server
    if manager is None:
        raise RuntimeError("the runner is not set up")
    loop = asyncio.get_running_loop()
    return lambda: Connection(manager, loop=loop, header_timeout_s=header_timeout_s)


async def listen(runner: web.AppRunner, host: str, port: int, header_timeout_s: float) -> int:
    """Start to serve; the port, chosen by the system when `port` is 0. Raises EnvironmentLacks."""
    await runner.setup()
    try:
        await Site(runner, host, port, header_timeout_s=header_timeout_s).start()
    except OSError as error:
        raise cannot_listen(error, host, port) from error
    return int(runner.addresses[0][1])


def cannot_listen(error: OSError, host: str, port: int) -> EnvironmentLacks:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return EnvironmentLacks(f"gateway: {where} is in use: free it or set another port")
    return EnvironmentLacks(f"gateway: cannot listen on {where}: {error.strerror}")
