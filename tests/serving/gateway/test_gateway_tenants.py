"""Tenants: the file, the keys, and what a tenant may do."""

from __future__ import annotations

import asyncio
import hmac
import json
import re

import openai
import pytest
import yaml
from fake_triton import text_of

from serving.errors import BadInput
from serving.gateway.app import Gateway
from serving.gateway.config import GatewayConfig
from serving.gateway.errors import ApiError
from serving.gateway.tenants import Tenants, add_tenant, digest_of, load_tenants, new_key, parse_tenants


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def workers(request):
    return request.param


DIGEST = "a" * 64


def parse(*tenants):
    return parse_tenants(yaml.safe_dump({"tenants": list(tenants)}), path="tenants.yaml")


def tenant(name="team-a", digest=DIGEST, **more):
    return {"name": name, "key_sha256": [digest], **more}


def test_a_key_is_256_random_bits_and_the_file_knows_its_hash_alone(tmp_path):
    path = tmp_path / "tenants.yaml"
    key = add_tenant(path, "team-a")
    assert re.fullmatch(r"sre-[A-Za-z0-9_-]{43}", key)
    assert key not in path.read_text()
    assert load_tenants(path)[0].key_sha256 == (digest_of(key),)
    assert path.stat().st_mode & 0o777 == 0o600
    assert new_key() != new_key()


def test_a_second_key_joins_the_first_and_a_second_tenant_the_first(tmp_path):
    path = tmp_path / "tenants.yaml"
    keys = [add_tenant(path, "a", {"priority": 3}), add_tenant(path, "a"), add_tenant(path, "b")]
    tenants = Tenants(load_tenants(path))
    assert [tenants.authenticate(f"Bearer {key}").name for key in keys] == ["a", "a", "b"]
    assert tenants.authenticate(f"bearer {keys[0]}").priority == 3
    assert [p.name for p in tmp_path.iterdir()] == ["tenants.yaml"]


