"""`python -m sre.chaos.processes.storm PLAN COUNTS`: one storm, from now to its fault's deadline.

PLAN is a `StormPlan` as JSON, COUNTS the file that tells twice a second what was done.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
import time
from pathlib import Path

import aiohttp

from sre.chaos.processes.lifetime import end_at, own_deadline
from sre.chaos.processes.storm.client import StormClient
from sre.chaos.processes.storm.model import Counts, StormPlan
from sre.chaos.processes.storm.weather import at_rate, by_clients

WRITE_EVERY_S = 0.5
MEASURE_S = 4.0
REQUESTS_METRIC = "sre_gateway_requests_total"


async def storm(plan: StormPlan, path: Path, *, deadline_at: float) -> Counts:
    """Blow until the deadline; the counts, which are in `path` too."""
    counts = Counts(started_at=time.time())
    telling = asyncio.create_task(_tell(counts, path))
    try:
        async with asyncio.timeout(max(0.0, deadline_at - time.time())), _session(plan) as session:
            await _blow(session, plan, counts)
    except TimeoutError:
        pass  # the deadline: a storm's only end
    finally:
        telling.cancel()
        _write(counts, path)
    return counts


async def _blow(session: aiohttp.ClientSession, plan: StormPlan, counts: Counts) -> None:
    send = StormClient(session, plan, counts).request
    if plan.kind == "retry":
        await by_clients(plan, send, counts)
        return
    counts.rate_rps = plan.rate_rps if plan.rate_rps is not None else await _extra_rps(session, plan, counts)
    if counts.rate_rps:
        counts.started_at = time.time()
        await at_rate(counts.rate_rps, send, counts, seed=plan.seed)


async def _extra_rps(session: aiohttp.ClientSession, plan: StormPlan, counts: Counts) -> float | None:
    """What makes the present traffic `factor` times as much; None, with a note, when there is none."""
    began, before = time.monotonic(), await _requests(session, plan.url)
    await asyncio.sleep(MEASURE_S)
    present = (await _requests(session, plan.url) - before) / (time.monotonic() - began)
    if present <= 0:
        counts.note = "there is no traffic to multiply: give rate_rps instead of factor, or start load first"
        return None
    return present * ((plan.factor or 1.0) - 1.0)


async def _requests(session: aiohttp.ClientSession, url: str) -> float:
    """All requests the gateway has finished."""
    async with session.get(f"{url}/metrics") as response:
        page = await response.text()
    lines = (line for line in page.splitlines() if line.startswith(f"{REQUESTS_METRIC}{{"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def _session(plan: StormPlan) -> aiohttp.ClientSession:
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream"}
    if plan.api_key_env is not None:
        headers["Authorization"] = f"Bearer {os.environ[plan.api_key_env]}"
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),  # each client of a storm is another one
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
    )


async def _tell(counts: Counts, path: Path) -> None:
    while True:
        _write(counts, path)
        await asyncio.sleep(WRITE_EVERY_S)


def _write(counts: Counts, path: Path) -> None:
    counts.at = time.time()
    with contextlib.suppress(OSError):  # a full disk costs the proof, not the undo
        counts.write(path)


def _allow_many_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def main() -> None:
    deadline_at = own_deadline()
    end_at(deadline_at)
    _allow_many_connections()
    plan = StormPlan(**json.loads(sys.argv[1]))
    asyncio.run(storm(plan, Path(sys.argv[2]), deadline_at=deadline_at))


if __name__ == "__main__":
    main()
