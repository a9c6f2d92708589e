"""What the client calls each end of a request, against a small server that misbehaves on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from serving.loadgen.client import CompletionClient, open_session
from serving.loadgen.clock import steady_clock
from serving.loadgen.model import PlannedRequest, RequestRecord, Schedule
from serving.loadgen.runner import OpenLoop

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Start = Callable[[Handler], Awaitable[str]]
PLANNED = PlannedRequest(index=3, offset_s=0.0, prompt_tokens=4, max_tokens=3)


@pytest.fixture
async def serve() -> AsyncIterator[Start]:
    servers: list[TestServer] = []

    async def start(handler: Handler) -> str:
        app = web.Application()
        app.router.add_post("/v1/completions", handler)
        server = TestServer(app)
        await server.start_server()
        servers.append(server)
        return str(server.make_url("")).rstrip("/")

    yield start
    for server in servers:
        await server.close()


def chunk(text: str, finish: str | None = None) -> bytes:
    data = {"choices": [{"index": 0, "text": text, "finish_reason": finish}]}
    return f"data: {json.dumps(data)}\n\n".encode()


async def begin(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "x-sre-replicas": "llm-1, llm-0"})
    await response.prepare(request)
    return response


async def answer(request: web.Request) -> web.StreamResponse:
    response = await begin(request)
    for text in ("one", " two", " three"):
        await response.write(chunk(text))
    await response.write(chunk("", "length") + b"data: [DONE]\n\n")
    return response


async def cut(request: web.Request) -> web.StreamResponse:
    response = await begin(request)
    await response.write(chunk("one"))
    assert request.transport is not None
    request.transport.abort()
    return response


async def cut_before_any_token(request: web.Request) -> web.StreamResponse:
    response = await begin(request)
    assert request.transport is not None
    request.transport.abort()
    return response


async def clean_end_without_done(request: web.Request) -> web.StreamResponse:
    response = await begin(request)
    await response.write(chunk("one"))
    return response


async def error_event(request: web.Request) -> web.StreamResponse:
    response = await begin(request)
    await response.write(chunk("one") + b'data: {"error": {"message": "replica llm-0 died"}}\n\n')
    return response


async def done_without_tokens(request: web.Request) -> web.StreamResponse:
    response = await begin(request)
    await response.write(b"data: [DONE]\n\n")
    return response


async def too_many(request: web.Request) -> web.StreamResponse:
    return web.json_response({"error": {"message": "queue is full"}}, status=429, headers={"Retry-After": "1"})


async def too_long(request: web.Request) -> web.StreamResponse:
    return web.json_response({"error": {"message": "prompt exceeds the model's length"}}, status=400)


async def unavailable(request: web.Request) -> web.StreamResponse:
    return web.json_response({"error": {"message": "no replica"}}, status=503, headers={"x-sre-replicas": "llm-2"})


async def bare_500(request: web.Request) -> web.StreamResponse:
    return web.Response(status=500)


async def never(request: web.Request) -> web.StreamResponse:
    response = await begin(request)
    await response.write(chunk("one"))
    await asyncio.sleep(30)
    return response


async def send_to(url: str, *, timeout_s: float = 20.0) -> RequestRecord:
    clock = steady_clock()
    async with open_session() as session:
        client = CompletionClient(session, url=url, model="llm", timeout_s=timeout_s, clock=clock)
        return await client.send(PLANNED, client.body(PLANNED, "a b c d"), scheduled_at=clock())


async def test_a_complete_answer_is_ok(serve: Start) -> None:
    record = await send_to(await serve(answer))
    assert (record.id, record.outcome, record.status, record.error) == ("r000003", "ok", 200, None)
    assert (record.prompt_tokens, record.max_tokens, record.output_tokens) == (4, 3, 3)
    assert (record.finish_reason, record.replicas) == ("length", ("llm-1", "llm-0"))
    assert record.first_token_at is not None
    assert record.last_token_at is not None
    assert record.max_gap_s is not None
    times = [record.scheduled_at, record.sent_at, record.first_token_at, record.last_token_at, record.finished_at]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("handler", "outcome", "status", "error"),
    [
        (cut, "truncated", 200, "Client"),
        (clean_end_without_done, "truncated", 200, "the stream ended without [DONE]"),
        (error_event, "truncated", 200, "replica llm-0 died"),
        (cut_before_any_token, "error", 200, "Client"),
        (done_without_tokens, "error", 200, "the stream ended without a token"),
        (too_many, "rejected", 429, "queue is full"),
        (too_long, "invalid", 400, "prompt exceeds"),
        (unavailable, "error", 503, "no replica"),
        (bare_500, "error", 500, "HTTP 500"),
    ],
)
async def test_each_bad_end_has_its_name(serve: Start, handler: Handler, outcome: str, status: int, error: str) -> None:
    record = await send_to(await serve(handler))
    assert (record.outcome, record.status) == (outcome, status)
    assert record.error is not None
    assert record.error.startswith(error)
    assert record.output_tokens == (1 if outcome == "truncated" else 0)


async def test_an_error_answer_still_names_the_replicas_tried(serve: Start) -> None:
    assert (await send_to(await serve(unavailable))).replicas == ("llm-2",)


async def test_a_silent_server_is_a_timeout_even_after_a_token(serve: Start) -> None:
    record = await send_to(await serve(never), timeout_s=0.2)
    assert (record.outcome, record.output_tokens, record.error) == ("timeout", 1, "no end after 0.2 s")


async def test_nobody_listening_is_an_error_without_a_status(serve: Start, unused_tcp_port: int) -> None:
    record = await send_to(f"http://127.0.0.1:{unused_tcp_port}")
    assert (record.outcome, record.status, record.first_token_at) == ("error", None, None)
    assert "ClientConnector" in (record.error or "")


async def test_the_request_asks_for_exact_length_and_streaming(serve: Start) -> None:
    bodies: list[dict[str, object]] = []
    keys: list[str | None] = []

    async def note(request: web.Request) -> web.StreamResponse:
        bodies.append(await request.json())
        keys.append(request.headers.get("Authorization"))
        return await answer(request)

    url = await serve(note)
    async with open_session("sesame") as session:
        client = CompletionClient(session, url=url, model="m", timeout_s=20, clock=steady_clock())
        await client.send(PLANNED, client.body(PLANNED, "a b c d"), scheduled_at=0.0)
    expected = {"model": "m", "prompt": "a b c d", "max_tokens": 3, "ignore_eos": True, "stream": True}
    assert {key: bodies[0][key] for key in expected} == expected
    assert keys == ["Bearer sesame"]


def schedule_of(*offsets_s: float) -> Schedule:
    requests = tuple(PlannedRequest(i, at, prompt_tokens=3, max_tokens=2) for i, at in enumerate(offsets_s))
    return Schedule(source="test", rate_rps=1.0, requests=requests)


async def offer(url: str, schedule: Schedule, stop: asyncio.Event) -> OpenLoop:
    clock = steady_clock()
    written: list[RequestRecord] = []
    async with open_session() as session:
        client = CompletionClient(session, url=url, model="llm", timeout_s=20, clock=clock)
        loop = OpenLoop(client, clock=clock, on_record=written.append)
        await loop.run(schedule, seed=1, stop=stop)
    assert tuple(written) == loop.records
    return loop


async def test_late_answers_never_hold_back_later_arrivals(serve: Start) -> None:
    """The server answers nobody until all have come: a closed loop would wait for ever (here: time out)."""
    arrived = 0
    everyone = asyncio.Event()

    async def wait_for_all(request: web.Request) -> web.StreamResponse:
        nonlocal arrived
        arrived += 1
        if arrived == 120:
            everyone.set()
        await everyone.wait()
        return await answer(request)

    loop = await offer(await serve(wait_for_all), schedule_of(*[0.002 * i for i in range(120)]), asyncio.Event())
    assert [record.outcome for record in loop.records] == ["ok"] * 120


async def test_records_come_in_the_order_of_their_ends(serve: Start) -> None:
    second_done = asyncio.Event()

    async def first_waits(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if body["prompt"].startswith("s1r0"):
            await second_done.wait()
        response = await answer(request)
        await response.write_eof()
        if body["prompt"].startswith("s1r1"):
            asyncio.get_running_loop().call_later(0.05, second_done.set)
        return response

    loop = await offer(await serve(first_waits), schedule_of(0.0, 0.01), asyncio.Event())
    assert [record.id for record in loop.records] == ["r000001", "r000000"]
    assert loop.records[1].scheduled_at < loop.records[0].scheduled_at


async def test_nothing_is_sent_before_its_time(serve: Start) -> None:
    loop = await offer(await serve(answer), schedule_of(0.0, 0.05, 0.05, 0.12), asyncio.Event())
    assert all(record.sent_at >= record.scheduled_at for record in loop.records)
    scheduled = sorted(record.scheduled_at for record in loop.records)
    assert [at - scheduled[0] for at in scheduled] == pytest.approx([0.0, 0.05, 0.05, 0.12])


async def test_a_stop_cancels_what_is_in_flight_and_sends_no_more(serve: Start) -> None:
    stop = asyncio.Event()
    arrived = 0

    async def stall(request: web.Request) -> web.StreamResponse:
        nonlocal arrived
        arrived += 1
        if arrived == 2:
            asyncio.get_running_loop().call_later(0.05, stop.set)
        return await never(request)

    loop = await offer(await serve(stall), schedule_of(0.0, 0.0, 60.0), stop)
    assert [(record.outcome, record.output_tokens) for record in loop.records] == [("cancelled", 1)] * 2
    progress = loop.progress()
    assert (progress.sent, progress.finished, progress.ok, progress.failed, progress.inflight) == (2, 2, 0, 0, 0)


async def test_a_stop_after_the_last_arrival_does_not_wait_for_answers(serve: Start) -> None:
    stop = asyncio.Event()

    async def stall(request: web.Request) -> web.StreamResponse:
        stop.set()
        return await never(request)

    loop = await offer(await serve(stall), schedule_of(0.0), stop)
    assert [record.outcome for record in loop.records] == ["cancelled"]


async def test_a_fault_of_our_own_is_not_swallowed(serve: Start) -> None:
    def broken(record: RequestRecord) -> None:
        raise RuntimeError("disk on fire")

    clock = steady_clock()
    async with open_session() as session:
        client = CompletionClient(session, url=await serve(answer), model="llm", timeout_s=20, clock=clock)
        with pytest.raises(RuntimeError, match="disk on fire"):
            await OpenLoop(client, clock=clock, on_record=broken).run(schedule_of(0.0), seed=1, stop=asyncio.Event())
