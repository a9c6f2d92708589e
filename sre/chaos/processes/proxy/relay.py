"""One client's connection and the one to the target: two links, and how the end of one becomes the end of the other."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from sre.chaos.processes.proxy.link import Link, LinkCounts
from sre.chaos.processes.proxy.rules import Rules

MOST_QUEUED_BYTES = 256 * 1024  # more is left with the sender, as a full receive window would
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of 0 seconds: close sends RST


@dataclass(slots=True)
class Counts:
    """What a proxy has done so far."""

    accepted: int = 0
    resets: int = 0
    refused: int = 0
    to_replica: LinkCounts = field(default_factory=LinkCounts)
    from_replica: LinkCounts = field(default_factory=LinkCounts)


class End(asyncio.Protocol):
    """One of the two connections. Its pipes are set by the relay before anything can arrive."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.transport: asyncio.Transport | None = None
        self.out: Pipe  # what leaves through this end
        self.into: Pipe  # what arrives here
        self.is_full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=MOST_QUEUED_BYTES)
        _no_delay(self.transport)
        self.relay.made(self)

    def data_received(self, data: bytes) -> None:
        self.into.feed(data)

    def eof_received(self) -> bool:
        self.into.ends("eof")
        return True  # the other direction may go on

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.relay.lost(self, exc)

    def pause_writing(self) -> None:
        self.is_full = True
        self.out.regulate()

    def resume_writing(self) -> None:
        self.is_full = False
        self.out.regulate()

    def reset(self) -> None:
        """Close at once; the peer sees a reset."""
        if self.transport is None:
            return
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.abort()


class Pipe:
    """From one end through a link to the other."""

    def __init__(self, source: End, sink: End, link: Link, loop: asyncio.AbstractEventLoop) -> None:
        self.source = source
        self.sink = sink
        self.link = link
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._ending = ""
        self.is_over = False
        """Its end was passed on."""

    def feed(self, data: bytes) -> None:
        self.source.relay.carried(len(data))
        if self.sink.transport is not None and self.link.is_free:
            self.link.passed(len(data))
            self.sink.transport.write(data)
        elif not self.is_over:
            self.link.push(data, self._loop.time())
            self.pump()

    def ends(self, how: str) -> None:
        """No more will come: `eof`, or `reset`."""
        self._ending = how
        self.pump()

    def pump(self) -> None:
        """Let go what is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.sink.transport is None:
            self.regulate()
            return
        data = self.link.take(self._loop.time())
        if data:
            self.sink.transport.write(data)
        next_at = self.link.next_at()
        if next_at is not None:
            self._timer = self._loop.call_at(next_at, self.pump)
        self.regulate()
        if self._ending and self.link.is_empty and not self.link.rules.partition and not self.is_over:
            self._pass_end_on()

    def regulate(self) -> None:
        """Read from the source only what can be kept."""
        transport = self.source.transport
        if transport is None or transport.is_closing():
            return
        wait = self.sink.is_full or self.link.queued_bytes >= MOST_QUEUED_BYTES
        if wait and transport.is_reading():
            transport.pause_reading()
        elif not wait and not transport.is_reading():
            transport.resume_reading()

    def stop(self) -> None:
        self.is_over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _pass_end_on(self) -> None:
        self.is_over = True
        if self._ending == "reset":
            self.sink.reset()
        elif self.sink.transport is not None and self.sink.transport.can_write_eof():
            self.sink.transport.write_eof()
        self.source.relay.ended()


class Relay:
    """One connection through the proxy. `connect` opens the one to the target; `on_over` is told its end."""

    def __init__(
        self,
        rules: Rules,
        number: int,
        counts: Counts,
        *,
        connect: Callable[[End], None],
        on_over: Callable[[Relay], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._counts = counts
        self._chance = _chance(rules, number, "reset")
        self._connect = connect
        self._on_over = on_over
        self._rules = rules
        self._carried = 0
        self._is_connecting = False
        self._is_done = False
        self._is_doomed = False
        self.client, self.target = End(self), End(self)
        to_target = Link(rules.to_replica, _chance(rules, number, "there"), counts.to_replica)
        to_client = Link(rules.from_replica, _chance(rules, number, "back"), counts.from_replica)
        self._there = Pipe(self.client, self.target, to_target, loop)
        self._back = Pipe(self.target, self.client, to_client, loop)
        self.client.into = self.target.out = self._there
        self.target.into = self.client.out = self._back

    def made(self, end: End) -> None:
        """The client is here, or the connection to the target."""
        if self._is_done:
            end.reset()
        elif end is self.target:
            self._there.pump()
        else:
            self._choose()
            if not self._is_done:
                self._reach()

    def retune(self, rules: Rules) -> None:
        now = asyncio.get_running_loop().time()
        renewed = rules.reset != self._rules.reset
        self._rules = rules
        self._there.link.retune(rules.to_replica, now)
        self._back.link.retune(rules.from_replica, now)
        if renewed:
            self._carried = 0
            self._choose()
        if not self._is_done:
            self._reach()
            self._there.pump()
            self._back.pump()

    def carried(self, size: int) -> None:
        self._carried += size
        rule = self._rules.reset
        if self._is_doomed and rule is not None and self._carried > rule.after_bytes:
            asyncio.get_running_loop().call_soon(self.reset)

    def reset(self) -> None:
        """End it for both sides as a router that lost its mind would."""
        if not self._is_done:
            self._counts.resets += 1
            self.abort()

    def abort(self) -> None:
        self._finish()
        self.client.reset()
        self.target.reset()

    def lost(self, end: End, exc: Exception | None) -> None:
        """One side is gone: what it sent still arrives, what it was to get is void."""
        if self._is_done:
            return
        end.out.stop()
        if exc is not None or not end.into.is_over:
            end.into.ends("eof" if exc is None else "reset")
        self.ended()

    def ended(self) -> None:
        """Both directions over: close what is still open."""
        if self._there.is_over and self._back.is_over and not self._is_done:
            self._finish()
            for end in (self.client, self.target):
                if end.transport is not None:
                    end.transport.close()

    def refused(self) -> None:
        """The target does not take the connection: the client is to see that."""
        self._counts.refused += 1
        self.abort()

    def _choose(self) -> None:
        rule = self._rules.reset
        self._is_doomed = rule is not None and self._chance.random() < rule.share
        if self._is_doomed and rule is not None and rule.after_bytes == 0:
            self.reset()

    def _reach(self) -> None:
        if not self._is_connecting and not self._rules.is_cut:
            self._is_connecting = True
            self._connect(self.target)

    def _finish(self) -> None:
        self._is_done = True
        self._there.stop()
        self._back.stop()
        self._on_over(self)


def _chance(rules: Rules, number: int, what: str) -> random.Random:
    """The same for the same seed, connection and purpose."""
    return random.Random(f"{rules.seed}/{number}/{what}")  # noqa: S311  (repeatable, no secret)


def _no_delay(transport: asyncio.Transport) -> None:
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
