"""The real vLLM in the real Triton, on the CPU with a tiny random-weight model: run by `make test-vllm` (minutes).

Two lives of one replica are started together: the second is another process with the same weights, which is what a
failed-over stream goes on with. The last tests kill things, each at its own replica.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from tritonclient.utils import InferenceServerException

from serving.engine.inference import MODEL_NAME, ProbeFailed, build_inputs, open_client, probe
from serving.engine.metrics import EngineMetrics, readings
from serving.engine.triton import find_triton, launch, prepare_backends
from serving.engine.vllm import VllmPlan, find_vllm_env, prepare_vllm
from serving.engine.vllm.repository import write_vllm_repository
from serving.errors import EnvironmentLacks
from serving.fleet.ports import free_ports


def _lacking() -> str:
    try:
        find_vllm_env()
        find_triton()
    except EnvironmentLacks as error:
        return str(error)
    return ""


pytestmark = [
    pytest.mark.vllm,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(_lacking()), reason=_lacking() or "all there"),
]

READY_WITHIN_S = 300
MARK = "SRE_TEST_MARK"
GREEDY = {"temperature": 0.0, "ignore_eos": True}


@dataclass(frozen=True)
class Replica:
    process: subprocess.Popen[bytes]
    grpc_address: str
    metrics_port: int
    log: Path
    mark: str

    def tree(self) -> list[psutil.Process]:
        """Every process that carries this replica's mark, wherever it hangs in the process tree."""
        return [process for process in psutil.process_iter() if _mark_of(process) == self.mark]

    def named(self, words: str) -> psutil.Process:
        (found,) = [process for process in self.tree() if words in " ".join(process.cmdline())]
        return found

    def tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-6000:]


def _mark_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARK)
    except psutil.Error:
        return None


def start(root: Path, plan: VllmPlan, name: str) -> Replica:
    install = find_triton()
    http_port, grpc_port, metrics_port = free_ports(3)
    ready = launch(
        install,
        name=name,
        http_port=http_port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        repository=write_vllm_repository(root / name, plan, replica=name),
        backends=prepare_backends(install, root / "backends"),
        shm_prefix=f"sre-test{os.getpid()}-{name}-",
    )
    mark = f"{os.getpid()}-{name}"
    log = root / f"{name}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            ready.argv, env={**ready.env, MARK: mark}, stdout=sink, stderr=sink, start_new_session=True
        )
    return Replica(process, f"127.0.0.1:{grpc_port}", metrics_port, log, mark)


def end(replica: Replica) -> None:
    replica.process.kill()
    replica.process.wait()
    wait_for_the_end(replica)


def wait_for_the_end(replica: Replica, *, but: int = 0, within_s: float = 10) -> list[psutil.Process]:
    """Wait until no more than `but` processes of the replica live. Returns those that do (the dead have no mark)."""
    deadline = time.monotonic() + within_s
    while len(left := replica.tree()) > but and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


async def wait_until_ready(replica: Replica) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        try:
            await probe(replica.grpc_address, 5)
        except ProbeFailed:
            assert replica.process.poll() is None, replica.tail()
            assert time.monotonic() < deadline, replica.tail()
            await asyncio.sleep(0.2)
        else:
            return


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> VllmPlan:
    return prepare_vllm(tmp_path_factory.mktemp("vllm"), replicas=2)


@pytest.fixture(scope="module")
def pair(plan: VllmPlan, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Replica, Replica]]:
    root = tmp_path_factory.mktemp("pair")
    replicas = start(root, plan, "llm-0"), start(root, plan, "llm-1")
    try:
        for replica in replicas:
            asyncio.run(wait_until_ready(replica))
        yield replicas
    finally:
        for replica in replicas:
            end(replica)


@pytest.fixture
async def client(pair: tuple[Replica, Replica]) -> AsyncIterator[Any]:
    opened = open_client(pair[0].grpc_address)
    yield opened
    await opened.close()


@pytest.fixture
async def other(pair: tuple[Replica, Replica]) -> AsyncIterator[Any]:
    opened = open_client(pair[1].grpc_address)
    yield opened
    await opened.close()


@dataclass(frozen=True)
class Piece:
    text: str
    ids: tuple[int, ...]
    finish: tuple[str, int, int] | None


async def pieces(client: Any, prompt: str, **sampling: Any) -> AsyncIterator[Piece]:
    async def requests() -> AsyncIterator[dict[str, Any]]:
        yield {"model_name": MODEL_NAME, "inputs": build_inputs(prompt, {**GREEDY, **sampling})}

    stream = client.stream_infer(requests())
    try:
        async for result, error in stream:
            if error is not None:
                raise error
            reason = result.as_numpy("finish_reason")
            totals = [result.as_numpy(f"num_{side}_tokens") for side in ("input", "output")]
            finish = None if reason is None else (reason[0].decode(), int(totals[0][0]), int(totals[1][0]))
            ids = tuple(int(number) for number in result.as_numpy("token_ids"))
            yield Piece(result.as_numpy("text_output")[0].decode(), ids, finish)
    finally:
        stream.cancel()


