"""The fault proxy with real sockets on loopback: what goes through it, what does not, and how it ends."""

import asyncio
import json
import os
import random
import signal
import socket
import sys
import time
from contextlib import asynccontextmanager, suppress

import pytest

from sre.chaos.processes.proxy.__main__ import main
from sre.chaos.processes.proxy.server import FaultProxy

WITHIN_S = 10.0


async def until(condition):
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.005)


class Echo:
    """Answers with what it gets, and remembers it."""

    def __init__(self):
        self.got = b""
        self.ended = 0
        self.reset = 0
        self._writers = []

    async def __call__(self, reader, writer):
        self._writers.append(writer)
        try:
            while data := await reader.read(65536):
                self.got += data
                writer.write(data)
                await writer.drain()
            self.ended += 1
        except ConnectionError:
            self.reset += 1
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@asynccontextmanager
async def through(rules=None, echo=None):
    """(proxy, echo, open): `await open()` is a connection through the proxy."""
    echo = echo or Echo()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = FaultProxy(server.sockets[0].getsockname())
    if rules is not None:
        proxy.tune(json.dumps(rules))
    host, _, port = (await proxy.listen()).partition(":")
    writers = []

    async def connect():
        reader, writer = await asyncio.open_connection(host, int(port))
        writers.append(writer)
        return reader, writer

    try:
        yield proxy, echo, connect
    finally:
        for writer in writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        proxy.close()
        server.close()
        await until(lambda: proxy.open_connections == 0)
        await asyncio.sleep(0.02)


async def exchange(connection, data):
    """Send it all while reading it all back."""
    reader, writer = connection

    async def send():
        for start in range(0, len(data), 50_000):
            writer.write(data[start : start + 50_000])
            await writer.drain()

    async with asyncio.timeout(WITHIN_S):
        _, answer = await asyncio.gather(send(), reader.readexactly(len(data)))
    return answer


async def test_without_rules_it_is_not_noticed():
    async with through() as (proxy, _, connect):
        data = random.Random(1).randbytes(3_000_000)
        assert await exchange(await connect(), data) == data
        facts = proxy.facts()
    assert (facts["transparent"], facts["accepted"], facts["to_replica"]["bytes"]) == (True, 1, len(data))
    assert facts["from_replica"]["delayed_bytes"] == 0


async def test_bytes_that_were_delayed_lost_and_throttled_arrive_intact_in_both_directions():
    rules = {"latency_ms": 5, "jitter_ms": 5, "loss_ratio": 0.01, "kbit_per_s": 40_000}
    async with through({"to_replica": rules, "from_replica": rules}) as (proxy, _, connect):
        data = random.Random(2).randbytes(100_000)
        assert await exchange(await connect(), data) == data
        facts = proxy.facts()
    for direction in ("to_replica", "from_replica"):
        assert facts[direction]["delayed_bytes"] >= len(data)
        assert facts[direction]["throttled_bytes"] >= len(data)


async def test_latency_is_paid_once_a_direction():
    async with through({"to_replica": {"latency_ms": 30}, "from_replica": {"latency_ms": 30}}) as (_, _, connect):
        began = time.monotonic()
        assert await exchange(await connect(), b"ping") == b"ping"
        assert time.monotonic() - began >= 0.06


async def test_an_end_is_passed_on_and_the_answer_still_arrives():
    async with through({"from_replica": {"latency_ms": 20}}) as (proxy, echo, connect):
        reader, writer = await connect()
        writer.write(b"the last words")
        writer.write_eof()
        async with asyncio.timeout(WITHIN_S):
            assert await reader.read() == b"the last words"
        assert echo.ended == 1
        await until(lambda: proxy.open_connections == 0)


async def test_a_reset_of_the_client_reaches_the_target():
    async with through() as (proxy, echo, connect):
        connection = await connect()
        await exchange(connection, b"hello")
        connection[1].transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
        )
        connection[1].transport.abort()
        await until(lambda: proxy.open_connections == 0 and echo.reset == 1)


async def test_nobody_behind_it_is_a_reset():
    proxy = FaultProxy(("127.0.0.1", 1))
    host, _, port = (await proxy.listen()).partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(WITHIN_S):
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
    assert proxy.facts()["refused"] == 1
    writer.close()
    proxy.close()


