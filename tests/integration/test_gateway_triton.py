"""The gateway in front of two real Triton replicas: exact text, cancellation, and replicas that die or freeze."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
import pytest

from serving.engine.sampling import Sampling
from serving.engine.tokens import answer
from serving.engine.triton import find_triton, launch, prepare_backends, write_model_repository
from serving.errors import EnvironmentLacks
from serving.fleet.ports import free_ports
from serving.gateway.app import Gateway
from serving.gateway.config import GatewayConfig

pytestmark = pytest.mark.integration

READY_WITHIN_S = 60
PROFILE = "h100-llama3-8b-tp1"


@dataclass
class Server:
    """One Triton process that can be killed and started again on its ports."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]
    grpc_address: str
    metrics_url: str
    log: Path
    shm_prefix: str
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as sink:
            self.process = subprocess.Popen(self.argv, env=self.env, stdout=sink, stderr=sink, start_new_session=True)

    def kill(self) -> None:
        """kill -9, and the end of what it leaves: a stub whose server dies under load can wait on its lock for ever."""
        assert self.process is not None
        stubs = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.kill()
        self.process.wait()
        for stub in stubs:
            with contextlib.suppress(psutil.NoSuchProcess):
                stub.kill()
        psutil.wait_procs(stubs, timeout=5)
        for region in Path("/dev/shm").glob(f"{self.shm_prefix}*"):  # noqa: S108  Triton's place
            region.unlink()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open, nothing comes any more."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill_stub(self) -> None:
        assert self.process is not None
        (stub,) = psutil.Process(self.process.pid).children()
        stub.kill()


@dataclass
class Answered:
    """What a client received."""

    status: int
    replicas: list[str]
    text: str = ""
    finish_reason: str | None = None
    done: bool = False
    error: dict[str, str] = field(default_factory=dict)


@dataclass
class World:
    gateway: Gateway
    session: aiohttp.ClientSession
    servers: list[Server]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.gateway.port}/v1/completions"

    async def stream(self, prompt: str, max_tokens: int, **more: object) -> Answered:
        body = {"model": "llm", "prompt": prompt, "max_tokens": max_tokens, "ignore_eos": True, "stream": True} | more
        async with self.session.post(self.url, json=body) as response:
            replicas = response.headers["x-sre-replicas"].split(",")
            if response.status != 200:
                return Answered(response.status, replicas, error=(await response.json())["error"])
            return read_events(Answered(response.status, replicas), await response.text())

    def up(self) -> list[str]:
        return [replica.name for replica in self.gateway.pool if replica.up]

    def value(self, name: str, **labels: str) -> float:
        return self.gateway.metrics.registry.get_sample_value(f"sre_gateway_{name}", labels) or 0.0

    async def until(self, condition: Callable[[], bool], within_s: float = READY_WITHIN_S) -> None:
        async with asyncio.timeout(within_s):
            while not condition():
                await asyncio.sleep(0.02)

    async def running(self) -> int:
        """Requests in all engines, by Triton's own metric."""
        count = 0.0
        for server in self.servers:
            async with self.session.get(server.metrics_url) as response:
                lines = (await response.text()).splitlines()
            count += sum(float(line.split()[-1]) for line in lines if line.startswith("vllm:num_requests_running{"))
        return int(count)


def read_events(answered: Answered, text: str) -> Answered:
    for line in text.split("\n\n")[:-1]:
        payload = line.removeprefix("data: ")
        if payload == "[DONE]":
            answered.done = True
            continue
        chunk = json.loads(payload)
        if "error" in chunk:
            answered.error = chunk["error"]
            continue
        answered.text += chunk["choices"][0]["text"]
        answered.finish_reason = chunk["choices"][0]["finish_reason"]
    return answered


