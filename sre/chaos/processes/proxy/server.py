"""The proxy as a whole: it accepts, keeps its relays and gives them their rules."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Any

from sre.chaos.processes.proxy.relay import Counts, End, Relay
from sre.chaos.processes.proxy.rules import TRANSPARENT, Rules, parse_rules

HOST = "127.0.0.1"
BACKLOG = 1024
CONNECT_TIMEOUT_S = 10.0


class FaultProxy:
    """A listener in front of `target` (host and port on this machine). Begin it inside a running loop."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._rules = TRANSPARENT
        self._counts = Counts()
        self._relays: set[Relay] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._number = 0

    @property
    def open_connections(self) -> int:
        return len(self._relays)

    async def listen(self) -> str:
        """Accept from now on; returns `host:port`."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._accept, HOST, 0, backlog=BACKLOG)
        return f"{HOST}:{self._server.sockets[0].getsockname()[1]}"

    def tune(self, text: str) -> None:
        """Take the rules in `text`, for what is open too. Raises SreError and changes nothing for bad ones."""
        self._retune(parse_rules(text))

    def clear(self) -> None:
        """Be transparent from now on: what waits is let go."""
        self._retune(Rules(revision=self._rules.revision))

    def stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()

    def close(self) -> None:
        """Cut what is still open."""
        self.stop_listening()
        for task in self._connecting:
            task.cancel()
        for relay in list(self._relays):
            relay.abort()

    def facts(self) -> dict[str, Any]:
        """For the state file."""
        return {
            "revision": self._rules.revision,
            "transparent": self._rules.is_transparent,
            "open": len(self._relays),
            **asdict(self._counts),
        }

    def _retune(self, rules: Rules) -> None:
        self._rules = rules
        for relay in list(self._relays):
            relay.retune(rules)

    def _accept(self) -> End:
        self._number += 1
        self._counts.accepted += 1
        relay = Relay(self._rules, self._number, self._counts, connect=self._connect, on_over=self._relays.discard)
        self._relays.add(relay)
        return relay.client

    def _connect(self, end: End) -> None:
        task = asyncio.create_task(self._reach_target(end))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    async def _reach_target(self, end: End) -> None:
        host, port = self._target
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(lambda: end, host, port)
        except (OSError, TimeoutError):
            end.relay.refused()
