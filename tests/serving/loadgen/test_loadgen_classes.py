"""Classes of work, shared prefixes, and the plan of a closed loop."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.errors import BadInput
from serving.loadgen.arrivals import prefix_choices
from serving.loadgen.classes import CLASSES, WorkloadClass, class_named
from serving.loadgen.plan import Plan
from serving.loadgen.prompts import prompt_text
from serving.loadgen.schedule import build_schedule
from serving.loadgen.workload import describe


def plan_of(fields: Any) -> Plan:
    return Plan.model_validate({"url": "http://127.0.0.1:1", "out": "unused", **fields}, strict=False)


@pytest.mark.parametrize("which", CLASSES, ids=lambda one: one.name)
def test_each_class_makes_a_plan_that_loads_open_and_closed(which: WorkloadClass) -> None:
    opened = build_schedule(plan_of(which.plan(seed=1, rate_rps=5.0, duration_s=100.0, requests=50)))
    closed = build_schedule(plan_of(which.plan(seed=1, concurrency=8, requests=50)))
    assert len(opened.requests) == len(closed.requests) == 50
    assert [r.prompt_tokens for r in opened.requests] == [r.prompt_tokens for r in closed.requests]
    assert [r.hash_ids for r in opened.requests] == [r.hash_ids for r in closed.requests]


def test_the_same_class_and_seed_is_the_same_work_and_another_seed_is_not() -> None:
    def work(seed: int) -> tuple[Any, ...]:
        return build_schedule(plan_of(class_named("chat").plan(seed=seed, rate_rps=5.0, duration_s=20.0))).requests

    assert work(1) == work(1) != work(2)


def test_an_unknown_class_is_refused_with_those_there_are() -> None:
    with pytest.raises(BadInput, match="'batch' is not known: use one of chat, rag, agent"):
        class_named("batch")


def test_prompts_of_one_shared_text_begin_alike_and_go_on_apart() -> None:
    plan = plan_of(class_named("agent").plan(seed=1, concurrency=1, requests=300))
    groups: dict[tuple[int, ...], list[str]] = {}
    for request in build_schedule(plan).requests:
        words = prompt_text(request, seed=1).split()
        assert len(words) == request.prompt_tokens
        groups.setdefault(request.hash_ids[:4], []).append(" ".join(words))
    several = next(prompts for prompts in groups.values() if len(prompts) > 1)
    first, second = (prompt.split() for prompt in several[:2])
    assert first[:2048] == second[:2048]
    assert first[2048] != second[2048]


def test_another_seed_shares_the_common_texts_but_nothing_else() -> None:
    def names(seed: int) -> set[int]:
        requests = build_schedule(plan_of(class_named("agent").plan(seed=seed, concurrency=1, requests=300))).requests
        return {block for request in requests for block in request.hash_ids}

    common = names(1) & names(2)
    assert common
    assert all(block < 0 for block in common)


@given(pool=st.integers(1, 50), skew=st.floats(0, 5), n=st.integers(0, 200), seed=st.integers())
def test_every_choice_of_a_prefix_is_in_the_pool(pool: int, skew: float, n: int, seed: int) -> None:
    chosen = prefix_choices(pool=pool, skew=skew, n=n, seed=seed)
    assert len(chosen) == n
    assert all(0 <= which < pool for which in chosen)


def test_with_skew_the_first_text_is_the_most_common() -> None:
    counts = Counter(prefix_choices(pool=10, skew=1.5, n=2000, seed=1))
    assert counts.most_common(1)[0][0] == 0


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"concurrency": 4}, "needs 'requests'"),
        ({"concurrency": 4, "requests": 8, "rate_rps": 3.0}, "makes its own arrivals: remove rate_rps"),
        ({"concurrency": 0, "requests": 8}, "greater than or equal to 1"),
        ({"prefixes": {"pool": 0, "blocks": 1}}, "greater than or equal to 1"),
        ({"trace": "x.csv", "prefixes": {"pool": 2, "blocks": 1}}, "remove prefixes or the trace"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        plan_of(fields)


def test_a_closed_loop_is_described_as_one() -> None:
    plan = plan_of(class_named("agent").plan(seed=1, concurrency=8, requests=50))
    workload = describe(plan, build_schedule(plan))
    lines = dict(workload.lines)
    assert (workload.concurrency, workload.rate_rps, workload.cv) == (8, 0.0, None)
    assert lines["concurrency"].startswith("8 clients")
    assert "one of 100 texts of 2048 tokens" in lines["shared prefix"]
