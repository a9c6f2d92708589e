"""One replica of the real Triton server with our model: streams, batching, cancellation, metrics, errors, clean end."""

from __future__ import annotations

import asyncio
import os
import subprocess
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from serving.engine.faults import FAULTS_FILE
from serving.engine.inference import MODEL_NAME, ProbeFailed, build_inputs, open_client, probe
from serving.engine.sampling import Sampling
from serving.engine.tokens import Voice, answer
from serving.engine.triton import find_triton, launch, prepare_backends, write_model_repository
from serving.errors import EnvironmentLacks
from serving.fleet.ports import free_ports

pytestmark = pytest.mark.integration

READY_WITHIN_S = 60
SEEN_WITHIN_S = 10


@dataclass(frozen=True)
class Replica:
    process: subprocess.Popen[bytes]
    grpc_address: str
    metrics_port: int
    log: Path
    faults: Path


@dataclass(frozen=True)
class Reply:
    pieces: list[str]
    finish_reason: str
    input_tokens: int
    output_tokens: int
    took_s: float

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def shared_memory(prefix: str) -> list[str]:
    return [path.name for path in Path("/dev/shm").iterdir() if path.name.startswith(prefix)]  # noqa: S108  Triton's place


def tail(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")[-8000:]


async def wait_until_ready(replica: Replica) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + READY_WITHIN_S
    while True:
        try:
            await probe(replica.grpc_address, 5)
        except ProbeFailed:
            assert replica.process.poll() is None, tail(replica.log)
            assert loop.time() < deadline, tail(replica.log)
            await asyncio.sleep(0.1)
        else:
            return


async def wait_until_dead(process: psutil.Process) -> None:
    """Triton does not reap its stub: a dead one stays as a zombie."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SEEN_WITHIN_S
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        assert loop.time() < deadline, "the model process lives on"
        await asyncio.sleep(0.05)


def spawn(
    root: Path, prefix: str, *, edit: Callable[[Path], None] = lambda repository: None, cold_start_scale: float = 0.0
) -> Replica:
    try:
        install = find_triton()
    except EnvironmentLacks as error:
        pytest.skip(f"Triton: {error}")
    repository = write_model_repository(
        root / "repository",
        profile="h100-llama3-8b-tp1",
        time_scale=1.0,
        replica="llm-0",
        cold_start_scale=cold_start_scale,
    )
    edit(repository)
    http_port, grpc_port, metrics_port = free_ports(3)
    start = launch(
        install,
        name="llm-0",
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        repository=repository,
        backends=prepare_backends(install, root / "backends"),
        shm_prefix=prefix,
    )
    log = root / "triton.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(start.argv, env=start.env, stdout=sink, stderr=sink, start_new_session=True)
    return Replica(process, f"127.0.0.1:{grpc_port}", metrics_port, log, repository / MODEL_NAME / FAULTS_FILE)


@pytest.fixture(scope="module")
def replica(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    prefix = f"sre-test{os.getpid()}-llm-0"
    started = spawn(tmp_path_factory.mktemp("triton"), prefix)
    tree = psutil.Process(started.process.pid)
    try:
        asyncio.run(wait_until_ready(started))
        assert shared_memory(prefix), "shared memory does not carry the prefix"
        stubs = tree.children(recursive=True)
        assert stubs, "the model has no process of its own"
        yield started
    finally:
        started.process.terminate()
        try:
            started.process.wait(20)
        finally:
            started.process.kill()
            started.process.wait()
    assert started.process.returncode in {0, 1}, tail(started.log)  # 1: a cancelled call was lost, see inference.py
    assert not psutil.wait_procs(stubs, timeout=5)[1], "a stub outlived its server"
    assert not shared_memory(prefix)


@pytest.fixture
async def client(replica: Replica) -> AsyncIterator[Any]:
    opened = open_client(replica.grpc_address)
    yield opened
    await opened.close()


async def responses(client: Any, prompt: str, sampling: dict[str, Any] | None) -> AsyncGenerator[Any, None]:
    async def requests() -> AsyncIterator[dict[str, Any]]:
        yield {"model_name": MODEL_NAME, "inputs": build_inputs(prompt, sampling)}

    stream = client.stream_infer(requests())
    try:
        async for result, error in stream:
            if error is not None:
                raise error
            yield result
    finally:
        stream.cancel()  # of a stream that has ended, it does nothing


async def ask(client: Any, prompt: str, sampling: dict[str, Any] | None = None) -> Reply:
    begun = asyncio.get_running_loop().time()
    pieces, last = [], None
    async with aclosing(responses(client, prompt, sampling)) as stream:
        async for last in stream:
            pieces.append(last.as_numpy("text_output")[0].decode())
    assert last is not None
    return Reply(
        pieces=pieces,
        finish_reason=last.as_numpy("finish_reason")[0].decode(),
        input_tokens=int(last.as_numpy("num_input_tokens")[0]),
        output_tokens=int(last.as_numpy("num_output_tokens")[0]),
        took_s=asyncio.get_running_loop().time() - begun,
    )


def forever(tokens: int) -> dict[str, Any]:
    return {"max_tokens": tokens, "ignore_eos": True}


async def metrics(replica: Replica) -> dict[str, float]:
    url = f"http://127.0.0.1:{replica.metrics_port}/metrics"
    body = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read().decode())
    lines = [line.rsplit(" ", 1) for line in body.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


async def first_metrics(replica: Replica) -> dict[str, float]:
    """Triton opens the metrics port last, shortly after it answers its first inference."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SEEN_WITHIN_S
    while True:
        try:
            return await metrics(replica)
        except OSError:
            assert loop.time() < deadline, tail(replica.log)
            await asyncio.sleep(0.05)


async def eventually(replica: Replica, condition: Callable[[dict[str, float]], bool]) -> dict[str, float]:
    """Wait until the published metrics fulfil `condition`."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + SEEN_WITHIN_S
    while not condition(current := await metrics(replica)):
        assert loop.time() < deadline, {name: value for name, value in current.items() if name.startswith("vllm:num")}
        await asyncio.sleep(0.05)
    return current


RUNNING = 'vllm:num_requests_running{model_name="llm"}'
WAITING = 'vllm:num_requests_waiting{model_name="llm"}'
KV_USAGE = 'vllm:kv_cache_usage_perc{model_name="llm"}'
GENERATED = 'vllm:generation_tokens_total{model_name="llm"}'
PREFIX_HITS = 'vllm:prefix_cache_hits_total{model_name="llm"}'
ABORTED = 'vllm:request_success_total{finished_reason="abort",model_name="llm"}'


async def test_the_stream_spells_the_pure_function_byte_for_byte(client: Any) -> None:
    prompt = "wie groß ist die Welt ✓"
    reply = await ask(client, prompt, forever(40))
    voice = Voice(prompt)
    assert reply.pieces == [voice.token(position) for position in range(40)]
    assert (reply.finish_reason, reply.input_tokens, reply.output_tokens) == ("length", 6, 40)


async def test_without_parameters_it_answers_to_its_natural_end(client: Any) -> None:
    prompt = next(text for text in map(str, range(99)) if 5 < Voice(text).natural_tokens < 60)
    reply = await ask(client, prompt)
    assert reply.text == answer(prompt, Sampling()).text()
    assert (reply.finish_reason, reply.output_tokens) == ("stop", Voice(prompt).natural_tokens)


async def test_a_stop_string_ends_the_text_before_it(client: Any) -> None:
    plain = answer("hello", Sampling(max_tokens=20, ignore_eos=True)).text()
    stop = " ".join(plain.split()[6:8])
    reply = await ask(client, "hello", {**forever(20), "stop": [stop]})
    assert reply.text == plain.partition(stop)[0]
    assert reply.finish_reason == "stop"


async def test_eight_requests_at_once_are_batched(client: Any) -> None:
    alone = await ask(client, "one by itself", forever(100))
    begun = asyncio.get_running_loop().time()
    replies = await asyncio.gather(*(ask(client, f"one of eight {n}", forever(100)) for n in range(8)))
    together_s = asyncio.get_running_loop().time() - begun
    assert together_s < 4 * alone.took_s, "eight in a row would take eight times as long"
    for number, reply in enumerate(replies):
        assert reply.text == answer(f"one of eight {number}", Sampling(max_tokens=100, ignore_eos=True)).text()


async def test_cancelling_a_stream_frees_its_place_and_its_blocks(replica: Replica, client: Any) -> None:
    before = await eventually(replica, lambda now: now[RUNNING] == 0)
    stream = responses(client, "never ending", forever(20_000))
    await anext(stream)
    busy = await eventually(replica, lambda now: now[RUNNING] == 1)
    assert busy[KV_USAGE] > 0
    await stream.aclose()
    idle = {RUNNING: 0, WAITING: 0, KV_USAGE: 0, ABORTED: before[ABORTED] + 1}
    await eventually(replica, lambda now: all(now[name] == value for name, value in idle.items()))
    assert (await ask(client, "still serving", forever(3))).output_tokens == 3


async def test_a_closed_connection_cancels_the_work(replica: Replica) -> None:
    going = open_client(replica.grpc_address)
    stream = responses(going, "never ending", forever(20_000))
    await anext(stream)
    await eventually(replica, lambda now: now[RUNNING] == 1)
    await going.close()
    await eventually(replica, lambda now: now[RUNNING] == 0)
    await stream.aclose()


async def test_vllm_s_metrics_are_on_triton_s_port(replica: Replica, client: Any) -> None:
    before = (await eventually(replica, lambda now: now[RUNNING] == 0))[GENERATED]
    await ask(client, "a b c", forever(30))
    now = await eventually(replica, lambda current: current[GENERATED] == before + 30)
    name = "vllm:inter_token_latency_seconds"
    assert now[f'{name}_bucket{{le="+Inf",model_name="llm"}}'] == now[f'{name}_count{{model_name="llm"}}'] >= 29
    assert now[f'{name}_sum{{model_name="llm"}}'] > 0
    assert now['vllm:time_to_first_token_seconds_count{model_name="llm"}'] >= 1
    assert now['vllm:num_preemptions_total{model_name="llm"}'] == 0
    assert now['nv_inference_request_success{model="llm",version="1"}'] > 0


@pytest.mark.parametrize(
    ("prompt", "sampling", "words"),
    [
        ("hello", {"max_tokens": 0}, "max_tokens is 0: send a whole number of at least 1"),
        ("hello", {"max_token": 5}, "max_token is unknown"),
        ("hello", {"max_tokens": 40_000}, "model's length of 32768"),
        ("  ", None, "text_input: it holds no word"),
    ],
)
async def test_bad_requests_are_told_so(client: Any, prompt: str, sampling: dict[str, Any] | None, words: str) -> None:
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException) as caught:
        await ask(client, prompt, sampling)
    assert caught.value.message().startswith("INVALID_ARG:")
    assert words in caught.value.message()


async def test_a_resumed_stream_is_the_rest_of_the_undisturbed_one(client: Any) -> None:
    whole = await ask(client, "resume me", forever(30))
    had = {"output_tokens": 12, "text": "".join(whole.pieces[:12])}
    rest = await ask(client, "resume me", {**forever(30), "resume": had})
    assert rest.pieces == whole.pieces[12:]
    assert (rest.input_tokens, rest.output_tokens, rest.finish_reason) == (2, 30, "length")
    nothing_left = await ask(client, "resume me", {**forever(30), "resume": {"output_tokens": 30}})
    assert (nothing_left.pieces, nothing_left.output_tokens) == ([""], 30)


async def test_a_request_past_its_deadline_is_dropped_with_the_reason(client: Any) -> None:
    from tritonclient.utils import InferenceServerException

    with pytest.raises(InferenceServerException) as caught:
        await ask(client, "too late", {**forever(3), "deadline_at": 1.0})
    assert caught.value.message().startswith("DEADLINE_EXCEEDED:")


async def test_a_prompt_seen_before_hits_the_prefix_cache(replica: Replica, client: Any) -> None:
    prompt = " ".join(f"word{number}" for number in range(165))
    first = await ask(client, prompt, forever(5))
    before = await eventually(replica, lambda now: now[RUNNING] == 0)
    second = await ask(client, prompt, forever(5))
    assert second.text == first.text
    await eventually(replica, lambda now: now[PREFIX_HITS] == before[PREFIX_HITS] + 160)


async def test_a_hang_stops_the_tokens_not_the_health_and_ends_with_the_file(replica: Replica, client: Any) -> None:
    going = asyncio.create_task(ask(client, "hang me", forever(150)))
    await eventually(replica, lambda now: now[RUNNING] == 1)
    replica.faults.write_text('{"hang": true}', encoding="utf-8")
    try:
        await asyncio.sleep(0.15)
        before = (await metrics(replica))[GENERATED]
        await asyncio.sleep(1.2)
        assert (await metrics(replica))[GENERATED] - before <= 20, "tokens of the last quarter second at most"
        assert await client.is_server_ready()
        assert await client.is_model_ready(MODEL_NAME)
        assert not going.done()
    finally:
        replica.faults.unlink()
    assert (await asyncio.wait_for(going, 10)).text == answer("hang me", Sampling(150, ignore_eos=True)).text()


async def test_a_faults_file_that_is_no_good_changes_nothing(replica: Replica, client: Any) -> None:
    replica.faults.write_text('{"error_every": 1, "warp": 9}', encoding="utf-8")
    try:
        await asyncio.sleep(0.15)
        assert (await ask(client, "all is well", forever(3))).output_tokens == 3
        assert "warp is unknown" in tail(replica.log)
    finally:
        replica.faults.unlink()


async def test_a_probe_of_nothing_fails_in_time() -> None:
    (port,) = free_ports(1)
    with pytest.raises(ProbeFailed, match=f"127.0.0.1:{port}: "):
        await probe(f"127.0.0.1:{port}", 0.5)


def test_a_bad_engine_parameter_stops_the_start_with_its_reason_in_the_log(tmp_path: Path) -> None:
    def break_it(repository: Path) -> None:
        config = repository / "llm" / "config.pbtxt"
        config.write_text(config.read_text(encoding="utf-8").replace('"emulated"', '"warp"'), encoding="utf-8")

    started = spawn(tmp_path, f"sre-test{os.getpid()}-bad", edit=break_it)
    try:
        assert started.process.wait(READY_WITHIN_S) != 0
    finally:
        started.process.kill()
        started.process.wait()
    assert "INVALID_ARG: config.pbtxt: parameters: engine is 'warp': use emulated" in tail(started.log)


async def test_a_cold_start_is_waited_out_and_told_and_a_crash_ends_the_model(tmp_path: Path) -> None:
    """In one replica, because a start is dear."""
    begun = asyncio.get_running_loop().time()
    prefix = f"sre-test{os.getpid()}-cold"
    started = spawn(tmp_path, prefix, cold_start_scale=0.05)
    try:
        await wait_until_ready(started)
        assert asyncio.get_running_loop().time() - begun > 0.05 * 47
        told = await first_metrics(started)
        gauge = 'sre_engine_cold_start_seconds{{model_name="llm",phase="{}"}}'
        assert told[gauge.format("load_weights")] == pytest.approx(0.05 * 8.05, abs=0.3)
        assert told[gauge.format("compile")] == pytest.approx(0.05 * 19.4, abs=0.3)
        (stub,) = psutil.Process(started.process.pid).children()
        started.faults.write_text('{"crash": true}', encoding="utf-8")
        await wait_until_dead(stub)
        assert started.process.poll() is None, "the server itself was not to die"
        with pytest.raises(ProbeFailed):
            await probe(started.grpc_address, 3)
    finally:
        started.process.kill()
        started.process.wait()
        for name in shared_memory(prefix):  # the one who would have removed it is dead
            (Path("/dev/shm") / name).unlink(missing_ok=True)  # noqa: S108  Triton's place
