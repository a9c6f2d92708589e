"""`python -m sre.chaos.processes.proxy --target 127.0.0.1:8001 --rules rules.json --state state.json`

`--page URL` instead of `--target`: in front of a metrics page, to falsify it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from sre.chaos.processes.proxy.lifetime import Lifetime
from sre.chaos.processes.proxy.server import FaultProxy
from sre.errors import SreError

DEADLINE_AT = "SRE_FAULT_DEADLINE_AT"


def loopback(address: str) -> tuple[str, int]:
    """`host:port` on this machine. Raises SreError for any other."""
    parts = urlsplit(f"//{address}")
    try:
        if parts.hostname and parts.port and ip_address(parts.hostname).is_loopback:
            return parts.hostname, parts.port
    except ValueError:
        pass
    raise SreError(f"target {address!r}: a fault proxy leads to this machine only: write 127.0.0.1:PORT")


def deadline(environment: str | None) -> float:
    """Raises SreError without one: a helper that does not know its end must not begin."""
    try:
        return float(environment or "")
    except ValueError as error:
        raise SreError(f"${DEADLINE_AT} is {environment!r}: set the Unix time at which the fault is over") from error


async def serve_target(target: tuple[str, int], rules: Path, state: Path, deadline_at: float) -> None:
    proxy = FaultProxy(target)
    listen = await proxy.listen()
    try:
        await Lifetime(proxy, rules, state, listen, deadline_at).run()
    finally:
        proxy.close()


async def serve_page(url: str, rules: Path, state: Path, deadline_at: float) -> None:
    from sre.chaos.processes.proxy.page import FalsePage

    page = FalsePage(url)
    listen = await page.listen()
    try:
        await Lifetime(page, rules, state, listen, deadline_at).run()
    finally:
        await page.close()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m sre.chaos.processes.proxy", description="A fault before a port.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--target", help="host:port on this machine, any TCP")
    where.add_argument("--page", help="http://host:port/metrics on this machine")
    parser.add_argument("--rules", type=Path, required=True, help="JSON, read again when it changes")
    parser.add_argument("--state", type=Path, required=True, help="where it tells what it does")
    options = parser.parse_args(arguments)
    try:
        deadline_at = deadline(os.environ.get(DEADLINE_AT))
        if options.target is not None:
            asyncio.run(serve_target(loopback(options.target), options.rules, options.state, deadline_at))
        else:
            loopback(urlsplit(options.page).netloc)
            asyncio.run(serve_page(options.page, options.rules, options.state, deadline_at))
    except SreError as error:
        sys.stderr.write(f"fault proxy: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
