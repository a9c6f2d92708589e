"""Clients that leave, read slowly, send slowly or send nonsense; and that nobody else notices."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest
from fake_triton import text_of

WITHIN_S = 5


@asynccontextmanager
async def connected(world, *, receive_bytes=None):
    """A bare connection to the gateway."""
    raw = socket.socket()
    if receive_bytes:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", world.gateway.port))
    reader, writer = await asyncio.open_connection(sock=raw)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def request(world, prompt, **more):
    body = json.dumps(world.body(prompt, **more)).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def answer_of(reader):
    """Everything until the gateway closes: status and body."""
    async with asyncio.timeout(WITHIN_S):
        raw = await reader.read()
    head, _, body = raw.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


@pytest.fixture
def big_tokens(monkeypatch):
    """A token of the word `w...` is 64 KiB long."""
    monkeypatch.setattr("fake_triton.token_text", lambda position: f"{position}:" + "x" * 65_536)


@asynccontextmanager
async def reading_nothing(world, prompt):
    """A client that has asked for a stream and lets it lie, over sockets that hold little."""
    for listener in world.listening():
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
    async with connected(world, receive_bytes=4096) as (reader, writer):
        writer.transport.pause_reading()
        writer.write(request(world, prompt, stream=True, max_tokens=1000))
        await world.until(lambda: world.value("tokens_total", kind="generation") > 0)
        yield reader, writer


async def test_a_client_that_reads_nothing_is_given_up_and_its_work_freed(start, big_tokens):
    world = await start("", write_timeout_s=0.3)
    async with reading_nothing(world, "w100"):
        await world.until(lambda: world.outcomes() == {"cancelled": 1})
    assert 16 <= world.value("tokens_total", kind="generation") < 32, "a lag of 1 MiB is allowed"
    assert world.value("replica_inflight", replica="llm-0") == 0
    assert world.up() == ["llm-0"]


async def test_a_client_that_never_takes_its_last_bytes_is_given_up_too(start, big_tokens):
    world = await start("", write_timeout_s=0.3)
    async with reading_nothing(world, "w10"):
        await world.until(lambda: world.value("tokens_total", kind="generation") == 10)
        await world.until(lambda: world.outcomes() == {"cancelled": 1})


async def test_the_wait_for_a_slow_client_is_no_gap_between_tokens(start, big_tokens):
    world = await start("", write_timeout_s=30)
    async with reading_nothing(world, "w60") as (reader, writer):
        seen = -1
        while seen != (seen := world.value("tokens_total", kind="generation")):
            await asyncio.sleep(0.3)
        assert seen < 60, "the stream is held up"
        writer.transport.resume_reading()
        async with asyncio.timeout(WITHIN_S):
            while b"[DONE]" not in await reader.read(65_536):
                pass
    await world.until(lambda: world.outcomes() == {"ok": 1})
    slow = world.value("inter_token_seconds_count") - world.value("inter_token_seconds_bucket", le="0.3")
    assert slow == 0
    assert world.value("goodput_good_total") == 1


async def test_a_slow_reader_does_not_slow_the_others(start, big_tokens):
    world = await start("", write_timeout_s=30)
    async with reading_nothing(world, "w60"):
        async with asyncio.timeout(WITHIN_S):
            assert (await world.stream("w3")).done
        assert world.up() == ["llm-0"]


async def test_a_client_that_leaves_the_queue_gives_up_its_place(start):
    world = await start("", replica={"max_seqs": 1})
    held = asyncio.create_task(world.post("pause w1"))
    await world.until(lambda: len(world.replicas[0].prompts) == 1)
    async with connected(world) as (_, writer):
        writer.write(request(world, "gone"))
        await world.until(lambda: world.value("queue_depth") == 1)
    await world.until(lambda: world.value("queue_depth") == 0)
    await world.until(lambda: world.outcomes() == {"cancelled": 1})
    world.replicas[0].release()
    await held
    assert world.replicas[0].prompts == ["pause w1"]


async def test_a_client_that_leaves_a_stream_frees_its_replica(start):
    world = await start("")
    async with connected(world) as (reader, writer):
        writer.write(request(world, "w2 hang", stream=True))
        await reader.readuntil(b"data: ")
    await world.until(lambda: world.replicas[0].cancelled == 1)


async def test_a_client_that_leaves_while_the_gateway_drains_is_no_error_of_ours(start):
    world = await start("", drain_timeout_s=5)
    async with connected(world) as (reader, writer):
        writer.write(request(world, "w2 hang", stream=True))
        await reader.readuntil(b"data: ")
        stopping = asyncio.create_task(world.gateway.stop())
        await asyncio.sleep(0.05)
    await stopping
    assert world.outcomes() == {"cancelled": 1}


async def test_what_the_drain_s_end_cuts_is_ours(start):
    world = await start("", drain_timeout_s=0.1)
    async with connected(world) as (reader, writer):
        writer.write(request(world, "w2 hang", stream=True))
        await reader.readuntil(b"data: ")
        await world.gateway.stop()
    assert world.outcomes() == {"truncated": 1}


async def test_an_unstreamed_answer_that_the_drain_s_end_cuts_is_an_error_as_its_client_got_nothing(start):
    world = await start("", drain_timeout_s=0.1)
    async with connected(world) as (_, writer):
        writer.write(request(world, "w2 hang"))
        await world.until(lambda: world.value("tokens_total", kind="generation") == 2)
        await world.gateway.stop()
    assert world.outcomes() == {"error": 1}


async def test_new_work_on_a_kept_connection_is_refused_while_draining(start):
    world = await start("")
    await world.post("w1")
    world.gateway.core.gate.draining = True
    status, answer, headers = await world.post("w1")
    assert (status, answer["error"]["code"], headers["Retry-After"]) == (503, "shutting_down", "1")
    assert world.value("rejections_total", reason="draining") == 1


async def test_headers_that_trickle_in_are_cut_off_at_their_time(start):
    world = await start("", header_timeout_s=0.3)
    async with connected(world) as (reader, writer):

        async def trickle():
            for letter in "POST /v1/completions HTTP/1.1\r\nx-slow: " + "a" * 1000:
                writer.write(letter.encode())
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(trickle())
        status, answer = await answer_of(reader)
        dripping.cancel()
    assert (status, answer["error"]["type"]) == (408, "invalid_request_error")
    assert world.outcomes() == {}


async def test_a_connection_that_sends_nothing_ends_without_a_word(start):
    world = await start("", header_timeout_s=0.2)
    async with connected(world) as (reader, _), asyncio.timeout(WITHIN_S):
        assert await reader.read() == b""


async def test_a_kept_connection_may_idle_longer_than_headers_may_take(start):
    world = await start("", header_timeout_s=0.2)
    async with connected(world) as (reader, writer):
        for _ in range(2):
            writer.write(request(world, "w1"))
            assert b" 200 " in await reader.readline()
            await reader.readuntil(b"}}")
            await asyncio.sleep(0.4)
        writer.write(b"POST /v1/comp")
        status, _ = await answer_of(reader)
    assert status == 408


async def test_a_request_that_takes_longer_than_headers_may_is_left_alone(start):
    world = await start("", header_timeout_s=0.2)
    held = asyncio.create_task(world.post("pause w1"))
    await asyncio.sleep(0.4)
    world.replicas[0].release()
    assert (await held)[0] == 200


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"GET /health HTTP/1.1\r\nAuthorization: Bearer " + b"s" * 9000 + b"\r\n\r\n", 431, "headers_too_large"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431, "headers_too_large"),
        (b"GET /health HTTP/1.1\r\n" + b"x: y\r\n" * 500 + b"\r\n", 400, None),
        (b"\x16\x03\x01\x02\x00 this is TLS\r\n\r\n", 400, None),
        (b"GET /health HTTP/1.1\r\nAuthorization Bearer sre-secret\r\n\r\n", 400, None),
    ],
    ids=["a long header", "a long path", "many headers", "TLS", "a broken header"],
)
async def test_what_is_no_request_gets_an_openai_shaped_error_and_no_echo(start, caplog, raw, status, code):
    world = await start("")
    async with connected(world) as (reader, writer):
        writer.write(raw)
        got, answer = await answer_of(reader)
    assert (got, answer["error"]["code"], answer["error"]["type"]) == (status, code, "invalid_request_error")
    assert "ssss" not in json.dumps(answer) + caplog.text
    assert "secret" not in json.dumps(answer) + caplog.text


async def test_a_wrong_method_is_told_which_are_allowed(start):
    world = await start("")
    async with world.session.get(f"{world.url}/v1/completions") as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")


async def misbehave(world):
    """The issue's list of bad input, each with its status."""
    post, statuses = world.post_raw, []
    model = {"model": "llm", "prompt": "x"}
    for body in (
        b"{",
        b'{"model": "llm", "prompt": "' + b"x" * 5000 + b'"}',
        json.dumps(model | {"model": "gpt-4"}).encode(),
        json.dumps(model | {"max_tokens": -1}).encode(),
        json.dumps(model | {"prompt": "word " * 500}).encode(),
    ):
        statuses.append((await post(body))[0])
    async with connected(world) as (reader, writer):
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: ")
        statuses.append((await answer_of(reader))[0])
    async with connected(world) as (reader, writer):
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        statuses.append(int((await reader.readline()).split()[1]))
    return statuses


