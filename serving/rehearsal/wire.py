"""The gateway's way to a replica: a `Channel` whose other end is a virtual server, over a connection that can be bad.

It behaves as gRPC's does towards the gateway: one connection for all streams, made when it is needed; one that cannot
be made is tried again after 100 ms, then ever later up to a second, and who calls meanwhile fails at once.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from serving.engine.inference import CHANNEL_OPTIONS
from serving.gateway.errors import ReplicaFailed
from serving.gateway.model import Job, Piece, Resume
from serving.gateway.wire import sampling_of
from serving.rehearsal.line import Line, Proxy, one_way
from serving.rehearsal.model import Latencies, NetworkRules
from serving.rehearsal.server import Item, Server

_OPTIONS = dict(CHANNEL_OPTIONS)
_FIRST_BACKOFF_S = _OPTIONS["grpc.initial_reconnect_backoff_ms"] / 1000
_MOST_BACKOFF_S = _OPTIONS["grpc.max_reconnect_backoff_ms"] / 1000
_BACKOFF_FACTOR = 1.6
_REQUEST_BYTES, _TOKEN_BYTES, _CANCEL_BYTES = 300, 120, 30


@dataclass(slots=True)
class Place:
    """Where a replica is reached: whatever life of it there is now."""

    server: Server | None = None


class VirtualStream:
    """One attempt (`serving.gateway.replica.Stream`)."""

    __slots__ = ("_items", "_reader", "_wire", "is_over")

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._items: deque[Item] = deque()
        self._reader: asyncio.Future[None] | None = None
        self.is_over = False

    async def read(self, timeout_s: float) -> Piece:
        if timeout_s == math.inf:
            return await self._read()
        try:
            async with asyncio.timeout(timeout_s):
                return await self._read()
        except TimeoutError as error:
            raise ReplicaFailed("timeout", f"no token within {timeout_s:g} s") from error

    async def _read(self) -> Piece:
        if not self._items:
            self._reader = self._wire.loop.create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        item = self._items.popleft()
        if isinstance(item, Exception):
            raise item
        return item

    async def finish(self) -> None:
        """The server has closed it with the final piece."""

    def cancel(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._wire.hang_up(self)

    def give(self, item: Item) -> None:
        self._wire.down(self, item)

    def lose(self, failure: ReplicaFailed) -> None:
        self._wire.lost(self, failure)

    def push(self, item: Item) -> None:
        """It has arrived."""
        self._items.append(item)
        if isinstance(item, Exception) or item.finish is not None:
            self.is_over = True
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class Wire:
    """One gateway's channel to one address: straight to the place, or through a proxy."""

    def __init__(self, place: Place, latencies: Latencies, proxy: Proxy | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        self._place = place
        self._latencies = latencies
        self._proxy = proxy
        self._server: Server | None = None
        self._streams: dict[VirtualStream, None] = {}
        self._retry_at = -math.inf
        self._failures = 0
        self._batch: list[tuple[VirtualStream, Item]] = []
        self._lines: _Lines | None = None

    def start(self, job: Job, resume: Resume | None = None) -> VirtualStream:
        """Send the job. Failures, also to connect, show at the first read."""
        stream = VirtualStream(self)
        server = self._connected()
        if server is None:
            stream.push(ReplicaFailed("connect", "failed to connect to all addresses: connection refused"))
            return stream
        self._streams[stream] = None
        call = partial(server.call, stream, job.prompt, json.dumps(sampling_of(job, resume)))
        self._up(call, _REQUEST_BYTES + len(job.prompt))
        return stream

    async def close(self) -> None:
        for stream in list(self._streams):
            stream.cancel()
        self._disconnect()

    def hang_up(self, stream: VirtualStream) -> None:
        if self._forget(stream) and self._server is not None:
            self._up(partial(self._server.hang_up, stream), _CANCEL_BYTES)

    def down(self, stream: VirtualStream, item: Item) -> None:
        """A response comes back. Those of one step travel together."""
        if self._lines is not None:
            self._lines.down(_TOKEN_BYTES, partial(self._arrived, stream, item), self._latencies.token_s)
            return
        if not self._batch:
            self.loop.call_later(self._latencies.token_s, self._all_arrived)
        self._batch.append((stream, item))

    def lost(self, stream: VirtualStream, failure: ReplicaFailed) -> None:
        """The connection broke under it."""
        if self._forget(stream):
            stream.push(failure)
        self._disconnect()

    def _forget(self, stream: VirtualStream) -> bool:
        """False when it is over already."""
        known = stream in self._streams
        self._streams.pop(stream, None)
        return known

    def _all_arrived(self) -> None:
        batch, self._batch = self._batch, []
        for stream, item in batch:
            self._arrived(stream, item)

    def _arrived(self, stream: VirtualStream, item: Item) -> None:
        if stream in self._streams:
            stream.push(item)
            if stream.is_over:
                del self._streams[stream]

    def _up(self, arrive: Callable[[], None], size_bytes: int) -> None:
        if self._lines is not None:
            self._lines.up(size_bytes, arrive, self._latencies.request_s)
        else:
            self.loop.call_later(self._latencies.request_s, arrive)

    # the connection

    def _connected(self) -> Server | None:
        """The server at the other end; None while no connection can be made."""
        server, now = self._place.server, self.loop.time()
        if self._server is not None and self._server is server and server.returncode is None:
            return server
        self._disconnect()
        attempt_at = self._retry_at if self._failures else now
        while attempt_at <= now:
            if server is not None and server.listening_since is not None and server.listening_since <= attempt_at:
                self._connect(server)
                return server
            attempt_at += min(_MOST_BACKOFF_S, _FIRST_BACKOFF_S * _BACKOFF_FACTOR**self._failures)
            self._failures += 1
        self._retry_at = attempt_at
        return None

    def _connect(self, server: Server) -> None:
        self._server, self._failures = server, 0
        if self._proxy is not None:
            self._lines = _Lines(self._proxy, self._reset)

    def _disconnect(self) -> None:
        self._server = None
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    def _reset(self) -> None:
        """The proxy has reset the connection: both ends lose every stream on it."""
        server, streams = self._server, list(self._streams)
        self._disconnect()
        self._streams.clear()
        for stream in streams:
            if server is not None:
                server.hang_up(stream)
            stream.push(ReplicaFailed("connect", "recvmsg: Connection reset by peer"))


class _Lines:
    """Both directions of one connection through a proxy. `reset` is called when its rules end it."""

    def __init__(self, proxy: Proxy, reset: Callable[[], None]) -> None:
        self._proxy = proxy
        self._reset = reset
        self._loop = asyncio.get_running_loop()
        seed = f"{proxy.rules.seed}/connection {proxy.accepted}"
        self._chance = random.Random(seed)  # noqa: S311  (a network, not a secret)
        self._up = Line(one_way(proxy.rules, "to_replica"), self._chance)
        self._down = Line(one_way(proxy.rules, "from_replica"), self._chance)
        self._left_bytes: int | None = None
        proxy.connect(self._retuned)
        self._take_reset(proxy.rules)

    def up(self, size_bytes: int, arrive: Callable[[], None], after_s: float) -> None:
        self._up.push(size_bytes, arrive, after_s=after_s)
        self._carry(size_bytes)

    def down(self, size_bytes: int, arrive: Callable[[], None], after_s: float) -> None:
        self._down.push(size_bytes, arrive, after_s=after_s)
        self._carry(size_bytes)

    def close(self) -> None:
        self._proxy.disconnect(self._retuned)
        self._up.clear()
        self._down.clear()

    def _retuned(self, rules: NetworkRules) -> None:
        self._up.retune(one_way(rules, "to_replica"))
        self._down.retune(one_way(rules, "from_replica"))
        self._take_reset(rules)
        if self._left_bytes == 0:
            self._loop.call_soon(self._reset)

    def _take_reset(self, rules: NetworkRules) -> None:
        is_meant = rules.reset_after_bytes is not None and self._chance.random() < rules.reset_share
        self._left_bytes = rules.reset_after_bytes if is_meant else None

    def _carry(self, size_bytes: int) -> None:
        if self._left_bytes is None:
            return
        self._left_bytes -= size_bytes
        if self._left_bytes < 0:
            self._left_bytes = None
            self._loop.call_soon(self._reset)