def test_settings_of_a_known_tenant_are_not_overwritten(tmp_path):
    path = tmp_path / "tenants.yaml"
    add_tenant(path, "a")
    before = path.read_text()
    with pytest.raises(BadInput, match="is there already"):
        add_tenant(path, "a", {"priority": 1})
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("tenants", "words"),
    [
        ([tenant(name="a b")], "tenants.0.name"),
        ([tenant(digest="ABC")], "tenants.0.key_sha256.0"),
        ([tenant(key="sre-plain")], "tenants.0.key: Extra inputs"),
        ([tenant(), tenant(name="b")], "key_sha256 must be unique"),
        ([tenant(), tenant(digest="b" * 64)], "name must be unique: team-a"),
        ([tenant(requests_burst=5)], "requests_burst without requests_per_s"),
        ([tenant(requests_per_s=0)], "tenants.0.requests_per_s"),
        ([tenant(tokens_per_min=float("inf"))], "tenants.0.tokens_per_min"),
        ([tenant(max_inflight=0)], "tenants.0.max_inflight"),
        ([], "tenants: Tuple should have at least 1 item"),
    ],
)
def test_a_fault_of_the_file_is_one_line_with_its_place(tenants, words):
    with pytest.raises(BadInput) as caught:
        parse(*tenants)
    assert str(caught.value).startswith("tenants.yaml: ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_not_yaml_is_told_with_its_line():
    with pytest.raises(BadInput, match=r"tenants.yaml:2: not YAML"):
        parse_tenants("tenants:\n  - [", path="tenants.yaml")


def test_a_file_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        load_tenants(tmp_path / "none.yaml")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer sre-wrong", "Bearer \udcff"])
def test_without_a_known_key_it_is_401_and_the_key_is_not_told(header):
    with pytest.raises(ApiError) as caught:
        Tenants(parse(tenant())).authenticate(header)
    assert (caught.value.status, caught.value.code, caught.value.outcome) == (401, "invalid_api_key", "invalid")
    assert "wrong" not in caught.value.message


def test_every_entry_is_compared_in_constant_time(monkeypatch):
    compared = []

    def compare(one, other):
        compared.append(one)
        return one == other

    key, digest = new_key()
    tenants = Tenants(parse(tenant(digest=digest), tenant("b", "b" * 64), tenant("c", "c" * 64)))
    monkeypatch.setattr(hmac, "compare_digest", compare)
    assert tenants.authenticate(f"Bearer {key}").name == "team-a"
    assert len(compared) == 3


@pytest.mark.parametrize(("asked", "given"), [(None, 2), (0, 2), (-9, 2), (2, 2), (7, 7)])
def test_a_request_may_lower_its_priority_and_not_raise_it(asked, given):
    (one,) = parse(tenant(priority=2))
    assert one.clamp(asked) == given


@pytest.fixture
async def serve(start, tmp_path):
    """`await serve(script, team={...settings}, ...)`: a world with these tenants, and their keys by name."""

    async def build(*scripts, tenants, **settings):
        path = tmp_path / "tenants.yaml"
        keys = {name: add_tenant(path, name, more) for name, more in tenants.items()}
        return await start(*scripts, tenants=str(path), **settings), keys

    return build


async def ask(world, key, prompt="w1", *, headers=None, **more):
    headers = ({"Authorization": f"Bearer {key}"} if key else {}) | (headers or {})
    url = f"{world.url}/v1/completions"
    async with world.session.post(url, json=world.body(prompt, **more), headers=headers) as response:
        answer = response.status, await response.json(), response.headers
    await world.settle()
    return answer


async def test_only_those_with_a_key_are_served(serve):
    world, keys = await serve("", tenants={"a": {}})
    for wrong in (None, "sre-nonsense"):
        status, answer, headers = await ask(world, wrong)
        assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
        assert answer["error"]["type"] == "invalid_request_error"
        assert headers["WWW-Authenticate"] == "Bearer"
    assert world.replicas[0].prompts == []
    assert (await ask(world, keys["a"]))[0] == 200
    assert world.outcomes() == {"ok": 1, "invalid": 2}


async def test_a_gateway_does_not_start_open_because_its_tenants_file_is_missing(tmp_path):
    with pytest.raises(BadInput, match="cannot be read"):
        Gateway(GatewayConfig(replicas=[], tenants=str(tmp_path / "none.yaml")))


async def test_models_need_a_key_and_health_does_not(serve):
    world, keys = await serve("", tenants={"a": {}})
    assert [(await world.get(path))[0] for path in ("/v1/models", "/v1/models/llm")] == [401, 401]
    assert [(await world.get(path))[0] for path in ("/health", "/ready", "/metrics")] == [200, 200, 200]
    headers = {"Authorization": f"Bearer {keys['a']}"}
    async with world.session.get(f"{world.url}/v1/models", headers=headers) as response:
        assert response.status == 200


async def test_a_wrong_key_is_refused_before_its_body_is_read(serve):
    world, _ = await serve("", tenants={"a": {}})
    reader, writer = await asyncio.open_connection("127.0.0.1", world.gateway.port)
    writer.write(b"POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{")
    assert b" 401 " in await asyncio.wait_for(reader.readline(), 2)
    writer.close()


async def test_the_priority_reaches_the_engine_clamped(serve):
    world, keys = await serve("", tenants={"a": {"priority": 2}})
    await ask(world, keys["a"], priority=-5)
    await ask(world, keys["a"], priority=7)
    await ask(world, keys["a"])
    assert [json.loads(s)["priority"] for s in world.replicas[0].samplings] == [2, 7, 2]


async def test_the_request_rate_is_limited_with_the_time_to_wait(serve):
    world, keys = await serve("", tenants={"a": {"requests_per_s": 0.1, "requests_burst": 2}, "b": {}})
    _, _, headers = await ask(world, keys["a"])
    assert (headers["x-ratelimit-limit-requests"], headers["x-ratelimit-remaining-requests"]) == ("2", "1")
    await ask(world, keys["a"])
    status, answer, headers = await ask(world, keys["a"])
    assert (status, answer["error"]["code"]) == (429, "rate_limit_exceeded")
    assert headers["Retry-After"] == "10"
    assert 9000 < int(headers["retry-after-ms"]) <= 10_000
    assert (await ask(world, keys["b"]))[0] == 200
    assert world.value("rejections_total", reason="rate_limit") == 1
    assert world.outcomes() == {"ok": 3, "rejected": 1}


async def test_tokens_are_estimated_at_the_start_and_corrected_at_the_end(serve):
    world, keys = await serve("", tenants={"a": {"tokens_per_min": 1, "tokens_burst": 100}})
    _, _, headers = await ask(world, keys["a"], "w4 two words", max_tokens=80)
    assert headers["x-ratelimit-remaining-tokens"] == "17"
    assert (await ask(world, keys["a"], "w1", max_tokens=80))[0] == 200
    status, _, headers = await ask(world, keys["a"], "w1", max_tokens=99)
    assert (status, headers["x-ratelimit-remaining-tokens"]) == (429, "91")


async def test_a_refused_request_costs_no_tokens(serve):
    world, keys = await serve("", tenants={"a": {"tokens_per_min": 1, "tokens_burst": 100}})
    assert (await ask(world, keys["a"], "bad", max_tokens=50))[0] == 400
    _, _, headers = await ask(world, keys["a"], "w1", max_tokens=50)
    assert headers["x-ratelimit-remaining-tokens"] == "49"


async def test_a_tenant_s_own_inflight_limit_leaves_the_others_alone(serve):
    world, keys = await serve("", tenants={"a": {"max_inflight": 1}, "b": {}})
    held = asyncio.create_task(ask(world, keys["a"], "pause w1"))
    await world.until(lambda: len(world.replicas[0].prompts) == 1)
    status, _, headers = await ask(world, keys["a"])
    assert (status, "Retry-After" in headers) == (429, True)
    assert (await ask(world, keys["b"]))[0] == 200
    world.replicas[0].release()
    assert (await held)[0] == 200
    assert world.value("rejections_total", reason="too_many") == 1


async def test_each_tenant_is_counted_and_nobody_else(serve):
    world, keys = await serve("", tenants={"a": {}, "b": {}})
    await ask(world, keys["a"], "w4 and more")
    await ask(world, keys["a"], "bad")
    await ask(world, "sre-unknown")
    assert world.value("tenant_requests_total", tenant="a", outcome="ok") == 1
    assert world.value("tenant_requests_total", tenant="a", outcome="invalid") == 1
    assert world.value("tenant_tokens_total", tenant="a", kind="prompt") == 3
    assert world.value("tenant_tokens_total", tenant="a", kind="generation") == 4
    assert world.value("tenant_requests_total", tenant="b", outcome="ok") == 0
    page = (await world.get("/metrics"))[1]
    assert set(re.findall(r'tenant="([^"]*)"', page)) == {"a", "b"}


async def test_better_tenants_go_first_when_places_are_few(serve):
    tenants = {"gold": {"priority": -1}, "free": {"priority": 5}}
    world, keys = await serve("", tenants=tenants, replica={"max_seqs": 1})
    held = asyncio.create_task(ask(world, keys["free"], "pause w1"))
    await world.until(lambda: len(world.replicas[0].prompts) == 1)
    waiting = [asyncio.create_task(ask(world, keys[name], name)) for name in ("free", "gold")]
    await world.until(lambda: world.value("queue_depth") == 2)
    world.replicas[0].release()
    await asyncio.gather(held, *waiting)
    assert world.replicas[0].prompts[1:] == ["gold", "free"]


async def test_the_official_client_works_with_a_key_and_raises_its_own_error_without(serve):
    world, keys = await serve("w3", tenants={"a": {"requests_per_s": 0.1, "requests_burst": 2}})
    async with openai.AsyncOpenAI(base_url=f"{world.url}/v1", api_key=keys["a"], max_retries=0) as client:
        answer = await client.completions.create(model="llm", prompt="hello")
        assert answer.choices[0].text == text_of(3)
        assert [model.id async for model in client.models.list()] == ["llm"]
        await client.completions.create(model="llm", prompt="hello")
        with pytest.raises(openai.RateLimitError):
            await client.completions.create(model="llm", prompt="hello")
    async with openai.AsyncOpenAI(base_url=f"{world.url}/v1", api_key="sre-wrong", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.completions.create(model="llm", prompt="hello")
        assert caught.value.code == "invalid_api_key"
        with pytest.raises(openai.AuthenticationError):
            await client.models.list()
