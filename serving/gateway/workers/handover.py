"""The listening socket, and how a connection comes from it to the worker with the fewest.

The coordinator accepts and hands the descriptor over. A kernel that spreads connections by hash (SO_REUSEPORT) puts
forty streams on one worker and twenty-four on another, and loses what waits at a worker that dies.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Protocol

from serving.gateway.connection import BACKLOG, cannot_listen
from serving.gateway.log import emit

_AT_ONCE = 64
_PAUSE_S = 0.2
_MARK = b"c"


class Taker(Protocol):
    """Who is handed connections."""

    def take(self, sock: socket.socket) -> bool:
        """False when it cannot be handed one now."""


class Listener:
    """`choose` says who gets the next connection; None: nobody can now, and connections wait where they are."""

    def __init__(self, choose: Callable[[], Taker | None]) -> None:
        self._choose = choose
        self._sockets: list[socket.socket] = []
        self._later: asyncio.TimerHandle | None = None

    async def bind(self, host: str, port: int) -> int:
        """Listen, but accept nothing yet; the port, chosen by the system when `port` is 0. Raises EnvironmentLacks."""
        try:
            for family, address in await _addresses(host, port):
                sock = socket.create_server(address, family=family, backlog=BACKLOG)
                sock.setblocking(False)
                self._sockets.append(sock)
        except OSError as error:
            self.close()
            raise cannot_listen(error, host, port) from error
        return int(self._sockets[0].getsockname()[1])

    def start(self) -> None:
        """Accept and hand over from now on."""
        self._later = None
        for sock in self._sockets:
            asyncio.get_running_loop().add_reader(sock.fileno(), self._accept, sock)

    def close(self) -> None:
        self._stop()
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()

    def _stop(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        for sock in self._sockets:
            asyncio.get_running_loop().remove_reader(sock.fileno())

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_AT_ONCE):
            taker = self._choose()
            if taker is None:
                self._pause()
                return
            try:
                sock, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors are left
                emit("accept_failed", level=logging.ERROR, error=str(error))
                self._pause()
                return
            with sock:
                self._hand_over(sock, taker)

    def _hand_over(self, sock: socket.socket, taker: Taker | None) -> None:
        """To the next one when the first cannot; a connection that nobody can take is closed."""
        while taker is not None and not taker.take(sock):
            taker = self._choose()

    def _pause(self) -> None:
        """Leave what comes in the kernel's queue for a while."""
        self._stop()
        self._later = asyncio.get_running_loop().call_later(_PAUSE_S, self.start)


async def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys((int(family), (str(address[0]), port)) for family, _, _, _, address in found))


def give(through: socket.socket, sock: socket.socket) -> bool:
    """Send a descriptor. False when the other side is gone, or so far behind that its queue is full."""
    try:
        socket.send_fds(through, [_MARK], [sock.fileno()])
    except OSError:
        return False
    return True


def receive(through: socket.socket) -> Iterator[socket.socket]:
    """The connections that were sent and not taken yet."""
    for _ in range(_AT_ONCE):
        try:
            data, descriptors, _, _ = socket.recv_fds(through, len(_MARK), 1)
        except (BlockingIOError, InterruptedError):
            return
        if not data:  # the coordinator is gone: the line says so too
            return
        for descriptor in descriptors:
            sock = socket.socket(fileno=descriptor)
            sock.setblocking(False)
            yield sock
