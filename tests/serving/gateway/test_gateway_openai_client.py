"""The official `openai` client against the gateway."""

from __future__ import annotations

import openai
import pytest
from fake_triton import text_of


@pytest.fixture
async def connect(start):
    clients = []

    async def build(*scripts, **settings):
        world = await start(*scripts, **settings)
        clients.append(openai.AsyncOpenAI(base_url=f"{world.url}/v1", api_key="none", max_retries=0))
        return world, clients[-1]

    yield build
    for client in clients:
        await client.close()


async def test_chat_streams(connect):
    _, client = await connect("w5")
    stream = await client.chat.completions.create(
        model="llm",
        messages=[{"role": "user", "content": "hello"}],
        stream=True,
        stream_options={"include_usage": True},
        max_completion_tokens=5,
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == text_of(5)
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "length"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage.completion_tokens == 5


async def test_chat_answers_at_once(connect):
    _, client = await connect("w5")
    answer = await client.chat.completions.create(model="llm", messages=[{"role": "user", "content": "hello"}])
    assert (answer.choices[0].message.role, answer.choices[0].message.content) == ("assistant", text_of(5))
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 5


async def test_completions_stream_and_answer(connect):
    _, client = await connect("w4")
    stream = await client.completions.create(model="llm", prompt="hello", stream=True)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == text_of(4)
    whole = await client.completions.create(model="llm", prompt="hello", extra_body={"ignore_eos": True})
    assert whole.choices[0].text == text_of(4)


async def test_models_are_listed(connect):
    _, client = await connect("")
    assert [model.id async for model in client.models.list()] == ["llm"]


async def test_its_exceptions_are_the_ones_of_openai(connect):
    world, client = await connect("", max_inflight=1)
    with pytest.raises(openai.BadRequestError, match="n is not supported"):
        await client.completions.create(model="llm", prompt="hello", n=2)
    with pytest.raises(openai.NotFoundError) as caught:
        await client.completions.create(model="gpt-4", prompt="hello")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    stream = await client.completions.create(model="llm", prompt="w1 hang", stream=True)
    with pytest.raises(openai.RateLimitError):
        await client.completions.create(model="llm", prompt="hello")
    await stream.close()
    await world.until(lambda: world.outcomes().get("cancelled") == 1)
    with pytest.raises(openai.InternalServerError, match="failed"):
        await client.completions.create(model="llm", prompt="stub")


async def test_a_cut_stream_raises_and_does_not_look_finished(connect):
    _, client = await connect("w2 stub")
    stream = await client.completions.create(model="llm", prompt="hello", stream=True)
    texts = []
    with pytest.raises(openai.APIError, match="failed after tokens were produced"):
        await read_into(texts, stream)
    assert "".join(texts) == text_of(2)


async def read_into(texts, stream):
    async for chunk in stream:
        texts.append(chunk.choices[0].text)
