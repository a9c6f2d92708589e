"""The whole gateway in front of OpenAI-compatible servers: a stream cut on one of them goes on from the other."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from serving.gateway.app import Gateway
from serving.gateway.config import GatewayConfig

WITHIN_S = 10.0
QUESTION = "say words"
TOKENS = 8
WHOLE = "".join(f"w{n} " for n in range(TOKENS))


class Server:
    """Says `w0 w1 ...`, after what a prompt shows was said. `fate` cuts the first request of all after some tokens."""

    def __init__(self, fate):
        self.fate = fate
        self.bodies = []

    async def serve(self, request):
        body = await request.json()
        said, is_chat = self.said(body)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for count in range(body["max_tokens"] + 1):
            if QUESTION in json.dumps(body) and count == self.fate.get("cut_after"):
                self.fate.clear()
                await asyncio.sleep(0.05)
                request.transport.abort()
                return response
            if count < body["max_tokens"]:
                await response.write(chunk(f"w{said + count} ", is_chat))
        await response.write(chunk("", is_chat, "length"))
        await response.write(b"data: [DONE]\n\n")
        return response

    def said(self, body):
        """How many words of the answer the prompt holds, and whether it is a chat."""
        if "prompt" in body:
            prompt = body["prompt"]
            said = prompt.removeprefix(QUESTION) if prompt.startswith(QUESTION) else ""
        else:
            last = body["messages"][-1]
            said = last["content"] if last["role"] == "assistant" and body["continue_final_message"] else ""
        if QUESTION in json.dumps(body):
            self.bodies.append(body)
        return len(said.split()), "messages" in body


def chunk(text, is_chat, reason=None):
    content = {"delta": {"content": text}} if is_chat else {"text": text}
    return b"data: " + json.dumps({"choices": [{"index": 0, **content, "finish_reason": reason}]}).encode() + b"\n\n"


@asynccontextmanager
async def gateway_before_two(cut_after, **failover):
    fate = {"cut_after": cut_after}
    servers, runners = [Server(fate), Server(fate)], []
    for server in servers:
        app = web.Application()
        app.router.add_post("/{path:.*}", server.serve)
        runners.append(web.AppRunner(app, shutdown_timeout=0.1))
        await runners[-1].setup()
        await web.TCPSite(runners[-1], "127.0.0.1", 0).start()
    urls = [f"http://127.0.0.1:{runner.addresses[0][1]}" for runner in runners]
    replicas = [{"name": f"vllm-{n}", "url": url} for n, url in enumerate(urls)]
    gateway = Gateway(GatewayConfig(port=0, engine="vllm", replicas=replicas, failover=failover))
    await gateway.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{gateway.port}") as session, asyncio.timeout(WITHIN_S):
            while len((await (await session.get("/ready")).json())["replicas_up"]) < len(servers):
                await asyncio.sleep(0.01)
            yield session, gateway, [server.bodies for server in servers]
    finally:
        await gateway.stop()
        for runner in runners:
            await runner.cleanup()


async def text_of(session, path, body):
    """The streamed text, and whether the end mark came."""
    async with session.post(path, json={"model": "llm", "max_tokens": TOKENS, "stream": True, **body}) as response:
        assert response.status == 200, await response.text()
        payloads = [line[6:] for line in (await response.text()).splitlines() if line.startswith("data: ")]
    choices = [choice for payload in payloads[:-1] for choice in json.loads(payload).get("choices", [])]
    return "".join(c.get("text") or c.get("delta", {}).get("content") or "" for c in choices), payloads[-1] == "[DONE]"


ROUTES = {
    "/v1/completions": {"prompt": QUESTION},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": QUESTION}]},
}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("cut_after", [1, 3, TOKENS])
async def test_a_stream_cut_on_one_server_goes_on_from_the_other(path, cut_after):
    async with gateway_before_two(cut_after) as (session, gateway, _):
        assert await text_of(session, path, ROUTES[path]) == (WHOLE, True)
        replays = gateway.metrics.registry.get_sample_value("sre_gateway_replays_total", {"result": "ok"})
    assert replays == (0 if cut_after == TOKENS else 1)


async def test_a_request_cut_before_its_first_token_begins_anew():
    async with gateway_before_two(0) as (session, _, bodies):
        assert await text_of(session, "/v1/completions", ROUTES["/v1/completions"]) == (WHOLE, True)
    assert [len(seen) for seen in bodies] == [1, 1]


async def test_a_policy_against_continuations_cuts_the_stream():
    async with gateway_before_two(3, unreplayable="fail") as (session, _, bodies):
        text, done = await text_of(session, "/v1/completions", {**ROUTES["/v1/completions"], "temperature": 1.0})
    assert text == "w0 w1 w2 "
    assert not done
    assert sum(map(len, bodies)) == 1


async def test_no_exact_replay_is_promised_where_the_text_is_tokenized_anew():
    async with gateway_before_two(None) as (session, _, _):
        greedy = {"model": "llm", "max_tokens": 2, "temperature": 0, **ROUTES["/v1/completions"]}
        async with session.post("/v1/completions", json=greedy) as response:
            assert response.headers["x-sre-replay"] == "continuation"
