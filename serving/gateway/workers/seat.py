"""One worker's seat at the coordinator: spawned, spoken with, and taken by another one when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from serving.backoff import Backoff
from serving.errors import EnvironmentLacks
from serving.gateway.core import Core
from serving.gateway.front import Page
from serving.gateway.log import emit
from serving.gateway.workers.desk import Desk
from serving.gateway.workers.handover import give
from serving.gateway.workers.line import Line
from serving.gateway.workers.messages import (
    PROTOCOL,
    AskPage,
    Close,
    Flush,
    Flushed,
    Hello,
    Known,
    Message,
    Paged,
    Ready,
    Report,
)

_END_TIMEOUT_S = 0.5
_FORGIVE_AFTER_S = 10.0
_LONGEST_BACKOFF_S = 5.0


class Seat:
    """`run` it as a task. `pages` answers a worker's question for a page, `exited` counts a death."""

    def __init__(self, index: int, core: Core, pages: Callable[[str, str], Any], exited: Callable[[], None]) -> None:
        self.index = index
        self._core = core
        self._pages = pages
        self._exited = exited
        self._backoff = Backoff(first_s=0.1, cap_s=_LONGEST_BACKOFF_S, forgive_after_s=_FORGIVE_AFTER_S)
        self._process: asyncio.subprocess.Process | None = None
        self._line: Line | None = None
        self._desk: Desk | None = None
        self._handing: socket.socket | None = None
        self.handed = 0
        """How many connections this worker was handed."""
        self._closed = 0
        self._known: Known | None = None
        self._flushes: dict[int, asyncio.Future[None]] = {}
        self._questions: set[asyncio.Task[None]] = set()
        self._left = asyncio.Event()
        self._is_full = False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.serves = False
        self.messages = 0
        """How many were heard, to see whether it still speaks."""

    @property
    def connections(self) -> int:
        """Those it has, as far as is known."""
        return self.handed - self._closed

    @property
    def requests(self) -> int:
        """Those it has, waiting and running."""
        return 0 if self._desk is None else len(self._desk)

    @property
    def takes(self) -> bool:
        """It may be handed a connection."""
        return self.serves and not self._is_full

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def run(self) -> None:
        """One iteration is one worker's life."""
        while not self._left.is_set():
            began = time.monotonic()
            try:
                returncode = await self._one_life()
            except OSError as error:  # no process, no descriptor was left
                emit("worker_not_started", level=logging.ERROR, worker=self.index, error=str(error))
                returncode = None
            if self._left.is_set():
                return
            self._exited()
            if not self.ready.done():
                message = f"gateway: worker {self.index} exited with {returncode} before it served: see its lines above"
                self.ready.set_exception(EnvironmentLacks(message))
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._backoff.next_delay(served_s=time.monotonic() - began)):
                    await self._left.wait()

    async def _one_life(self) -> int:
        ours, theirs = socket.socketpair()
        handing, handed = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        handing.setblocking(False)
        with ours, handing:
            self._process = process = await _spawn(self.index, theirs, handed)
            self._handing = handing
            over = asyncio.Event()
            try:
                await self._attend(ours, over)
                await over.wait()
            finally:
                self._vacate()
                returncode = await self._ended(process)
                self._process = None
        return returncode

    async def _ended(self, process: asyncio.subprocess.Process) -> int:
        """Its exit code. One that hung up and does not end is killed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_TIMEOUT_S):
                return await process.wait()
        self.kill()
        return await process.wait()

    async def _attend(self, sock: socket.socket, over: asyncio.Event) -> None:
        self._line = line = Line(self._hear, over.set)
        self._desk = Desk(self._core, line.send)
        self.handed = self._closed = 0
        self._known = None
        self._is_full = False
        await line.open(sock)
        line.send(self._hello())
        self.look(time.monotonic())
        if self._left.is_set():  # said while it was being started
            line.send(Close())

    def _vacate(self) -> None:
        """The worker is gone: give back what it held."""
        self.serves = False
        for flush in self._flushes.values():
            flush.cancel()
        lost = self._desk.close() if self._desk is not None else 0
        self._line = self._desk = self._handing = None
        level = logging.INFO if self._left.is_set() else logging.ERROR
        emit("worker_exited", level=level, worker=self.index, pid=self.pid, requests_lost=lost)

    def _hello(self) -> Hello:
        config = self._core.config.model_copy(update={"replicas": [], "control": None})
        tenants = [tenant.model_dump(mode="json") for tenant in self._core.tenants]
        return Hello(PROTOCOL, config.model_dump_json(), tenants, self._core.started_at)

    def _hear(self, message: Message) -> None:
        self.messages += 1
        match message:
            case Ready():
                self._begin()
            case AskPage():
                task = asyncio.create_task(self._page(message))
                self._questions.add(task)
                task.add_done_callback(self._questions.discard)
            case Flushed(number):
                flush = self._flushes.get(number)
                if flush is not None and not flush.done():
                    flush.set_result(None)
            case _ if self._desk is not None:
                if isinstance(message, Report):
                    self._closed = message.closed
                    self._is_full = False
                self._desk.hear(message)

    def _begin(self) -> None:
        self.serves = not self._left.is_set()
        emit("worker_ready", worker=self.index, pid=self.pid)
        if not self.ready.done():
            self.ready.set_result(None)

    async def _page(self, message: AskPage) -> None:
        page: Page = await self._pages(message.path, message.accept)
        if self._line is not None:
            self._line.send(Paged(message.call, *page))

    def take(self, sock: socket.socket) -> bool:
        """Hand it a connection. A worker that is too far behind to take one gets no more until its next report."""
        if self._handing is None or not give(self._handing, sock):
            self._is_full = True
            return False
        self.handed += 1
        return True

    def look(self, now: float) -> None:
        """At a beat: is it late, and does it know which replicas there are?"""
        if self._desk is None or self._line is None:
            return
        self._desk.look(now)
        known = Known([replica.name for replica in self._core.pool], self._core.entrance.by_text)
        if known != self._known:
            self._known = known
            self._line.send(known)

    async def flush(self, number: int) -> None:
        """Return when everything it has counted until now is here."""
        if self._line is None or not self.serves:
            return
        flushed = self._flushes[number] = asyncio.get_running_loop().create_future()
        self._line.send(Flush(number))
        try:
            await asyncio.wait([flushed])
        finally:
            del self._flushes[number]

    def leave(self) -> None:
        """Tell it to end, and let nobody follow it."""
        self._left.set()
        self.serves = False
        if self._line is not None:
            self._line.send(Close())

    def kill(self) -> None:
        """SIGKILL for the process of this moment."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # its own `kill` would collect it behind the watcher's back
                os.kill(self._process.pid, signal.SIGKILL)


async def _spawn(index: int, line: socket.socket, handed: socket.socket) -> asyncio.subprocess.Process:
    """Start a worker with these ends of the two sockets, which are closed here."""
    options = {"index": index, "line": line.fileno(), "handed": handed.fileno(), "parent": os.getpid()}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    with line, handed:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "serving.gateway.workers",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(line.fileno(), handed.fileno()),
        )