def expected(prompt: str, max_tokens: int) -> str:
    return answer(prompt, Sampling(max_tokens=max_tokens, ignore_eos=True)).text()


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    try:
        install = find_triton()
    except EnvironmentLacks as error:
        pytest.skip(f"Triton: {error}")
    root = tmp_path_factory.mktemp("gateway")
    backends = prepare_backends(install, root / "backends")
    made = []
    for number in range(2):
        name = f"llm-{number}"
        http_port, grpc_port, metrics_port = free_ports(3)
        shm_prefix = f"sre-gwtest{os.getpid()}-{name}"
        start = launch(
            install,
            name=name,
            http_port=http_port,
            grpc_port=grpc_port,
            metrics_port=metrics_port,
            repository=write_model_repository(root / name, profile=PROFILE, time_scale=1.0, replica=name),
            backends=backends,
            shm_prefix=shm_prefix,
        )
        metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
        address = f"127.0.0.1:{grpc_port}"
        made.append(Server(name, start.argv, start.env, address, metrics_url, root / f"{name}.log", shm_prefix))
    try:
        for server in made:
            server.start()
        yield made
    finally:
        for server in made:
            server.kill()


@pytest.fixture
async def world(servers: list[Server]) -> AsyncIterator[World]:
    """A fresh gateway with both replicas up; servers that a test killed are started again."""
    for server in servers:
        if server.process is None or server.process.poll() is not None:
            server.start()
    config = GatewayConfig(
        port=0,
        health={"probe_interval_s": 0.2},
        replicas=[{"name": server.name, "grpc_address": server.grpc_address} for server in servers],
    )
    async with aiohttp.ClientSession() as session:
        world = World(Gateway(config), session, servers)
        await world.gateway.start()
        try:
            await world.until(lambda: len(world.up()) == 2)
            yield world
        finally:
            await world.gateway.stop()


async def test_text_totals_and_finish_reason_are_exact(world: World) -> None:
    prompt = "wie groß ist die Welt ✓"
    answered = await world.stream(prompt, 60)
    assert answered.text == expected(prompt, 60)
    assert (answered.finish_reason, answered.done) == ("length", True)
    assert world.value("tokens_total", kind="generation") == 60
    assert world.value("tokens_total", kind="prompt") == 6
    assert world.value("good_tokens_total") + world.value("wasted_tokens_total") in {0, 60}


async def test_a_stop_string_is_honoured_and_its_tokens_counted(world: World) -> None:
    plain = expected("hello", 20)
    stop = " ".join(plain.split()[6:8])
    answered = await world.stream("hello", 20, stop=[stop])
    assert answered.text == plain.partition(stop)[0]
    assert answered.finish_reason == "stop"
    assert world.value("tokens_total", kind="generation") >= 6


async def test_what_the_engine_refuses_is_400(world: World) -> None:
    answered = await world.stream("hello", 40_000)
    assert (answered.status, answered.error["type"]) == (400, "invalid_request_error")
    assert "model's length of 32768" in answered.error["message"]
    assert len(world.up()) == 2


async def test_a_client_that_leaves_frees_the_engine(world: World) -> None:
    body = {"model": "llm", "prompt": "never ending", "max_tokens": 20_000, "ignore_eos": True, "stream": True}
    response = await world.session.post(world.url, json=body)
    await response.content.readuntil(b"\n\n")
    async with asyncio.timeout(10):
        while await world.running() != 1:
            await asyncio.sleep(0.05)
        response.close()
        while await world.running():
            await asyncio.sleep(0.05)
    assert world.value("requests_total", outcome="cancelled") == 1


