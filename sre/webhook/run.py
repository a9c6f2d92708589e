"""The server from its start to its clean end: SIGTERM lets what is under way finish."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from aiohttp import web

from sre.errors import EnvironmentLacks
from sre.webhook.server import Webhook

HOST = "127.0.0.1"
_SHUTDOWN_S = 10.0


def serve(webhook: Webhook, port: int, *, ready: Callable[[int], None]) -> None:
    """Block until SIGTERM or SIGINT. `ready` is called with the port once connections are accepted; 0 picks one.

    Raises EnvironmentLacks when the port is taken.
    """
    asyncio.run(_serve(webhook, port, ready))


async def _serve(webhook: Webhook, port: int, ready: Callable[[int], None]) -> None:
    runner = web.AppRunner(webhook.application(), access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        site = web.TCPSite(runner, HOST, port)
        try:
            await site.start()
        except OSError as error:
            raise EnvironmentLacks(
                f"port {port} on {HOST} cannot be had ({error.strerror}): choose another with --port"
            ) from error
        ready(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()
