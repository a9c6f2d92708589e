"""What the fault proxy costs while it does nothing: it stands before a replica a moment before and after its fault."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import psutil
import pytest

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(120)]
TOKEN_BYTES = 150
ROUND_TRIPS = 4000
BULK_MIB = 64
IDLE_S = 4.0


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def proxied(tmp_path):
    """(address of an echo server, address of a transparent proxy before it, the proxy's pid)."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port, state = server.sockets[0].getsockname()[1], tmp_path / "state.json"
    argv = [sys.executable, "-m", "sre.chaos.processes.proxy", "--target", f"127.0.0.1:{port}"]
    argv += ["--rules", str(tmp_path / "rules.json"), "--state", str(state)]
    child = subprocess.Popen(argv, env={**os.environ, "SRE_FAULT_DEADLINE_AT": repr(time.time() + 100)})
    while not state.exists():
        await asyncio.sleep(0.02)
    through = json.loads(state.read_text())["listen"].split(":")
    try:
        yield ("127.0.0.1", port), (through[0], int(through[1])), child.pid
    finally:
        child.terminate()
        child.wait(10)
        server.close()


async def round_trip_us(address):
    reader, writer = await asyncio.open_connection(*address)
    taken = []
    for _ in range(ROUND_TRIPS):
        began = time.perf_counter()
        writer.write(bytes(TOKEN_BYTES))
        await reader.readexactly(TOKEN_BYTES)
        taken.append(time.perf_counter() - began)
    writer.close()
    return statistics.median(taken) * 1e6


async def bulk_mib_per_s(address):
    reader, writer = await asyncio.open_connection(*address, limit=1 << 20)

    async def send():
        for _ in range(BULK_MIB):
            writer.write(bytes(1 << 20))
            await writer.drain()

    began = time.perf_counter()
    await asyncio.gather(send(), reader.readexactly(BULK_MIB << 20))
    writer.close()
    return BULK_MIB / (time.perf_counter() - began)


async def test_a_transparent_proxy(tmp_path):
    async with proxied(tmp_path) as (direct, through, pid):
        own_us, way_us = await round_trip_us(direct), await round_trip_us(through)
        own_rate, way_rate = await bulk_mib_per_s(direct), await bulk_mib_per_s(through)
        process = psutil.Process(pid)
        before = process.cpu_times()
        await asyncio.sleep(IDLE_S)
        after = process.cpu_times()
        idle = (after.user + after.system - before.user - before.system) / IDLE_S
        resident_mb = process.memory_info().rss / 1e6
    print(
        f"\na message of {TOKEN_BYTES} bytes and back: {own_us:.0f} us, {way_us:.0f} us through the proxy; bulk "
        f"{own_rate:.0f} and {way_rate:.0f} MiB/s; idle {idle:.2%} of a core, {resident_mb:.0f} MB"
    )
    assert way_us - own_us < 2000
    assert way_rate > own_rate / 4
    assert idle < 0.02
