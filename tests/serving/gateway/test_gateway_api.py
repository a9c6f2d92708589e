"""From a request body to a job: what each engine gets, and what a failover may promise."""

from __future__ import annotations

import json

import pytest

from serving.gateway.api import Caller, Rules, parse_order
from serving.gateway.config import parse_config
from serving.gateway.routing import prefix_hashes

EMULATED = Rules("llm", 256)
VLLM = Rules("llm", 256, "vllm")
CHAT = [{"role": "system", "content": "be brief"}, {"role": "user", "content": [{"type": "text", "text": "hi"}]}]


def job(rules=EMULATED, api="completion", caller=Caller("r1"), **fields):  # noqa: B008  (frozen)
    body = {"model": "llm", **({"messages": CHAT} if api == "chat" else {"prompt": "a b"}), **fields}
    return parse_order(json.dumps(body).encode(), api=api, caller=caller, rules=rules).job


SAMPLING = {"temperature": 0.2, "top_p": 0.9, "presence_penalty": 1.0, "frequency_penalty": -1.0}


def test_vllm_gets_the_sampling_fields_and_the_emulated_engine_does_not():
    assert job(VLLM, **SAMPLING).sampling == {"max_tokens": 16} | SAMPLING
    assert job(EMULATED, **SAMPLING).sampling == {"max_tokens": 16}


@pytest.mark.parametrize(
    ("rules", "fields", "replay"),
    [
        (EMULATED, {"temperature": 1.5}, "exact"),
        (VLLM, {}, "continuation"),
        (VLLM, {"temperature": 0}, "exact"),
        (VLLM, {"temperature": 0.1, "seed": 1}, "continuation"),
        (Rules("llm", 256, "vllm", continues=False), {}, "off"),
        (Rules("llm", 256, "vllm", continues=False), {"temperature": 0}, "exact"),
    ],
)
def test_what_a_failover_may_promise(rules, fields, replay):
    assert job(rules, **fields).replay == replay


def test_a_chat_keeps_its_messages_as_plain_text():
    made = job(api="chat")
    assert made.messages == ({"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"})
    assert job().messages == ()


def test_the_prefix_is_hashed_when_affinity_is_on():
    prompt = "x" * 100
    assert job(Rules("llm", 256, block_chars=32), prompt=prompt).prefix == prefix_hashes(prompt, 32)
    assert job(prompt=prompt).prefix == ()


def test_the_caller_s_deadline_and_trace_travel_with_the_job():
    made = job(caller=Caller("r1", deadline_at=5.0, traceparent="00-x"))
    assert (made.deadline_at, made.sampling["deadline_at"], made.traceparent) == (5.0, 5.0, "00-x")


def test_without_tenants_a_request_sets_its_own_priority():
    assert (job(priority=-3).priority, job(priority=-3).sampling["priority"]) == (-3, -3)
    assert "priority" not in job().sampling


def test_a_prompt_without_blanks_is_not_one_token_for_a_real_engine():
    assert job(VLLM, prompt="x" * 4000).prompt_tokens_estimate == 1000
    assert job(EMULATED, prompt="x" * 4000).prompt_tokens_estimate == 1


def test_the_rules_follow_the_configuration():
    text = {"replicas": [], "engine": "vllm", "failover": {"unreplayable": "fail"}, "routing": {"affinity": False}}
    rules = Rules.of(parse_config(json.dumps(text), path="gateway.json"))
    assert (rules.engine, rules.block_chars, rules.continues) == ("vllm", None, False)


async def test_the_answer_says_what_a_failover_may_promise(start):
    world = await start("", engine="vllm")
    _, _, sampled = await world.post("w1")
    _, _, greedy = await world.post("w1", temperature=0)
    assert (sampled["x-sre-replay"], greedy["x-sre-replay"]) == ("continuation", "exact")


def test_with_openai_replicas_the_real_engine_s_rules_hold():
    rules = EMULATED.for_openai()
    assert (rules.engine, rules.replay(0), rules.replay(None)) == ("vllm", "continuation", "continuation")
