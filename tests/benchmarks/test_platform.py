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
PAIRS = 30


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
        added = statistics.median(g - d for d, g in pairs)
        direct_ms = statistics.median(d for d, _ in pairs) * 1000
        print(
            f"\nfirst token: direct {direct_ms:.1f} ms, the gateway adds {added * 1000:.2f} ms (p50 of {PAIRS} pairs)"
        )
        for concurrency in (1, 16, 64):
            direct = await _rate(lambda: _direct(triton), concurrency)
            through = await _rate(lambda: _through(gateway), concurrency)
            rates = f"direct {direct:6.0f}, gateway {through:6.0f} tokens/s"
            print(f"{concurrency:3} streams: {rates}, ratio {through / direct:.2f}")
            assert through > 0
        await triton.close()


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
