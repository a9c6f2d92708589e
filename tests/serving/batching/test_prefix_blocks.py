"""Shared KV blocks on small cases that can be followed by hand. Blocks hold four tokens."""

from __future__ import annotations

import pytest

from serving.batching import BlockPool, Request, Scheduler, SchedulerConfig, StepPlan


def scheduler(kv_blocks: int = 20, budget: int = 64) -> Scheduler:
    config = SchedulerConfig(
        kv_blocks=kv_blocks, block_size_tokens=4, max_num_seqs=8, max_num_batched_tokens=budget, max_model_len=100
    )
    return Scheduler(config)


def request(name: str, prompt: int, output: int, hashes: tuple[int, ...] = ()) -> Request:
    return Request(name, prompt, output, block_hashes=hashes)


def step(subject: Scheduler) -> StepPlan:
    plan = subject.plan()
    subject.complete(plan)
    return plan


def test_a_prompt_that_is_wholly_known_still_computes_its_last_block() -> None:
    subject = scheduler()
    for name in "ab":
        subject.add(request(name, 8, 1, (1, 2)))
        plan = step(subject)
    assert plan.hit_tokens == (4,)
    assert plan.prefill_tokens == 4


def test_a_block_is_findable_only_when_the_step_that_fills_it_is_planned() -> None:
    subject = scheduler(budget=8)
    subject.add(request("long", 11, 1, (1, 2)))
    assert step(subject).prefill_tokens == 8
    assert subject.pool.find([1, 2]) != []
    other = scheduler(budget=8)
    other.add(request("chunked", 15, 1, (1, 2, 3)))
    other.add(request("same", 15, 1, (1, 2, 3)))
    step(other)
    assert len(other.pool.find([1, 2, 3])) == 2
    step(other)
    assert len(other.pool.find([1, 2, 3])) == 3


def test_seven_tokens_of_two_blocks_make_one_findable() -> None:
    subject = scheduler()
    subject.add(request("a", 7, 2, (1, 99)))
    step(subject)
    assert len(subject.pool.find([1, 99])) == 1


def test_two_that_arrive_together_share_what_the_first_computes_in_that_step() -> None:
    subject = scheduler()
    for name in "ab":
        subject.add(request(name, 10, 2, (1, 2)))
    plan = step(subject)
    assert plan.hit_tokens == (0, 8)
    assert subject.pool.used == 4  # two shared, one of its own for each


def test_sharing_idle_blocks_counts_as_using_them() -> None:
    subject = scheduler(kv_blocks=4)
    subject.add(request("first", 9, 1, (1, 2)))
    step(subject)
    assert subject.pool.used == 0
    subject.add(request("holder", 6, 3))
    subject.add(request("again", 9, 1, (1, 2)))  # two idle blocks and a third one: only two are free
    plan = step(subject)
    assert plan.admitted == ("holder",)


def test_the_least_recently_freed_content_goes_first_and_blank_blocks_before_it() -> None:
    pool = BlockPool(4)
    for block_hash in (1, 2, 3):
        held = pool.take(1)
        pool.register(held[0], block_hash)
        pool.give_back(held)
    pool.share(pool.find([1]))
    pool.give_back(pool.find([1]))
    pool.take(2)
    assert [bool(pool.find([block_hash])) for block_hash in (1, 2, 3)] == [True, False, True]


def test_of_one_sequence_the_last_block_is_given_up_first() -> None:
    pool = BlockPool(3)
    held = pool.take(3)
    for block, block_hash in zip(held, (1, 2, 3), strict=True):
        pool.register(block, block_hash)
    pool.give_back(held)
    pool.take(1)
    assert len(pool.find([1, 2, 3])) == 2


def test_a_preempted_request_finds_its_own_blocks_again() -> None:
    subject = scheduler(kv_blocks=8)
    subject.add(request("old", 8, 12, (1, 2)))
    subject.add(request("new", 8, 12, (3, 4)))
    admitted = []
    while subject.has_work:
        plan = step(subject)
        admitted += list(zip(plan.admitted, plan.hit_tokens, strict=True))
    assert [name for name, _ in admitted] == ["old", "new", "new"]
    assert admitted[2] != ("new", 0)


def test_more_blocks_than_are_free_cannot_be_taken() -> None:
    pool = BlockPool(3)
    pool.limit = 2
    with pytest.raises(ValueError, match="3 blocks asked, 2 free"):
        pool.take(3)
