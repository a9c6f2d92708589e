"""What worker processes bring and cost: a gateway of one process, one of two workers, the same four stubs behind.

All of them and the client share the machine's cores, so on a small machine the rate says little: the CPU a token says
what more cores would bring, and the coordinator's share of it where that ends.
"""

from __future__ import annotations

import asyncio
import statistics
import time

import aiohttp
import psutil
import pytest
from stub_fleet import StubFleet
from stub_worker import MARK
from token_stream import stream

from serving.engine.tokens import Voice

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]
STUBS = 4
DELAY_MS = 1.0
TOKENS = 200
FIRST_TOKENS = 300
ROUNDS = 7
STREAMS = 64
GATEWAYS = {"one process": 1, "two workers": 2}
PROMPT = "word " * 64 + MARK


def test_two_workers_against_one_process(tmp_path):
    with StubFleet(tmp_path, workers=STUBS, delay_ms=DELAY_MS) as fleet:
        gateways = {name: fleet.start_gateway(workers=workers) for name, workers in GATEWAYS.items()}
        asyncio.run(_compare(fleet, gateways))


async def _compare(fleet, gateways):
    async with aiohttp.ClientSession() as session:
        for name, gateway in gateways.items():
            assert await gateway.wait_for(session, fleet.worker_ports) < float("inf"), f"{name} does not start"
    await _first_tokens(fleet.url_of(fleet.worker_ports[0]), gateways)
    await _throughput(gateways)


async def _first_tokens(direct, gateways):
    """One request after the other, in turn and then in the opposite order: what went before makes a difference."""
    urls = {"direct": direct, **{name: gateway.url for name, gateway in gateways.items()}}
    seconds = {name: [] for name in urls}
    turn = list(urls.items())
    for _ in range(FIRST_TOKENS):
        turn.reverse()
        for name, url in turn:
            seen = await stream(url, {"prompt": PROMPT, "max_tokens": 2})
            assert seen.complete, seen
            seconds[name].append(seen.first_s)
    base = statistics.median(seconds["direct"]) * 1000
    print(f"\nfirst token, p50 of {FIRST_TOKENS}: direct {base:.2f} ms")
    for name in gateways:
        print(f"  {name:12} adds {statistics.median(seconds[name]) * 1000 - base:+.2f} ms")


async def _throughput(gateways):
    rates = {name: [] for name in gateways}
    cpu_us = {name: [] for name in gateways}
    turn = list(gateways.items())
    for _ in range(ROUNDS):
        turn.reverse()
        for name, gateway in turn:
            before = gateway.cpu_of_each_s()
            rates[name].append(await _rate(gateway.url))
            used = [after - then for after, then in zip(gateway.cpu_of_each_s(), before, strict=True)]
            cpu_us[name].append([seconds / (STREAMS * TOKENS) * 1e6 for seconds in used])
    print(f"{STREAMS} streams on {psutil.cpu_count()} cores, medians of {ROUNDS}:")
    for name in gateways:
        each = [statistics.median(process) for process in zip(*cpu_us[name], strict=True)]
        total = statistics.median(sum(processes) for processes in cpu_us[name])
        parts = " + ".join(f"{us:.0f}" for us in each)
        rate = statistics.median(rates[name])
        print(f"  {name:12} {rate:6.0f} tokens/s, {total:.1f} us of CPU a token ({parts}), busiest {max(each):.0f}")
    one, two = (statistics.median(rates[name]) for name in gateways)
    print(f"  ratio two workers / one process {two / one:.2f}")


async def _rate(url):
    """Tokens a second of streams that begin together."""
    body = {"prompt": PROMPT, "max_tokens": TOKENS, "stream_options": {"include_usage": True}}
    began = time.monotonic()
    seen = await asyncio.gather(*(stream(url, body, read=n == 0) for n in range(STREAMS)))
    took_s = time.monotonic() - began
    assert all(one.complete for one in seen), [one.error for one in seen if not one.complete]
    assert seen[0].text == "".join(map(Voice(PROMPT).token, range(TOKENS)))
    return STREAMS * TOKENS / took_s