async def test_bad_input_gets_its_error_and_another_stream_does_not_notice(start):
    limits = {"max_body_bytes": 4096, "header_timeout_s": 0.2, "body_timeout_s": 0.2, "replica": {"kv_tokens": 300}}
    world = await start("", **limits)
    stream = asyncio.create_task(world.stream("w2 pause w4"))
    await world.until(lambda: world.value("tokens_total", kind="generation") == 2)
    assert await misbehave(world) == [400, 413, 404, 400, 400, 408, 408]
    world.replicas[0].release()
    events = await stream
    assert (events.text, events.done) == (text_of(6), True)
    assert world.outcomes() == {"ok": 1, "invalid": 6}
    assert world.replicas[0].prompts == ["w2 pause w4"]


async def test_a_prompt_that_fits_no_replica_is_400(start):
    world = await start("", replica={"kv_tokens": 100})
    status, answer, _ = await world.post("word " * 101)
    assert (status, answer["error"]["code"]) == (400, "context_length_exceeded")


async def test_an_upload_that_breaks_off_gives_its_place_back(start):
    world = await start("")
    async with connected(world) as (_, writer):
        writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
        await world.until(lambda: world.gateway.core.gate.inflight == 1)
    await world.until(lambda: world.outcomes() == {"cancelled": 1})
    assert world.gateway.core.gate.inflight == 0