async def ask(client: Any, prompt: str, **sampling: Any) -> list[Piece]:
    return [piece async for piece in pieces(client, prompt, **sampling)]


def text_of(answer: list[Piece]) -> str:
    return "".join(piece.text for piece in answer)


def ids_of(answer: list[Piece]) -> list[int]:
    return [number for piece in answer for number in piece.ids]


async def metrics(replica: Replica) -> dict[str, float]:
    import aiohttp

    url = f"http://127.0.0.1:{replica.metrics_port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        body = await response.text()
    lines = [line.rsplit(" ", 1) for line in body.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def series(name: str, **labels: str) -> str:
    inside = ",".join(f'{key}="{value}"' for key, value in sorted({**labels, "model_name": MODEL_NAME}.items()))
    return f"{name}{{{inside}}}"


RUNNING, WAITING = series("vllm:num_requests_running"), series("vllm:num_requests_waiting")
GENERATED = series("vllm:generation_tokens_total")
ABORTED = series("vllm:request_success_total", finished_reason="abort")


async def eventually(
    replica: Replica, condition: Callable[[dict[str, float]], bool], within_s: float = 10
) -> dict[str, float]:
    deadline = time.monotonic() + within_s
    while not condition(current := await metrics(replica)):
        assert time.monotonic() < deadline, {name: value for name, value in current.items() if "vllm:num" in name}
        await asyncio.sleep(0.05)
    return current


async def settled(replica: Replica) -> dict[str, float]:
    """The metrics once nothing runs and no counter moves any more: they come up to half a second late."""
    before, current = {"": 0.0}, await eventually(replica, lambda now: now[RUNNING] == 0)
    while current != before:
        await asyncio.sleep(0.8)
        before, current = current, {name: value for name, value in (await metrics(replica)).items() if "vllm:" in name}
    return current


async def test_a_stream_gives_one_piece_a_token_and_honest_totals(client: Any) -> None:
    answer = await ask(client, "the quick number", max_tokens=40)
    assert len(ids_of(answer)) == 40
    assert len(answer) > 20, "it streams"
    assert answer[-1].finish is not None
    reason, prompt_tokens, output_tokens = answer[-1].finish
    assert (reason, output_tokens) == ("length", 40)
    assert prompt_tokens > 2
    assert len(set(ids_of(answer))) > 10, "a model that says the same token over and over would prove nothing"


async def test_every_cut_of_a_greedy_answer_goes_on_byte_for_byte_on_another_replica(client: Any, other: Any) -> None:
    prompt = "a level river of naïve words"
    whole = await ask(client, prompt, max_tokens=64)
    assert text_of(await ask(other, prompt, max_tokens=64)) == text_of(whole), "the replicas are not the same model"
    for cut in range(len(whole)):
        had = whole[:cut]
        resume = {"output_tokens": len(ids_of(had)), "text": text_of(had), "token_ids": ids_of(had)}
        rest = await ask(other, prompt, max_tokens=64, resume=resume)
        assert text_of(had) + text_of(rest) == text_of(whole), cut
        assert ids_of(had) + ids_of(rest) == ids_of(whole), cut
        assert rest[-1].finish == whole[-1].finish, cut


async def test_a_stop_string_across_the_seam_still_ends_the_answer(client: Any, other: Any) -> None:
    plain = text_of(await ask(client, "stop here", max_tokens=60))
    stop = plain[100:112]
    whole = await ask(client, "stop here", max_tokens=60, stop=[stop])
    assert text_of(whole) == plain[: plain.find(stop)]
    assert whole[-1].finish is not None
    assert whole[-1].finish[0] == "stop"
    had = whole[:-2]
    resume = {"output_tokens": len(ids_of(had)), "text": text_of(had), "token_ids": ids_of(had)}
    rest = await ask(other, "stop here", max_tokens=60, stop=[stop], resume=resume)
    assert text_of(had) + text_of(rest) == text_of(whole)
    assert rest[-1].finish == whole[-1].finish


async def test_cancelling_a_stream_stops_the_work(pair: tuple[Replica, Replica], client: Any) -> None:
    before = await settled(pair[0])
    async with aclosing(pieces(client, "never ending", max_tokens=1900)) as stream:
        await anext(stream)
        busy = await eventually(pair[0], lambda now: now[RUNNING] == 1)
        assert busy[series("vllm:kv_cache_usage_perc")] > 0
    wanted = {RUNNING: 0, WAITING: 0, series("vllm:kv_cache_usage_perc"): 0, ABORTED: before[ABORTED] + 1}
    await eventually(pair[0], lambda now: all(now[name] == value for name, value in wanted.items()))
    made = (await settled(pair[0]))[GENERATED] - before[GENERATED]
    assert made < 900, "of 1,900: the work went on after the client left"
    assert len(ids_of(await ask(client, "still serving", max_tokens=3))) == 3


async def test_continuous_batching_gives_eight_streams_three_times_the_tokens(client: Any) -> None:
    async def rate(streams: int, tokens: int = 96) -> float:
        begun = time.monotonic()
        answers = await asyncio.gather(*(ask(client, f"stream {n} runs", max_tokens=tokens) for n in range(streams)))
        assert all(len(ids_of(answer)) == tokens for answer in answers)
        return streams * tokens / (time.monotonic() - begun)

    await rate(8, 16)
    alone = max([await rate(1) for _ in range(3)])
    together = max([await rate(8) for _ in range(3)])
    assert together >= 3 * alone, f"{together:.0f} tokens/s at 8 streams, {alone:.0f} at 1"


async def test_every_series_of_the_contract_is_published_and_counts(pair: tuple[Replica, Replica], client: Any) -> None:
    before = await settled(pair[0])
    long = "the path of water " * 60
    for _ in range(2):
        await ask(client, long, max_tokens=30)
    now = await settled(pair[0])
    assert now[GENERATED] == before[GENERATED] + 60
    assert {series(reading.name, **dict(reading.labels)) for reading in readings(EngineMetrics())} <= set(now)
    assert now[series("vllm:prefix_cache_hits_total")] > before[series("vllm:prefix_cache_hits_total")]
    for name in ("vllm:time_to_first_token_seconds", "vllm:inter_token_latency_seconds"):
        assert now[series(f"{name}_count")] > before[series(f"{name}_count")]
    everything = await metrics(pair[0])
    for phase in ("import", "configure", "load", "warmup"):
        assert everything[series("sre_engine_cold_start_seconds", phase=phase)] > 0


@pytest.mark.parametrize(
    ("sampling", "words"),
    [
        ({"max_tokens": 0}, "INVALID_ARG: sampling_parameters: max_tokens is 0"),
        ({"max_tokens": 5000}, "INVALID_ARG: .* exceed the model's length of 2048"),
        ({"max_tokens": 9, "deadline_at": 1.0}, "DEADLINE_EXCEEDED:"),
        ({"max_tokens": 9, "resume": {"output_tokens": 2, "text": "a", "token_ids": [1]}}, "INVALID_ARG: resume: 1"),
        ({"max_tokens": 9, "resume": {"output_tokens": 1, "text": "a", "token_ids": [9999]}}, "another model's"),
    ],
)
async def test_a_bad_or_late_request_is_told_so_and_hurts_nobody(
    client: Any, sampling: dict[str, Any], words: str
) -> None:
    with pytest.raises(InferenceServerException, match=words):
        await ask(client, "hello", **sampling)
    assert len(ids_of(await ask(client, "hello", max_tokens=2))) == 2


async def test_a_hung_engine_shows_its_waiting_requests_and_its_stall(pair: tuple[Replica, Replica]) -> None:
    replica = pair[1]
    core = replica.named("VLLM::EngineCore")
    hung = open_client(replica.grpc_address)
    core.suspend()
    try:
        asking = asyncio.create_task(ask(hung, "anybody there", max_tokens=5))
        stalled = series("sre_engine_stalled_seconds")
        now = await eventually(replica, lambda now: now.get(stalled, 0) > 1)
        assert now[RUNNING] + now[WAITING] == 1, "upstream's metrics show an idle engine here"
    finally:
        core.resume()
    assert len(ids_of(await asyncio.wait_for(asking, 30))) == 5, "and it goes on when the engine does"
    await hung.close()


async def test_a_dead_engine_fails_its_streams_at_once_and_ends_the_replica(pair: tuple[Replica, Replica]) -> None:
    replica = pair[1]
    doomed = open_client(replica.grpc_address)
    stream = pieces(doomed, "never ending", max_tokens=1900)
    await anext(stream)
    replica.named("VLLM::EngineCore").send_signal(signal.SIGKILL)
    killed_at = time.monotonic()
    with pytest.raises(InferenceServerException, match="the engine is dead"):
        async for _ in stream:
            pass
    assert time.monotonic() - killed_at < 5
    await doomed.close()
    await asyncio.to_thread(replica.process.wait, 20)
    assert not await asyncio.to_thread(wait_for_the_end, replica), "something outlived the replica"


@pytest.mark.parametrize("victim", ["tritonserver", "worker.py", "VLLM::Worker"])
async def test_nothing_outlives_any_process_killed_by_force(plan: VllmPlan, tmp_path: Path, victim: str) -> None:
    replica = start(tmp_path, plan, "llm-2")
    try:
        await wait_until_ready(replica)
        assert len([process for process in replica.tree() if "VLLM::" in " ".join(process.cmdline())]) == 2
        replica.named(victim).send_signal(signal.SIGKILL)
        assert not await asyncio.to_thread(wait_for_the_end, replica, within_s=15)
    finally:
        end(replica)


async def test_nothing_outlives_a_stub_killed_by_force(pair: tuple[Replica, Replica]) -> None:
    replica = pair[0]
    names = [" ".join(process.cmdline()) for process in replica.tree()]
    assert sum("VLLM::" in name for name in names) == 2, names
    replica.named("triton_python_backend_stub").send_signal(signal.SIGKILL)
    left = await asyncio.to_thread(wait_for_the_end, replica, but=1)
    assert [process.pid for process in left] == [replica.process.pid], "only the server itself may be left"