async def test_a_partition_delivers_nothing_and_everything_when_it_is_over():
    async with through() as (proxy, echo, connect):
        open_before = await connect()
        await exchange(open_before, b"before")
        proxy.tune(json.dumps({"to_replica": {"partition": True}, "from_replica": {"partition": True}}))
        open_during = await connect()
        for _, writer in (open_before, open_during):
            writer.write(b"during")
        await until(lambda: proxy.facts()["to_replica"]["held_bytes"] == 12)
        assert echo.got == b"before"
        proxy.clear()
        async with asyncio.timeout(WITHIN_S):
            assert [await reader.readexactly(6) for reader, _ in (open_before, open_during)] == [b"during"] * 2


@pytest.mark.parametrize(
    ("direction", "arrives", "answered"), [("to_replica", b"", False), ("from_replica", b"ping", False)]
)
async def test_a_partition_of_one_direction_lets_the_other_through(direction, arrives, answered):
    async with through() as (proxy, echo, connect):
        reader, writer = await connect()
        await exchange((reader, writer), b"x")
        proxy.tune(json.dumps({direction: {"partition": True}}))
        writer.write(b"ping")
        await until(lambda: proxy.facts()[direction]["held_bytes"] == 4)
        assert echo.got == b"x" + arrives
        proxy.clear()
        async with asyncio.timeout(WITHIN_S):
            assert await reader.readexactly(4) == b"ping"


async def test_an_end_does_not_get_through_a_partition():
    async with through() as (proxy, echo, connect):
        reader, writer = await connect()
        await exchange((reader, writer), b"x")
        proxy.tune(json.dumps({"to_replica": {"partition": True}}))
        writer.write_eof()
        await asyncio.sleep(0.05)
        assert echo.ended == 0
        proxy.clear()
        async with asyncio.timeout(WITHIN_S):
            assert await reader.read() == b""


async def test_what_nobody_takes_is_left_with_the_sender():
    async with through({"to_replica": {"partition": True}}) as (proxy, _, connect):
        _, writer = await connect()
        writer.transport.set_write_buffer_limits(high=64 * 1024)
        writer.write(bytes(20_000_000))
        await asyncio.sleep(0.1)
        assert 0 < proxy.facts()["to_replica"]["held_bytes"] < 1_000_000
        assert writer.transport.get_write_buffer_size() > 10_000_000
        writer.transport.abort()


async def test_every_connection_is_reset_the_open_ones_at_once():
    async with through() as (proxy, _, connect):
        opened = [await connect() for _ in range(3)]
        for connection in opened:
            await exchange(connection, b"x")
        proxy.tune(json.dumps({"reset": {"after_bytes": 0}}))
        opened.append(await connect())
        for reader, _ in opened:
            async with asyncio.timeout(WITHIN_S):
                with pytest.raises(ConnectionResetError):
                    await reader.readexactly(1)
        assert proxy.facts()["resets"] == 4


async def test_a_connection_is_reset_once_it_carried_so_much():
    async with through({"reset": {"after_bytes": 1000}}) as (proxy, _, connect):
        connection = await connect()
        assert await exchange(connection, bytes(400)) == bytes(400)
        assert proxy.facts()["resets"] == 0
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await exchange(connection, bytes(400))
        assert proxy.facts()["resets"] == 1


async def test_a_share_of_the_connections_is_reset_the_same_ones_each_time():
    async def fates():
        found = []
        async with through({"reset": {"after_bytes": 0, "share": 0.5}, "seed": 5}) as (_, _, connect):
            for _ in range(12):
                try:
                    found.append(await exchange(await connect(), b"x") == b"x")
                except (ConnectionError, asyncio.IncompleteReadError):
                    found.append(False)
        return found

    first = await fates()
    assert first == await fates()
    assert {True, False} == set(first)


async def test_bad_rules_change_nothing():
    async with through({"to_replica": {"latency_ms": 5}}) as (proxy, _, connect):
        with pytest.raises(Exception, match="latency_ms"):
            proxy.tune('{"to_replica": {"latency_ms": -5}}')
        assert not proxy.facts()["transparent"]
        assert await exchange(await connect(), b"x") == b"x"


