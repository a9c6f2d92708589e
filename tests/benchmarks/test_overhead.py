"""What our gateway costs, against vllm-router and no gateway at all, on the same four stub workers."""

from __future__ import annotations

import asyncio
import statistics
import time

import aiohttp
import pytest
from stub_fleet import ROUTER, StubFleet
from stub_worker import MARK
from token_stream import stream

from serving.engine.tokens import Voice

pytestmark = [
    pytest.mark.benchmark,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not ROUTER.exists(), reason="vllm-router is not installed: `make setup-bench`"),
]
WORKERS = 4
DELAY_MS = 1.0
TOKENS = 200
FIRST_TOKENS = 300
ROUNDS = 5
CONCURRENCY = (1, 16, 64)
PROMPT = "word " * 64 + MARK


def test_overhead_of_ours_and_of_vllm_router(tmp_path):
    with StubFleet(tmp_path, workers=WORKERS, delay_ms=DELAY_MS) as fleet:
        asyncio.run(_compare(fleet, [fleet.start_gateway(), fleet.start_router()]))


async def _compare(fleet, gateways):
    async with aiohttp.ClientSession() as session:
        for gateway in gateways:
            assert await gateway.wait_for(session, fleet.worker_ports) < float("inf"), f"{gateway.name} does not start"
    direct = fleet.url_of(fleet.worker_ports[0])
    await _first_tokens(direct, gateways)
    for streams in CONCURRENCY:
        await _throughput(fleet, gateways, streams)


async def _first_tokens(direct, gateways):
    """One request after the other, in turn, so that a busy moment of the machine hits all alike."""
    seconds = {"direct": [], **{gateway.name: [] for gateway in gateways}}
    urls = {"direct": direct, **{gateway.name: gateway.url for gateway in gateways}}
    for _ in range(FIRST_TOKENS):
        for name, url in urls.items():
            seen = await stream(url, {"prompt": PROMPT, "max_tokens": 2})
            assert seen.complete, seen
            seconds[name].append(seen.first_s)
    base = _percentiles_ms(seconds["direct"])
    print(f"\nfirst token of {FIRST_TOKENS}: direct p50 {base[0]:.2f} ms, p99 {base[1]:.2f} ms")
    for gateway in gateways:
        p50, p99 = _percentiles_ms(seconds[gateway.name])
        print(f"  {gateway.name:12} adds p50 {p50 - base[0]:+.2f} ms, p99 {p99 - base[1]:+.2f} ms")


async def _throughput(fleet, gateways, streams):
    rates = {gateway.name: [] for gateway in gateways}
    cpu_us = {gateway.name: [] for gateway in gateways}
    direct = []
    for _ in range(ROUNDS):
        direct.append(await _rate([fleet.url_of(port) for port in fleet.worker_ports], streams))
        for gateway in gateways:
            cpu = gateway.cpu_s()
            rates[gateway.name].append(await _rate([gateway.url], streams))
            cpu_us[gateway.name].append((gateway.cpu_s() - cpu) / (streams * TOKENS) * 1e6)
    print(f"{streams:3} streams: direct {statistics.median(direct):6.0f} tokens/s")
    for gateway in gateways:
        rate, cost = statistics.median(rates[gateway.name]), statistics.median(cpu_us[gateway.name])
        print(f"  {gateway.name:12} {rate:6.0f} tokens/s, {cost:4.0f} us of CPU a token")
    ours, theirs = (statistics.median(rates[gateway.name]) for gateway in gateways)
    print(f"  ratio ours / vllm-router {ours / theirs:.2f}")


async def _rate(urls, streams):
    """Tokens a second of this many streams that begin together, spread over `urls`."""
    body = {"prompt": PROMPT, "max_tokens": TOKENS, "stream_options": {"include_usage": True}}
    began = time.monotonic()
    seen = await asyncio.gather(*(stream(urls[n % len(urls)], body, read=n == 0) for n in range(streams)))
    took_s = time.monotonic() - began
    assert all(one.complete for one in seen), [one.error for one in seen if not one.complete]
    assert seen[0].text == "".join(map(Voice(PROMPT).token, range(TOKENS)))
    return streams * TOKENS / took_s


def _percentiles_ms(seconds):
    ordered = sorted(seconds)
    return statistics.median(ordered) * 1000, ordered[int(len(ordered) * 0.99)] * 1000
