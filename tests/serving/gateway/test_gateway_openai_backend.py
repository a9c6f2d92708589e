"""OpenAI-compatible replicas: what is asked of them, and what their streams turn into, whole or broken."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from serving.gateway.errors import JobRefused, ReplicaFailed
from serving.gateway.model import Finish, Job, Piece, Resume
from serving.gateway.openai_backend import OpenAIChannel, request_body
from serving.gateway.openai_chunks import ChunkReader

WITHIN_S = 5.0
JOB = Job("r1", "llm", "say something", {"max_tokens": 8, "priority": 3, "seed": 7}, 8, prompt_tokens_estimate=2)
CHAT = Job("r2", "llm", "", {"max_tokens": 8}, 8, 2, messages=({"role": "user", "content": "hi"},))


def event(data):
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


def token(text, usage=None):
    return event({"choices": [{"index": 0, "text": text, "finish_reason": None}], "usage": usage})


def last(reason="length"):
    return event({"choices": [{"index": 0, "text": "", "finish_reason": reason}]})


def totals(prompt, completion):
    return event({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}})


DONE = event(b"[DONE]")
WHOLE = [token("Hällo"), token(' "you"\n'), last(), totals(2, 2), DONE]
WHOLE_PIECES = [Piece("Hällo", None), Piece(' "you"\n', None), Piece("", Finish("length", 2, 2), (), 0)]


def read_all(chunks, resume=None, job=JOB):
    reader = ChunkReader(job, resume)
    for chunk in chunks:
        reader.feed(chunk)
    reader.end()
    return reader


@given(st.lists(st.integers(0, sum(map(len, WHOLE))), max_size=8))
def test_a_stream_gives_the_same_pieces_wherever_it_is_cut(cuts):
    whole = b"".join(WHOLE)
    edges = [0, *sorted(cuts), len(whole)]
    reader = read_all(whole[a:b] for a, b in pairwise(edges))
    assert list(reader.pieces) == WHOLE_PIECES
    assert reader.failure is None


def test_carriage_returns_comments_and_other_lines_change_nothing():
    noisy = [b": ping\r\n\r\n", *(b"event: message\r\n" + e.replace(b"\n", b"\r\n") for e in WHOLE)]
    assert list(read_all(noisy).pieces) == WHOLE_PIECES


def test_a_finished_answer_may_lack_its_end_mark_and_totals():
    reader = read_all([token("a"), token(" b"), last("stop").rstrip()])
    assert reader.pieces[-1] == Piece("", Finish("stop", JOB.prompt_tokens_estimate, 2), (), 0)


def test_usage_says_how_many_tokens_a_chunk_holds():
    running = [token("a b", {"completion_tokens": 2}), token(" c d e", {"completion_tokens": 5})]
    reader = read_all([*running, last(), DONE])
    assert [piece.tokens for piece in reader.pieces] == [2, 3, 0]
    assert reader.pieces[-1].finish.output_tokens == 5


def test_a_chunk_of_tokens_without_text_is_progress():
    reader = read_all([token("", {"completion_tokens": 1}), token("a", {"completion_tokens": 2}), last(), DONE])
    assert list(reader.pieces)[:2] == [Piece("", None), Piece("a", None)]


def test_the_totals_of_a_resumed_answer_are_those_of_the_whole():
    reader = read_all([token("c"), last(), totals(4, 1), DONE], Resume(2, "a b"))
    assert reader.pieces[-1].finish == Finish("length", 2, 3)


def test_chat_deltas_are_pieces_and_the_role_alone_is_none():
    deltas = [{"role": "assistant", "content": ""}, {"content": "a"}, {"content": None}, {}]
    chunks = [event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]}) for delta in deltas]
    reader = read_all([*chunks, last("stop"), totals(2, 1), DONE], job=CHAT)
    assert [piece.text for piece in reader.pieces] == ["a", ""]


@pytest.mark.parametrize(
    ("chunks", "says"),
    [
        ([DONE], "without a finish reason"),
        ([event({"error": {"message": "engine died", "type": "server_error"}})], "engine died"),
        ([event({"object": "error", "message": "engine died"})], "engine died"),
        ([event(b'{"choices": [{"text": "cu')], "malformed"),
        ([event({"surprise": 1})], "malformed"),
        ([event({"choices": [{"index": 0, "text": 5}]})], "malformed"),
        ([event([1])], "malformed"),
        ([last("abort"), DONE], "abort"),
        ([b"data: " + b"x" * (5 * 1024 * 1024)], "longer than"),
    ],
)
def test_a_broken_stream_is_a_failure_after_the_pieces_before_it(chunks, says):
    reader = read_all([token("a"), *chunks, token("b")])
    assert list(reader.pieces) == [Piece("a", None)]
    assert reader.failure.reason == "error"
    assert says in reader.failure.detail


def test_a_stream_that_just_ends_is_a_failure_after_its_pieces():
    reader = read_all([token("a")])
    assert list(reader.pieces) == [Piece("a", None)]
    assert "without a finish reason" in reader.failure.detail


def test_nothing_after_the_end_counts():
    reader = read_all([*WHOLE, token("late"), event({"error": "late"})])
    assert list(reader.pieces) == WHOLE_PIECES
    assert reader.failure is None


def test_a_completion_asks_for_the_prompt_and_what_the_model_honours():
    body = request_body(JOB, None)
    assert body["prompt"] == "say something"
    assert body["max_tokens"] == 8
    assert body["seed"] == 7
    assert "priority" not in body
    assert body["stream_options"]["include_usage"] is True


def test_a_resumed_completion_asks_for_the_rest():
    body = request_body(JOB, Resume(3, "a b c"))
    assert body["prompt"] == "say somethinga b c"
    assert body["max_tokens"] == 5


def test_a_resumed_chat_continues_the_assistants_message():
    body = request_body(CHAT, Resume(2, "a b"))
    assert body["messages"] == [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "a b"}]
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False
    assert body["max_tokens"] == 6
    assert "prompt" not in body


def test_a_chat_that_begins_asks_for_its_messages_alone():
    body = request_body(CHAT, None)
    assert body["messages"] == [{"role": "user", "content": "hi"}]
    assert "continue_final_message" not in body


class Replica:
    """An OpenAI server that answers each request by `play(request, response)`; sees paths, headers and bodies."""

    def __init__(self, play=None, status=200):
        self.play = play or self.whole
        self.status = status
        self.seen = []
        self.gone = asyncio.Event()
        self.connections = set()

    async def whole(self, response):
        for chunk in WHOLE:
            await response.write(chunk)

    async def serve(self, request):
        self.seen.append((request.path, request.headers, await request.json()))
        self.connections.add(request.transport)
        if self.status != 200:
            return web.json_response({"error": {"message": f"status {self.status}"}}, status=self.status)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            await self.play(response)
        except asyncio.CancelledError:
            self.gone.set()
            raise
        return response


@asynccontextmanager
async def channel_to(replica, suffix=""):
    app = web.Application()
    app.router.add_post("/{path:.*}", replica.serve)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    channel = OpenAIChannel(f"http://127.0.0.1:{runner.addresses[0][1]}{suffix}")
    try:
        yield channel
    finally:
        await channel.close()
        await runner.cleanup()


async def pieces_of(stream):
    pieces = []
    while not pieces or pieces[-1].finish is None:
        pieces.append(await stream.read(WITHIN_S))
    await stream.finish()
    return pieces


async def failure_of(stream, kind=ReplicaFailed):
    with pytest.raises(kind) as caught:
        await pieces_of(stream)
    stream.cancel()
    return caught.value


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/"])
async def test_a_whole_answer_comes_piece_by_piece(suffix):
    replica = Replica()
    async with channel_to(replica, suffix) as channel:
        assert await pieces_of(channel.start(JOB)) == WHOLE_PIECES
    path, headers, body = replica.seen[0]
    assert path == "/v1/completions"
    assert headers["X-Request-Id"] == "r1"
    assert body == request_body(JOB, None)


async def test_a_chat_goes_to_its_own_route():
    replica = Replica()
    async with channel_to(replica) as channel:
        await pieces_of(channel.start(CHAT))
    assert replica.seen[0][0] == "/v1/chat/completions"


async def test_a_finished_stream_leaves_its_connection_to_the_next():
    replica = Replica()
    async with channel_to(replica) as channel:
        await pieces_of(channel.start(JOB))
        await pieces_of(channel.start(JOB))
    assert len(replica.seen) == 2
    assert len(replica.connections) == 1


async def test_an_idle_connection_that_the_server_closed_is_no_failure():
    replica = Replica()
    async with channel_to(replica) as channel:
        await pieces_of(channel.start(JOB))
        next(iter(replica.connections)).close()
        assert await pieces_of(channel.start(JOB)) == WHOLE_PIECES


async def test_an_answer_that_lacked_only_its_end_asks_nobody():
    replica = Replica()
    async with channel_to(replica) as channel:
        pieces = await pieces_of(channel.start(JOB, Resume(8, "a b c d e f g h")))
    assert pieces == [Piece("", Finish("length", 2, 8), (), 0)]
    assert replica.seen == []


async def test_tokens_without_any_text_are_asked_for_again():
    replica = Replica()
    async with channel_to(replica) as channel:
        await pieces_of(channel.start(JOB, Resume(2, "")))
    assert replica.seen[0][2]["max_tokens"] == 8


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_job_the_server_refuses_is_refused(status):
    async with channel_to(Replica(status=status)) as channel:
        assert f"status {status}" in str(await failure_of(channel.start(JOB), JobRefused))


@pytest.mark.parametrize("status", [302, 401, 404, 429, 500, 503])
async def test_any_other_status_is_the_replicas_failure(status):
    async with channel_to(Replica(status=status)) as channel:
        failure = await failure_of(channel.start(JOB))
    assert failure.reason == "error"
    assert f"status {status}" in failure.detail


async def test_nobody_listening_is_a_failure_to_connect():
    channel = OpenAIChannel("http://127.0.0.1:1")
    assert (await failure_of(channel.start(JOB))).reason == "connect"
    await channel.close()


async def test_a_connection_cut_in_the_middle_is_a_failure_to_connect():
    async def die(response):
        await response.write(token("a"))
        await asyncio.sleep(0.05)
        response._req.transport.abort()

    async with channel_to(Replica(die)) as channel:
        stream = channel.start(JOB)
        assert await stream.read(WITHIN_S) == Piece("a", None)
        assert (await failure_of(stream)).reason == "connect"


async def test_a_stream_that_ends_early_is_a_failure_under_http_200():
    async def stop_short(response):
        await response.write(token("a"))

    async with channel_to(Replica(stop_short)) as channel:
        stream = channel.start(JOB)
        assert await stream.read(WITHIN_S) == Piece("a", None)
        assert (await failure_of(stream)).reason == "error"


async def test_silence_is_a_timeout():
    async def hang(response):
        await asyncio.sleep(WITHIN_S)

    async with channel_to(Replica(hang)) as channel:
        stream = channel.start(JOB)
        with pytest.raises(ReplicaFailed, match=r"no token within 0.05 s") as caught:
            await stream.read(0.05)
        stream.cancel()
    assert caught.value.reason == "timeout"


async def test_a_cancelled_stream_closes_its_connection_at_once():
    async def hang(response):
        await response.write(token("a"))
        await asyncio.sleep(WITHIN_S)

    replica = Replica(hang)
    async with channel_to(replica) as channel:
        stream = channel.start(JOB)
        await stream.read(WITHIN_S)
        stream.cancel()
        async with asyncio.timeout(WITHIN_S / 2):
            await replica.gone.wait()


async def test_a_stream_cancelled_before_it_was_read_leaves_no_task():
    async with channel_to(Replica()) as channel:
        stream = channel.start(JOB)
        stream.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not [task for task in asyncio.all_tasks() if task.get_name() == "open r1"]


async def test_the_proxy_of_the_environment_is_not_used(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    async with channel_to(Replica()) as channel:
        assert await pieces_of(channel.start(JOB)) == WHOLE_PIECES


@pytest.mark.parametrize("rest", [[], [b'data: {"choices": [], "us']])
async def test_an_answer_whose_finish_reason_came_is_whole_though_the_connection_breaks(rest):
    async def die(response):
        for chunk in [token("a"), last("stop"), *rest]:
            await response.write(chunk)
        await asyncio.sleep(0.05)
        response._req.transport.abort()

    async with channel_to(Replica(die)) as channel:
        pieces = await pieces_of(channel.start(JOB))
    assert pieces == [Piece("a", None), Piece("", Finish("stop", 2, 1), (), 0)]


async def test_a_finish_reason_with_totals_ends_the_answer_though_the_server_hangs():
    async def hang(response):
        ending = {"choices": [{"index": 0, "text": " b", "finish_reason": "stop"}]}
        await response.write(token("a", {"prompt_tokens": 2, "completion_tokens": 1}))
        await response.write(event(ending | {"usage": {"prompt_tokens": 2, "completion_tokens": 2}}))
        await asyncio.sleep(3600)

    async with channel_to(Replica(hang)) as channel:
        stream = channel.start(JOB)
        pieces = [await stream.read(WITHIN_S) for _ in range(3)]
        stream.cancel()
    assert pieces == [Piece("a", None), Piece(" b", None), Piece("", Finish("stop", 2, 2), (), 0)]