@pytest.mark.parametrize("seed", range(8))
async def test_any_rules_in_any_order_that_end_transparent_lose_no_byte(seed):
    chance = random.Random(seed)

    def link():
        return {
            "latency_ms": chance.choice([0, 1, 20]),
            "jitter_ms": chance.choice([0, 5]),
            "loss_ratio": chance.choice([0, 0.3]),
            "kbit_per_s": chance.choice([0, 500, 50_000]),
            "partition": chance.random() < 0.3,
        }

    async with through() as (proxy, _, connect):
        data = chance.randbytes(400_000)
        sending = [asyncio.create_task(exchange(await connect(), data)) for _ in range(3)]
        for _ in range(12):
            await asyncio.sleep(chance.uniform(0, 0.02))
            proxy.tune(json.dumps({"to_replica": link(), "from_replica": link(), "seed": seed}))
        proxy.clear()
        assert await asyncio.gather(*sending) == [data] * 3


# the process


class Process:
    def __init__(self, tmp_path, port, *, deadline_s=60.0):
        self.rules, self.state = tmp_path / "rules.json", tmp_path / "state.json"
        self.argv = [sys.executable, "-m", "sre.chaos.processes.proxy", "--target", f"127.0.0.1:{port}"]
        self.argv += ["--rules", str(self.rules), "--state", str(self.state)]
        self.env = {**os.environ, "SRE_FAULT_DEADLINE_AT": repr(time.time() + deadline_s)}

    async def start(self):
        self.child = await asyncio.create_subprocess_exec(*self.argv, env=self.env)
        await until(self.state.exists)

    def seen(self):
        return json.loads(self.state.read_text())

    async def connect(self):
        host, _, port = self.seen()["listen"].partition(":")
        return await asyncio.open_connection(host, int(port))


@asynccontextmanager
async def process(tmp_path, **options):
    server = await asyncio.start_server(Echo(), "127.0.0.1", 0)
    made = Process(tmp_path, server.sockets[0].getsockname()[1], **options)
    await made.start()
    try:
        yield made
    finally:
        with suppress(ProcessLookupError):
            made.child.kill()
        await made.child.wait()
        server.close()
        await asyncio.sleep(0.02)


async def test_a_process_takes_new_rules_and_tells_that_it_did(tmp_path):
    async with process(tmp_path) as made:
        connection = await made.connect()
        assert await exchange(connection, b"x") == b"x"
        made.rules.write_text('{"to_replica": {"partition": true}, "revision": 7}')
        await until(lambda: made.seen()["revision"] == 7)
        connection[1].write(b"y")
        await until(lambda: made.seen()["to_replica"]["held_bytes"] == 1)
        made.rules.write_text("{nonsense")
        made.rules.write_text('{"revision": 8}')
        async with asyncio.timeout(WITHIN_S):
            assert await connection[0].readexactly(1) == b"y"
        connection[1].close()


async def test_told_to_end_it_lets_open_connections_end_and_takes_no_new_ones(tmp_path):
    async with process(tmp_path) as made:
        connection = await made.connect()
        made.rules.write_text('{"to_replica": {"partition": true}, "revision": 1}')
        await until(lambda: made.seen()["revision"] == 1)
        made.child.send_signal(signal.SIGTERM)
        await until(lambda: made.seen()["ending"])
        with pytest.raises(ConnectionRefusedError):
            await made.connect()
        assert await exchange(connection, b"still here") == b"still here"
        assert made.child.returncode is None
        connection[1].close()
        assert await asyncio.wait_for(made.child.wait(), WITHIN_S) == 0


async def test_at_its_deadline_it_is_harmless_and_then_gone(tmp_path):
    async with process(tmp_path, deadline_s=1.0) as made:
        made.rules.write_text('{"to_replica": {"partition": true}}')
        await until(lambda: made.seen()["ending"])
        connection = await made.connect()
        assert await exchange(connection, b"x") == b"x"
        connection[1].close()
        assert await asyncio.wait_for(made.child.wait(), WITHIN_S) == 0


@pytest.mark.parametrize(
    ("argv", "deadline", "named"),
    [
        (["--target", "10.0.0.1:80"], "9e9", "this machine only"),
        (["--target", "nowhere"], "9e9", "this machine only"),
        (["--page", "http://example.org/metrics"], "9e9", "this machine only"),
        (["--target", "127.0.0.1:1"], "", "SRE_FAULT_DEADLINE_AT"),
    ],
)
def test_it_leads_to_this_machine_only_and_must_know_its_end(argv, deadline, named, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SRE_FAULT_DEADLINE_AT", deadline)
    assert main([*argv, "--rules", str(tmp_path / "r"), "--state", str(tmp_path / "s")]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1
