"""Stub workers and the two gateways in front of them, as processes: started, hurt and ended by the benchmarks."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import psutil

from serving.fleet.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
ROUTER = ROOT / ".venv-router" / "bin" / "vllm-router"
WITHIN_S = 30.0
_POLL_S = 0.02


class StubFleet:
    """Use as a context manager: all processes end with it. `delay_ms` is a worker's time between two tokens."""

    def __init__(self, folder: Path, *, workers: int, delay_ms: float) -> None:
        self._folder = folder
        self._delay_ms = delay_ms
        self.worker_ports = free_ports(workers)
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        self._others: list[subprocess.Popen[bytes]] = []

    def __enter__(self):
        for port in self.worker_ports:
            self.start_worker(port)
        return self

    def __exit__(self, *_):
        for process in (*self._others, *self._workers.values()):
            process.kill()
            process.wait()

    def url_of(self, port: int) -> str:
        return f"http://127.0.0.1:{port}"

    def start_worker(self, port: int) -> None:
        script = str(Path(__file__).with_name("stub_worker.py"))
        command = [sys.executable, script, "--port", str(port), "--delay-ms", str(self._delay_ms)]
        self._workers[port] = self._spawn(command, f"worker-{port}.log")

    def kill_worker(self, port: int) -> None:
        self._workers[port].kill()
        self._workers[port].wait()

    def freeze_worker(self, port: int) -> None:
        self._workers[port].send_signal(signal.SIGSTOP)

    def thaw_worker(self, port: int) -> None:
        self._workers[port].send_signal(signal.SIGCONT)

    def start_gateway(self, **settings) -> Ours:
        port = free_ports(1)[0]
        replicas = [{"name": f"llm-{p}", "url": self.url_of(p)} for p in self.worker_ports]
        path = self._folder / f"gateway-{port}.json"
        path.write_text(json.dumps({"port": port, "replicas": replicas} | settings), encoding="utf-8")
        process = self._spawn([sys.executable, "-m", "serving.gateway", "--config", str(path)], f"gateway-{port}.log")
        return Ours(self.url_of(port), process.pid)

    def start_router(self) -> Theirs:
        """vllm-router, its health checks and circuit breaker set to react as fast as its options allow."""
        port, metrics_port = free_ports(2)
        seconds = {"health-check-interval": 1, "health-check-timeout": 1, "cb-timeout-duration": 1}
        command = [str(ROUTER), "--host", "127.0.0.1", "--port", str(port)]
        command += ["--worker-urls", *map(self.url_of, self.worker_ports), "--policy", "round_robin"]
        command += ["--prometheus-host", "127.0.0.1", "--prometheus-port", str(metrics_port)]
        command += [part for name, value in seconds.items() for part in (f"--{name}-secs", str(value))]
        command += ["--health-failure-threshold", "1", "--health-success-threshold", "1"]
        process = self._spawn(command, "router.log")
        return Theirs(self.url_of(port), process.pid)

    def _spawn(self, command: list[str], log: str) -> subprocess.Popen[bytes]:
        with (self._folder / log).open("ab") as output:
            process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        if not log.startswith("worker"):
            self._others.append(process)
        return process


class _Gateway:
    """A running gateway: where it listens, what it costs, and whom it would send work to."""

    name = ""

    def __init__(self, url: str, pid: int) -> None:
        self.url = url
        self._process = psutil.Process(pid)

    def cpu_s(self) -> float:
        """Of all its processes."""
        return sum(self.cpu_of_each_s())

    def cpu_of_each_s(self) -> list[float]:
        """Its own first, then its children's."""
        times = [process.cpu_times() for process in (self._process, *self._process.children())]
        return [time.user + time.system for time in times]

    async def in_rotation(self, session: aiohttp.ClientSession) -> set[int]:
        raise NotImplementedError

    async def wait_for(self, session: aiohttp.ClientSession, ports, *, within_s: float = WITHIN_S) -> float:
        """Seconds until exactly `ports` are in rotation; infinite when that took longer than `within_s`."""
        began = time.monotonic()
        while time.monotonic() < began + within_s:
            try:
                if await self.in_rotation(session) == set(ports):
                    return time.monotonic() - began
            except aiohttp.ClientError:
                pass  # still starting
            await asyncio.sleep(_POLL_S)
        return float("inf")


class Ours(_Gateway):
    name = "ours"

    async def in_rotation(self, session):
        async with session.get(f"{self.url}/metrics") as response:
            page = await response.text()
        up = re.findall(r'^sre_gateway_replica_up\{replica="llm-(\d+)"\} 1\.0$', page, re.MULTILINE)
        return {int(port) for port in up}


class Theirs(_Gateway):
    name = "vllm-router"

    async def in_rotation(self, session):
        async with session.get(f"{self.url}/workers") as response:
            workers = (await response.json())["workers"]
        return {int(worker["url"].rsplit(":", 1)[1]) for worker in workers if worker["is_healthy"]}
