"""The gateway's answers over real HTTP and gRPC, with everything healthy."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from fake_triton import text_of


async def test_a_completion_is_answered_in_one_body(start):
    world = await start("")
    status, body, headers = await world.post("w4 two words")
    assert status == 200
    assert body["object"] == "text_completion"
    assert body["choices"] == [{"index": 0, "logprobs": None, "finish_reason": "length", "text": text_of(4)}]
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
    assert headers["x-sre-replicas"] == "llm-0"
    assert body["id"] == f"cmpl-{headers['x-sre-request-id']}"


async def test_a_stream_carries_every_token_in_a_chunk_of_its_own(start):
    world = await start("")
    events = await world.stream("w6")
    assert events.status == 200
    assert events.headers["Content-Type"].startswith("text/event-stream")
    assert [c["text"] for c in events.choices] == [text_of(n)[len(text_of(n - 1)) :] for n in range(1, 7)] + [""]
    assert events.finish_reasons == ["length"]
    assert events.done
    assert len({(c["id"], c["created"], c["model"], c["object"]) for c in events.data}) == 1


async def test_usage_comes_in_a_last_chunk_without_choices_when_asked_for(start):
    world = await start("")
    events = await world.stream("w2 and more", stream_options={"include_usage": True})
    *chunks, last = events.data
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert all(chunk["usage"] is None for chunk in chunks)
    assert "usage" not in (await world.stream("w2")).data[0]


async def test_chat_messages_become_one_prompt_and_deltas_come_back(start):
    world = await start("w2")
    messages = [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
    ]
    body = {"model": "llm", "messages": messages, "stream": True}
    async with world.session.post(f"{world.url}/v1/chat/completions", json=body) as response:
        chunks = [json.loads(e[6:]) for e in (await response.text()).split("\n\n")[:-2]]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    assert deltas[0] == {"role": "assistant", "content": ""}
    assert "".join(d.get("content", "") for d in deltas) == text_of(2)
    assert deltas[-1] == {}
    assert world.replicas[0].prompts == ["<|system|>\nbe brief\n<|user|>\nhi\n<|assistant|>\n"]


async def test_sampling_parameters_reach_the_model(start):
    world = await start("")
    await world.post("w1", max_tokens=5, stop="END", ignore_eos=True, priority=-3, seed=7, temperature=0.2, top_k=3)
    assert json.loads(world.replicas[0].samplings[0]) == {
        "max_tokens": 5,
        "stop": ["END"],
        "ignore_eos": True,
        "priority": -3,
        "seed": 7,
    }


async def test_models_and_health_are_served(start):
    world = await start("")
    status, text = await world.get("/v1/models")
    assert (status, [m["id"] for m in json.loads(text)["data"]]) == (200, ["llm"])
    assert (await world.get("/v1/models/llm"))[0] == 200
    assert (await world.get("/v1/models/other"))[0] == 404
    assert (await world.get("/health"))[0] == 200
    assert (await world.get("/ready"))[0] == 200


async def test_unknown_routes_and_methods_are_refused_in_openai_s_shape(start):
    world = await start("")
    for path, expected in (("/nope", 404), ("/v1/completions", 405)):
        status, text = await world.get(path)
        assert (status, json.loads(text)["error"]["type"]) == (expected, "invalid_request_error")
    assert world.outcomes() == {}


async def test_metrics_speak_both_formats(start):
    world = await start("")
    assert "# TYPE sre_gateway_requests_total counter" in (await world.get("/metrics"))[1]
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with world.session.get(f"{world.url}/metrics", headers=accept) as response:
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        assert (await response.text()).endswith("# EOF\n")


@pytest.mark.parametrize(
    ("body", "status", "param", "words"),
    [
        (b"{", 400, None, "not valid JSON"),
        (b"", 400, None, "not valid JSON"),
        (b"[]", 400, "body", "should be an object"),
        (b'"\xff"', 400, None, "not valid JSON"),
        (b"[" * 100_000, 400, None, "not valid JSON"),
        (b'{"prompt": "x"}', 400, "model", "Field required"),
        (b'{"model": "llm"}', 400, "prompt", "Field required"),
        (b'{"model": "llm", "prompt": ""}', 400, "prompt", "at least 1 character"),
        (b'{"model": "llm", "prompt": "\\ud800"}', 400, None, "not valid JSON"),
        (b'{"model": "llm", "prompt": ["a", "b"]}', 400, "prompt", "at most 1 item"),
        (b'{"model": "llm", "prompt": [1, 2]}', 400, "prompt", "string"),
        (b'{"model": "gpt-4", "prompt": "x"}', 404, "model", "does not exist"),
        (b'{"model": "llm", "prompt": "x", "n": 2}', 400, "n", "not supported"),
        (b'{"model": "llm", "prompt": "x", "n": true}', 400, "n", "not supported"),
        (b'{"model": "llm", "prompt": "x", "echo": true}', 400, "echo", "not supported"),
        (b'{"model": "llm", "prompt": "x", "logprobs": 1}', 400, "logprobs", "not supported"),
        (b'{"model": "llm", "prompt": "x", "max_tokens": 0}', 400, "max_tokens", "greater than or equal to 1"),
        (b'{"model": "llm", "prompt": "x", "max_tokens": "5"}', 400, "max_tokens", "valid integer"),
        (b'{"model": "llm", "prompt": "x", "max_tokens": 1e99}', 400, "max_tokens", "integer"),
        (b'{"model": "llm", "prompt": "x", "stop": ["a","b","c","d","e"]}', 400, "stop", "at most 4"),
        (b'{"model": "llm", "prompt": "x", "stop": ""}', 400, "stop", "at least 1 character"),
        (b'{"model": "llm", "prompt": "x", "temperature": 9}', 400, "temperature", "less than or equal to 2"),
        (b'{"model": "llm", "prompt": "x", "stream_options": {}}', 400, "stream_options", "stream is true"),
    ],
)
async def test_bad_bodies_are_refused_and_counted_as_invalid(start, body, status, param, words):
    world = await start("")
    got, answer = await world.post_raw(body)
    error = answer["error"]
    assert (got, set(error)) == (status, {"message", "type", "param", "code"})
    assert error["param"] == param
    assert words in error["message"]
    assert world.outcomes() == {"invalid": 1}
    assert world.replicas[0].prompts == []


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ("[]", "at least 1 item"),
        ('[{"role": "robot", "content": "x"}]', "messages.0.role"),
        ('[{"role": "user", "content": null}]', "messages.0.content"),
        ('[{"role": "user", "content": [{"type": "image_url"}]}]', "messages.0.content"),
    ],
)
async def test_bad_chats_are_refused(start, messages, words):
    world = await start("")
    body = f'{{"model": "llm", "messages": {messages}}}'.encode()
    status, answer = await world.post_raw(body, "/v1/chat/completions")
    assert status == 400
    assert words in answer["error"]["message"]


async def test_a_body_over_the_limit_is_413(start):
    world = await start("", max_body_bytes=2048)
    status, answer = await world.post_raw(json.dumps(world.body("x" * 4096)).encode())
    assert (status, answer["error"]["code"]) == (413, "request_too_large")
    assert world.outcomes() == {"invalid": 1}


async def test_a_body_that_is_not_what_its_encoding_says_is_400(start):
    world = await start("")
    headers = {"Content-Encoding": "gzip"}
    async with world.session.post(f"{world.url}/v1/completions", data=b"no gzip", headers=headers) as response:
        assert response.status == 400
    assert world.outcomes() == {"invalid": 1}


async def test_a_body_that_never_ends_is_408(start):
    world = await start("", body_timeout_s=0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", world.gateway.port)
    writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
    assert b" 408 " in await reader.readline()
    writer.close()
    await world.until(lambda: world.outcomes() == {"invalid": 1})


async def test_what_the_model_refuses_is_400_and_not_retried(start):
    world = await start("", "")
    status, answer, headers = await world.post("bad")
    assert (status, answer["error"]["message"]) == (400, "sampling_parameters: max_tokens is 0")
    assert "," not in headers["x-sre-replicas"]
    assert world.outcomes() == {"invalid": 1}
    assert len(world.up()) == 2


async def test_over_max_inflight_is_429_with_retry_after(start):
    world = await start("", max_inflight=2)
    held = [asyncio.create_task(world.post("pause w1")) for _ in range(2)]
    await world.until(lambda: len(world.replicas[0].prompts) == 2)
    status, answer, headers = await world.post("w1")
    assert (status, headers["Retry-After"], answer["error"]["type"]) == (429, "1", "rate_limit_error")
    world.replicas[0].release()
    assert [status for status, _, _ in await asyncio.gather(*held)] == [200, 200]
    assert (await world.post("w1"))[0] == 200
    assert world.outcomes() == {"ok": 3, "rejected": 1}


async def test_work_goes_to_the_replica_with_the_fewest_outstanding_tokens(start):
    world = await start("pause", "pause")
    requests = [asyncio.create_task(world.post("w1", max_tokens=1000))]
    await world.until(lambda: sum(len(r.prompts) for r in world.replicas) == 1)
    busy = next(n for n, r in enumerate(world.replicas) if r.prompts)
    requests += [asyncio.create_task(world.post("w1", max_tokens=100)) for _ in range(4)]
    await world.until(lambda: sum(len(r.prompts) for r in world.replicas) == 5)
    assert len(world.replicas[busy].prompts) == 1
    assert world.value("replica_inflight", replica=f"llm-{1 - busy}") == 4
    for replica in world.replicas:
        replica.release()
    await asyncio.gather(*requests)
    assert world.value("replica_inflight", replica="llm-0") == world.value("replica_inflight", replica="llm-1") == 0


async def test_a_client_that_leaves_cancels_the_work(start):
    world = await start("")
    response = await world.session.post(f"{world.url}/v1/completions", json=world.body("w2 hang", stream=True))
    await world.until(lambda: world.value("tokens_total", kind="generation") == 2)
    response.close()
    await world.until(lambda: world.replicas[0].cancelled == 1)
    await world.until(lambda: world.outcomes() == {"cancelled": 1})
    assert world.value("wasted_tokens_total") == 2
    assert world.value("goodput_eligible_total") == 0
    assert world.value("replica_inflight", replica="llm-0") == 0


async def test_a_client_that_leaves_before_the_first_token_cancels_too(start):
    world = await start("")
    with pytest.raises(asyncio.TimeoutError):
        await world.session.post(
            f"{world.url}/v1/completions", json=world.body("hang"), timeout=aiohttp.ClientTimeout(total=0.2)
        )
    await world.until(lambda: world.replicas[0].cancelled == 1)
    await world.until(lambda: world.outcomes() == {"cancelled": 1})


async def test_a_finished_stream_is_not_cancelled_on_its_replica(start):
    world = await start("")
    await world.stream("w2")
    await world.until(lambda: world.replicas[0].ended == 1 + world.replicas[0].probes)
    assert world.replicas[0].cancelled == 0


async def test_connections_are_kept_for_the_next_request(start):
    world = await start("")
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as session:
        for _ in range(3):
            async with session.post(f"{world.url}/v1/completions", json=world.body("w2", stream=True)) as response:
                await response.read()
        assert sum(len(kept) for kept in connector._conns.values()) == 1


async def test_a_place_is_free_again_when_the_answer_is_out_though_its_replica_dawdles(start):
    world = await start("", max_inflight=1)
    play = world.replicas[0]._play

    async def dawdling(*given):
        async for response in play(*given):
            yield response
        await asyncio.sleep(0.5)

    world.replicas[0]._play = dawdling
    before = world.replicas[0].ended
    for _ in range(3):  # each on a connection of its own
        answer = await world.session.post(
            f"{world.url}/v1/completions", json=world.body("w1"), headers={"Connection": "close"}
        )
        await answer.read()
        assert answer.status == 200
    await world.until(lambda: world.replicas[0].ended >= before + 3)
    assert world.replicas[0].cancelled == 0