async def test_kill_9_under_load_costs_no_request_and_no_byte(world: World) -> None:
    victim = world.servers[0]
    early = [asyncio.create_task(world.stream(f"early {n}", 300)) for n in range(12)]
    await world.until(lambda: world.value("ttft_seconds_count") == 12)
    late = [asyncio.create_task(world.stream(f"late {n} " + "word " * 3000, 30)) for n in range(12)]
    await world.until(lambda: world.value("replica_inflight", replica=victim.name) == 12)
    victim.kill()
    after = [asyncio.create_task(world.stream(f"after {n}", 30)) for n in range(6)]
    answers = await asyncio.gather(*early, *late, *after)

    prompts = [f"early {n}" for n in range(12)] + [f"late {n} " + "word " * 3000 for n in range(12)]
    prompts += [f"after {n}" for n in range(6)]
    limits = [300] * 12 + [30] * 18
    assert [a.text for a in answers] == [expected(p, limit) for p, limit in zip(prompts, limits, strict=True)]
    assert all(a.done and a.finish_reason == "length" for a in answers)
    assert world.value("requests_total", outcome="ok") == 30
    assert world.value("replays_total", result="ok") >= 6, "half of the early streams ran on the victim"
    assert world.value("replayed_tokens_total", kind="generation") > 0
    assert any(len(a.replicas) == 2 for a in answers), "nothing was retried before its first token"
    assert world.value("tokens_total", kind="generation") == sum(limits)
    assert world.up() == ["llm-1"]

    victim.start()
    await world.until(lambda: len(world.up()) == 2)
    served = [await world.stream(f"again {n}", 5) for n in range(4)]
    assert {a.replicas[0] for a in served} == {"llm-0", "llm-1"}


async def test_a_stream_outlives_both_of_its_replicas(world: World) -> None:
    """The one that died first has come back when the other dies."""
    request = asyncio.create_task(world.stream("long lived", 1000))
    await world.until(lambda: world.value("tokens_total", kind="generation") >= 50)
    first, second = world.servers
    if not world.value("replica_inflight", replica=first.name):
        first, second = second, first
    for died, victim in enumerate((first, second), start=1):
        victim.kill()
        await world.until(lambda died=died: world.value("replays_total", result="ok") == died)
        victim.start()
        await world.until(lambda: len(world.up()) == 2)
    answered = await request
    assert (answered.text, answered.done) == (expected("long lived", 1000), True)
    assert world.value("requests_total", outcome="ok") == 1


async def test_a_frozen_replica_is_ejected_and_its_streams_go_on(world: World) -> None:
    frozen = world.servers[0]
    requests = [asyncio.create_task(world.stream(f"cold {n}", 400)) for n in range(8)]
    await world.until(lambda: world.value("ttft_seconds_count") == 8)
    frozen.freeze()
    try:
        answers = await asyncio.gather(*requests)
        assert world.up() == ["llm-1"]
    finally:
        frozen.thaw()
    assert [a.text for a in answers] == [expected(f"cold {n}", 400) for n in range(8)]
    assert world.value("ejections_total", replica=frozen.name, reason="stall") == 1
    assert world.value("replays_total", result="ok") >= 4
    assert world.value("replays_total", result="failed") == 0
    await world.until(lambda: len(world.up()) == 2)


async def test_a_drained_replica_hands_its_streams_over(world: World) -> None:
    requests = [asyncio.create_task(world.stream(f"moving {n}", 400)) for n in range(8)]
    await world.until(lambda: world.value("ttft_seconds_count") == 8)
    pool = world.gateway.pool
    leaving = pool.get("llm-0")
    assert leaving is not None
    pool.drain(leaving, 0.0)
    answers = await asyncio.gather(*requests)
    assert [a.text for a in answers] == [expected(f"moving {n}", 400) for n in range(8)]
    assert world.value("replays_total", result="ok") == 4
    assert world.value("replica_requests_total", replica="llm-0", outcome="error") == 0


async def test_a_dead_stub_behind_a_ready_server_is_taken_out(world: World) -> None:
    """Triton goes on saying it is ready; every inference fails after about a second."""
    streams = [asyncio.create_task(world.stream(f"dying {n}", 300)) for n in range(4)]
    await world.until(lambda: world.value("ttft_seconds_count") == 4)
    world.servers[1].kill_stub()
    answers = await asyncio.gather(*(world.stream(f"gray {n}", 5) for n in range(4)))
    assert [a.text for a in answers] == [expected(f"gray {n}", 5) for n in range(4)]
    assert [a.text for a in await asyncio.gather(*streams)] == [expected(f"dying {n}", 300) for n in range(4)]
    await world.until(lambda: world.up() == ["llm-0"], within_s=15)
    world.servers[1].kill()
