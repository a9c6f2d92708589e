"""What the platform costs: start, memory, and what the gateway adds to Triton, measured in turn on one replica."""

import asyncio
import json
import statistics
import time

import pytest

from serving.engine.inference import build_inputs, open_client
from serving.loadgen.client import CompletionClient, open_session
from serving.loadgen.clock import steady_clock
from serving.loadgen.model import PlannedRequest
from serving.loadgen.prompts import prompt_text
from sre.platforms.local import LocalPlatform, down, footprint_mb, platform_spec, up

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(300)]
TOKENS = 64
PAIRS = 200
ROUNDS = 5


@pytest.fixture
def start(tmp_path):
    started = []

    def begin(**asked):
        state_dir = tmp_path / f"state-{len(started)}"
        started.append(state_dir)
        began = time.perf_counter()
        platform = up(platform_spec(state_dir, port=0, **asked), state_dir)
        return platform, time.perf_counter() - began

    yield begin
    for state_dir in started:
        down(state_dir)


def test_three_replicas_against_one(start):
    one, one_s = start(replicas=1)
    one_mb = footprint_mb(one)
    three, three_s = start(replicas=3)
    three_mb = footprint_mb(three)
    print(f"\nready by real inferences: 1 replica {one_s:.1f} s, 3 replicas {three_s:.1f} s")
    print(f"memory (PSS): 1 replica {one_mb:.0f} MB, 3 replicas {three_mb:.0f} MB, ratio {three_mb / one_mb:.2f}")
    assert three_mb < 3 * one_mb


def test_what_the_gateway_adds(start):
    platform, _ = start(replicas=1, prometheus="off", time_scale=0.2)
    asyncio.run(_measure(platform))


async def _measure(platform: LocalPlatform):
    address = _grpc_address(platform)
    async with open_session(None) as session:
        gateway = CompletionClient(session, url=platform.gateway_url, model="llm", timeout_s=60, clock=steady_clock())
        triton = open_client(address)
        pairs = [(await _direct(triton), await _through(gateway)) for _ in range(PAIRS + 1)][1:]
        direct, through = ([pair[side] for pair in pairs] for side in (0, 1))
        for name, share in (("p50", 0.5), ("p99", 0.99)):
            d_ms, g_ms = _at(direct, share) * 1000, _at(through, share) * 1000
            print(f"first token {name} of {PAIRS} pairs: direct {d_ms:.1f} ms, the gateway adds {g_ms - d_ms:+.2f} ms")
        for concurrency in (1, 16, 64):
            await _compare_rates(lambda: _direct(triton), lambda: _through(gateway), concurrency)
        await triton.close()


async def _compare_rates(direct, through, concurrency):
    """Medians of rounds taken in turn."""
    rounds = [(await _rate(direct, concurrency), await _rate(through, concurrency)) for _ in range(ROUNDS)]
    straight, gateway = (statistics.median(rates) for rates in zip(*rounds, strict=True))
    ratio = gateway / straight
    print(f"{concurrency:3} streams: direct {straight:6.0f}, gateway {gateway:6.0f} tokens/s, ratio {ratio:.2f}")
    assert gateway > 0


def _at(seconds, share):
    return sorted(seconds)[int(len(seconds) * share)]


async def _rate(once, concurrency):
    began = time.perf_counter()
    await asyncio.gather(*(once() for _ in range(concurrency)))
    return concurrency * TOKENS / (time.perf_counter() - began)


async def _direct(client):
    """Seconds to the first token over gRPC; the stream is read to its end."""

    async def requests():
        inputs = build_inputs(" ".join(["word"] * 64), {"max_tokens": TOKENS, "ignore_eos": True})
        yield {"model_name": "llm", "inputs": inputs, "enable_empty_final_response": True}

    began, first, tokens = time.perf_counter(), None, 0
    async for result, error in client.stream_infer(requests()):
        assert error is None, error
        if first is None:
            first = time.perf_counter() - began
        tokens += result.as_numpy("text_output") is not None
        if "triton_final_response" in result.get_response().parameters and (
            result.get_response().parameters["triton_final_response"].bool_param
        ):
            break
    assert tokens >= TOKENS
    return first


async def _through(client):
    request = PlannedRequest(index=0, offset_s=0.0, prompt_tokens=64, max_tokens=TOKENS)
    body = client.body(request, prompt_text(request, seed=1))
    record = await client.send(request, body, scheduled_at=time.time())
    assert record.outcome == "ok", record.error
    return record.first_token_at - record.sent_at


def _grpc_address(platform):
    state = json.loads((platform.state_dir / "state.json").read_text())
    return state["replicas"][0]["grpc_address"]
