"""The scheduler's decisions on small cases that can be followed by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.batching import NeverFits, Request, Scheduler, SchedulerConfig, StepOutcome, StepPlan
from serving.errors import BadInput


def scheduler(kv_blocks: int = 100, seqs: int = 8, budget: int = 64, length: int = 1000) -> Scheduler:
    return Scheduler(
        SchedulerConfig(kv_blocks=kv_blocks, max_num_seqs=seqs, max_num_batched_tokens=budget, max_model_len=length)
    )


def step(subject: Scheduler) -> tuple[StepPlan, StepOutcome]:
    plan = subject.plan()
    return plan, subject.complete(plan)


def tokens(plan: StepPlan) -> dict[str, int]:
    return {allotment.request_id: allotment.tokens for allotment in plan.allotments}


def test_a_prompt_within_the_budget_gives_its_first_token_after_one_step() -> None:
    subject = scheduler()
    subject.add(Request("a", 10, 3))
    plan, outcome = step(subject)
    assert (plan.prefill_tokens, plan.decode_seqs, plan.admitted) == (10, 0, ("a",))
    assert [(e.request_id, e.position, e.is_last) for e in outcome.emitted] == [("a", 0, False)]


def test_a_long_prompt_is_prefilled_in_chunks_and_emits_nothing_until_the_last() -> None:
    subject = scheduler(budget=64)
    subject.add(Request("a", 150, 1))
    steps = [step(subject) for _ in range(3)]
    assert [plan.prefill_tokens for plan, _ in steps] == [64, 64, 22]
    assert [plan.context_tokens for plan, _ in steps] == [0, 64, 128]
    assert [outcome.finished for _, outcome in steps] == [(), (), ("a",)]


def test_decodes_are_served_before_prefills_and_prefills_get_the_rest_of_the_budget() -> None:
    subject = scheduler(budget=64)
    subject.add(Request("talking", 8, 50))
    step(subject)
    subject.add(Request("urgent-long", 200, 5, priority=-1))
    plan, _ = step(subject)
    assert tokens(plan) == {"talking": 1, "urgent-long": 63}
    assert (plan.decode_seqs, plan.prefill_tokens) == (1, 63)


def test_seats_are_limited_and_the_queue_is_first_come_first_served() -> None:
    subject = scheduler(seqs=2)
    for name in "abc":
        subject.add(Request(name, 4, 2))
    assert step(subject)[0].admitted == ("a", "b")
    assert (subject.running_count, subject.waiting_count) == (2, 1)
    assert step(subject)[1].finished == ("a", "b")
    assert step(subject)[0].admitted == ("c",)


def test_a_lower_priority_number_goes_first() -> None:
    subject = scheduler(seqs=1)
    for name, priority in [("later", 5), ("first", -1), ("second", 0)]:
        subject.add(Request(name, 4, 1, priority))
    assert [step(subject)[1].finished for _ in range(3)] == [("first",), ("second",), ("later",)]


def test_a_block_is_taken_only_when_the_last_one_is_full() -> None:
    subject = scheduler()
    subject.add(Request("a", 15, 20))
    step(subject)
    held = []
    for _ in range(18):
        step(subject)
        held.append(subject.pool.used)
    assert held == [1] + [2] * 16 + [3]


def test_the_latest_is_preempted_and_recomputes_prompt_and_emitted_tokens() -> None:
    subject = scheduler(kv_blocks=4)
    subject.add(Request("old", 30, 30))
    subject.add(Request("new", 30, 30))
    emitted = []
    preempted_at = None
    while preempted_at is None:
        plan, outcome = step(subject)
        emitted += [e for e in outcome.emitted if e.request_id == "new"]
        preempted_at = len(emitted) if plan.preempted == ("new",) else None
    assert preempted_at == 3  # 33 tokens are the first that need a third block each
    resumed = None
    while resumed is None:
        plan, outcome = step(subject)
        emitted += [e for e in outcome.emitted if e.request_id == "new"]
        resumed = tokens(plan).get("new")
    assert resumed == 30 + preempted_at
    while subject.has_work:
        emitted += [e for e in step(subject)[1].emitted if e.request_id == "new"]
    assert [e.position for e in emitted] == list(range(30))


def test_what_a_preempted_one_gives_back_does_not_enlarge_the_prefill_it_gave_way_to() -> None:
    subject = scheduler(kv_blocks=6, seqs=2, budget=12, length=150)
    subject.add(Request("humble", 9, 9, priority=1))
    for _ in range(3):
        step(subject)
    subject.add(Request("first", 67, 1, priority=0))
    plan, _ = step(subject)
    while not plan.preempted:
        plan, _ = step(subject)
    assert plan.preempted == ("humble",)
    assert tokens(plan) == {"first": 11}


def test_the_lowest_priority_is_preempted_even_when_it_came_first() -> None:
    subject = scheduler(kv_blocks=4)
    subject.add(Request("batch", 30, 30, priority=1))
    subject.add(Request("chat", 30, 30, priority=0))
    preempted = [name for _ in range(10) for name in step(subject)[0].preempted]
    assert set(preempted) == {"batch"}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (Request("long", 990, 11), "model's length of 1000"),
        (Request("fat", 70, 10), "need 5 KV blocks and the replica has 4"),
    ],
)
def test_what_can_never_fit_is_refused_at_once(request_: Request, words: str) -> None:
    subject = scheduler(kv_blocks=4)
    with pytest.raises(NeverFits, match=words):
        subject.add(request_)
    assert not subject.has_work


def test_what_exactly_fits_is_served_alone() -> None:
    subject = scheduler(kv_blocks=4)
    subject.add(Request("exact", 55, 10))  # the tenth token needs no KV
    while subject.has_work:
        _, outcome = step(subject)
    assert outcome.finished == ("exact",)


def test_cancelling_during_a_step_emits_nothing_and_frees_everything() -> None:
    subject = scheduler()
    subject.add(Request("a", 20, 5))
    plan = subject.plan()
    assert subject.cancel("a") is True
    subject.add(Request("a", 7, 1))  # the same id again must not get the old step's token
    assert subject.complete(plan).emitted == ()
    assert subject.pool.used == 0
    assert step(subject)[1].finished == ("a",)


def test_cancelling_an_unknown_request_says_so() -> None:
    assert scheduler().cancel("nobody") is False


def test_the_same_id_twice_is_an_error_of_the_caller() -> None:
    subject = scheduler()
    subject.add(Request("a", 1, 1))
    with pytest.raises(ValueError, match="already under way"):
        subject.add(Request("a", 1, 1))


def test_plans_must_be_completed_in_turn() -> None:
    subject = scheduler()
    subject.add(Request("a", 1, 2))
    plan = subject.plan()
    with pytest.raises(RuntimeError, match="not completed"):
        subject.plan()
    subject.complete(plan)
    with pytest.raises(RuntimeError, match="not the open one"):
        subject.complete(plan)


@pytest.mark.parametrize("field", ["kv_blocks", "max_num_seqs", "max_model_len"])
def test_a_limit_below_one_is_refused(field: str) -> None:
    with pytest.raises(BadInput, match=f"{field} is 0"):
        SchedulerConfig(**{"kv_blocks": 1, field: 0})


def test_more_seats_than_budget_is_refused() -> None:
    with pytest.raises(BadInput, match="max_num_seqs 9 exceeds max_num_batched_tokens 8"):
        SchedulerConfig(kv_blocks=1, max_num_seqs=9, max_num_batched_tokens=8)


@given(
    st.lists(
        st.tuples(st.integers(1, 200), st.integers(1, 30), st.integers(0, 2)),
        min_size=1,
        max_size=25,
    )
)
def test_the_same_workload_gives_the_same_plans(workload: list[tuple[int, int, int]]) -> None:
    def plans() -> list[StepPlan]:
        subject = scheduler(kv_blocks=20)
        for number, (prompt, output, priority) in enumerate(workload):
            subject.add(Request(str(number), prompt, output, priority))
        made = []
        while subject.has_work:
            made.append(step(subject)[0])
        return made

    assert plans() == plans()
