"""The log line of a request: what it says, and what it never says."""

from __future__ import annotations

import logging
import re

import pytest


@pytest.fixture
def requests(caplog):
    """The `request` lines, from the first on: (level, fields). A line follows its answer."""
    caplog.set_level(logging.INFO, logger="serving.gateway")

    def lines():
        return [(r.levelname, r.fields) for r in caplog.records if r.getMessage() == "request"]

    async def wait(world):
        await world.until(lines)
        return lines()

    return wait


async def test_an_answered_request_is_one_line_with_times_and_counts(start, requests):
    world = await start("")
    _, _, headers = await world.post("w4 two words")
    ((level, fields),) = await requests(world)
    assert level == "INFO"
    assert fields["request_id"] == headers["x-sre-request-id"] == headers["x-request-id"]
    assert (fields["outcome"], fields["status"], fields["finish_reason"]) == ("ok", 200, "length")
    assert (fields["prompt_tokens"], fields["tokens"], fields["replicas"]) == (3, 4, ["llm-0"])
    assert 0 <= fields["queue_s"] <= fields["ttft_s"] <= fields["duration_s"]
    assert fields["operation"] == "text_completion"


@pytest.mark.parametrize(
    ("prompt", "more", "level", "outcome", "status"),
    [
        ("stub", {}, "ERROR", "error", 502),
        ("w1 stub", {"stream": True}, "ERROR", "truncated", 200),
        ("bad", {}, "INFO", "invalid", 400),
    ],
)
async def test_the_level_follows_the_outcome(start, requests, prompt, more, level, outcome, status):
    world = await start("", max_attempts=1, max_replays=0)
    async with world.session.post(f"{world.url}/v1/completions", json=world.body(prompt, **more)) as response:
        await response.read()
    ((got, fields),) = await requests(world)
    assert (got, fields["outcome"], fields["status"]) == (level, outcome, status)


async def test_neither_prompt_nor_answer_nor_key_is_logged(start, caplog):
    caplog.set_level(logging.DEBUG, logger="serving.gateway")
    world = await start("")
    headers = {"Authorization": "Bearer sre-topsecret"}
    for prompt in ("w2 classified", "classified bad", "classified stub"):
        body = world.body(prompt)
        async with world.session.post(f"{world.url}/v1/completions", json=body, headers=headers) as response:
            await response.read()
    logged = " ".join(f"{r.getMessage()} {vars(r)}" for r in caplog.records if r.name.startswith("serving"))
    assert "request" in logged
    assert not re.search("classified|topsecret|quoted", logged)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("trace-1.a:b_c", True), ("x" * 128, True), ("x" * 129, False), ("a b", False), ("é", False), ("", False)],
)
async def test_a_sane_request_id_comes_back_beside_ours(start, requests, sent, kept):
    world = await start("")
    url, headers = f"{world.url}/v1/completions", {"x-request-id": sent}
    async with world.session.post(url, json=world.body("w1"), headers=headers) as response:
        ours = response.headers["x-sre-request-id"]
        assert response.headers["x-request-id"] == (sent if kept else ours)
    ((_, fields),) = await requests(world)
    assert (fields["request_id"], fields["client_request_id"]) == (ours, sent if kept else None)
