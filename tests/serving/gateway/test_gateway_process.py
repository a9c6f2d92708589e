"""`python -m serving.gateway` as a process, alone and with workers: exit codes, log lines, drain, death."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from contextlib import asynccontextmanager

import aiohttp
import psutil
import pytest
from fake_triton import FakeTriton, text_of

WITHIN_S = 15
WORKERS = pytest.mark.parametrize("workers", [1, 2], ids=["one process", "two workers"])


@pytest.fixture
async def triton():
    fake = FakeTriton()
    await fake.start()
    yield fake
    await fake.stop()


async def spawn(tmp_path, **fields):
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps({"port": 0, "health": {"probe_interval_s": 0.1}} | fields), encoding="utf-8")
    command = (sys.executable, "-m", "serving.gateway", "--config", str(path))
    return await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE, env=dict(os.environ))


def replicas(*addresses):
    return [{"name": f"llm-{n}", "grpc_address": address} for n, address in enumerate(addresses)]


@asynccontextmanager
async def running(tmp_path, triton, **fields):
    """A gateway process whose replica is up, and its URL. Ended by the test or killed."""
    process = await spawn(tmp_path, replicas=replicas(triton.address), **fields)
    try:
        async with asyncio.timeout(WITHIN_S):
            seen = {}
            while not {"replica_up", "gateway_started"} <= set(seen):
                line = json.loads(await process.stderr.readline())
                seen[line["event"]] = line
        yield process, seen["gateway_started"]["url"]
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def end(process):
    """Exit code and the log lines after what was read."""
    async with asyncio.timeout(WITHIN_S):
        _, errors = await process.communicate()
    return process.returncode, [json.loads(line) for line in errors.decode().splitlines()]


async def test_a_bad_configuration_is_one_line_and_exit_2(tmp_path):
    process = await spawn(tmp_path, host="0.0.0.0", replicas=[])  # noqa: S104
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert len(errors.decode().splitlines()) == 1


@WORKERS
async def test_a_port_in_use_is_one_line_and_exit_3(tmp_path, workers):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = await spawn(tmp_path, port=port, replicas=replicas("127.0.0.1:1"), workers=workers)
        _, errors = await process.communicate()
    assert process.returncode == 3
    assert errors.decode() == f"gateway: 127.0.0.1:{port} is in use: free it or set another port\n"


@WORKERS
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_running_requests_finish(tmp_path, triton, number, workers):
    async with running(tmp_path, triton, workers=workers) as (process, url), aiohttp.ClientSession() as session:
        body = {"model": "llm", "prompt": "w1 pause w3", "stream": True}
        response = await session.post(f"{url}/v1/completions", json=body)
        await response.content.readuntil(b"\n\n")
        process.send_signal(number)
        while json.loads(await process.stderr.readline())["event"] != "gateway_stopping":
            pass
        with pytest.raises(aiohttp.ClientConnectorError):
            await connect_anew(f"{url}/health")
        triton.release()
        assert (await response.text()).endswith("data: [DONE]\n\n")
        code, lines = await end(process)
    assert code == 0
    assert lines[-1]["event"] == "gateway_stopped"
    assert lines[-1]["cut"] == 0


@WORKERS
async def test_a_stopping_gateway_is_first_not_ready_and_serves_on(tmp_path, triton, workers):
    async with running(tmp_path, triton, workers=workers) as (process, url), aiohttp.ClientSession() as session:
        process.send_signal(signal.SIGTERM)
        while json.loads(await process.stderr.readline())["event"] != "gateway_stopping":
            pass
        async with session.get(f"{url}/ready") as response:
            assert response.status == 503
        async with session.post(f"{url}/v1/completions", json={"model": "llm", "prompt": "w1"}) as response:
            assert response.status == 200
        code, _ = await end(process)
    assert code == 0


async def connect_anew(url):
    connector = aiohttp.TCPConnector(force_close=True)
    async with asyncio.timeout(WITHIN_S), aiohttp.ClientSession(connector=connector) as session:
        while True:
            async with session.get(url):
                await asyncio.sleep(0.01)


@WORKERS
async def test_what_does_not_finish_in_time_is_cut(tmp_path, triton, workers):
    fields = {"drain_timeout_s": 0.2, "workers": workers}
    async with running(tmp_path, triton, **fields) as (process, url), aiohttp.ClientSession() as session:
        body = {"model": "llm", "prompt": "w1 hang", "stream": True}
        response = await session.post(f"{url}/v1/completions", json=body)
        await response.content.readuntil(b"\n\n")
        process.send_signal(signal.SIGTERM)
        code, lines = await end(process)
        with pytest.raises(aiohttp.ClientError):
            await response.read()
    assert code == 0
    assert lines[-1]["cut"] == 1


async def test_failures_are_logged_without_the_prompt(tmp_path, triton):
    once = {"failover": {"max_attempts": 1, "max_replays": 0}}
    async with running(tmp_path, triton, **once) as (process, url), aiohttp.ClientSession() as session:
        for prompt in ("secret stub", "w1 secret stub"):
            body = {"model": "llm", "prompt": prompt, "stream": True}
            async with session.post(f"{url}/v1/completions", json=body) as response:
                await response.read()
        process.send_signal(signal.SIGTERM)
        code, lines = await end(process)
    failed, truncated = (line for line in lines if line["event"] == "request")
    assert code == 0
    assert (failed["outcome"], failed["level"], failed["status"]) == ("error", "error", 502)
    assert (truncated["outcome"], truncated["level"], truncated["tokens"]) == ("truncated", "error", 1)
    assert failed["request_id"] != truncated["request_id"]
    assert "secret" not in json.dumps(lines)
    assert text_of(1) not in json.dumps(lines, ensure_ascii=False)


def family(process):
    """The gateway and all that descends from it."""
    parent = psutil.Process(process.pid)
    return [parent, *parent.children(recursive=True)]


async def test_a_killed_gateway_takes_its_workers_with_it_also_those_that_hang(tmp_path, triton):
    async with running(tmp_path, triton, workers=2) as (process, _):
        everybody = family(process)
        assert len(everybody) == 3
        everybody[1].send_signal(signal.SIGSTOP)
        process.kill()
        await process.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, everybody, timeout=WITHIN_S)
    assert alive == []


async def test_workers_leave_it_to_the_gateway_when_to_end(tmp_path, triton):
    """A terminal's Ctrl-C and a service manager's SIGTERM reach the whole group."""
    async with running(tmp_path, triton, workers=2) as (process, url), aiohttp.ClientSession() as session:
        body = {"model": "llm", "prompt": "w1 pause w3", "stream": True}
        response = await session.post(f"{url}/v1/completions", json=body)
        await response.content.readuntil(b"\n\n")
        everybody = family(process)
        for number in (signal.SIGINT, signal.SIGTERM):
            for member in everybody[1:]:
                member.send_signal(number)
        process.send_signal(signal.SIGTERM)
        triton.release()
        assert (await response.text()).endswith("data: [DONE]\n\n")
        code, lines = await end(process)
    assert code == 0
    assert [line["requests_lost"] for line in lines if line["event"] == "worker_exited"] == [0, 0]
    assert not any(member.is_running() for member in everybody)
