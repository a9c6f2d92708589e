"""The socket between a worker and the coordinator: frames of messages, both ways, in order.

What is said within one turn of the event loop is one frame: four bytes of length, then a JSON array of messages.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from serving.gateway.workers.messages import Message, decode, encode

_LENGTH_BYTES = 4


class Line(asyncio.Protocol):
    """`hear` gets each message; `over` is called once, when the other side is gone.

    `first` may put something at the head of a frame that is about to leave.
    """

    def __init__(
        self,
        hear: Callable[[Message], None],
        over: Callable[[], None],
        *,
        first: Callable[[], Message | None] = lambda: None,
    ) -> None:
        self._hear = hear
        self._over = over
        self._first = first
        self._outbox: list[Message] = []
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._soon: asyncio.Handle | None = None

    async def open(self, sock: socket.socket) -> None:
        """Take over a connected socket."""
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=sock)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._over()

    def data_received(self, data: bytes) -> None:
        received = self._received
        received += data
        while len(received) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(received[:_LENGTH_BYTES], "big")
            if len(received) < end:
                return
            messages = decode(received[_LENGTH_BYTES:end])
            del received[:end]
            for message in messages:
                self._hear(message)

    def send(self, message: Message) -> None:
        """Say `message` at the end of this turn of the loop. Nobody hears it when the other side is gone."""
        self._outbox.append(message)
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._soon = None
        first = self._first()
        messages = self._outbox if first is None else [first, *self._outbox]
        self._outbox = []
        if self._transport is not None and messages:
            data = encode(messages)
            self._transport.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)

    def close(self) -> None:
        """Hang up, when everything said has been sent."""
        if self._soon is not None:
            self._soon.cancel()
            self._flush()
        if self._transport is not None:
            self._transport.close()
