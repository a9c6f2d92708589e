"""A generation taken over from another replica goes on as if it had never moved; deadlines drop what is too late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.engine.emulated import EmulatedEngine
from serving.engine.events import Ended, Event, Token
from serving.engine.sampling import Resume, Sampling
from serving.engine.tokens import answer
from serving.errors import BadInput
from serving.profiles import load

PROFILE = load("h100-llama3-8b-tp1")


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s

    def pause(self, duration_s: float) -> None:
        self.now_s += duration_s


def engine(clock: Clock) -> EmulatedEngine:
    return EmulatedEngine(PROFILE, clock=clock, wall_clock=clock, pause=clock.pause)


def run(prompt: str, sampling: Sampling, clock: Clock | None = None) -> list[Event]:
    subject = engine(clock or Clock())
    events: list[Event] = []
    subject.submit(prompt, sampling, events.append)
    while subject.step():
        pass
    return events


def texts(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Token)]


@given(
    prompt=st.text(min_size=1, max_size=30).filter(lambda text: bool(text.split())),
    max_tokens=st.integers(1, 40),
    ignore_eos=st.booleans(),
    stop_at=st.none() | st.tuples(st.integers(0, 120), st.integers(1, 15)),
    cut=st.integers(0, 40),
)
def test_the_rest_of_an_answer_is_what_the_undisturbed_run_would_have_sent(
    prompt: str, max_tokens: int, ignore_eos: bool, stop_at: tuple[int, int] | None, cut: int
) -> None:
    plain = answer(prompt, Sampling(max_tokens=max_tokens, ignore_eos=ignore_eos)).text()
    stop = (plain[stop_at[0] : sum(stop_at)],) if stop_at and plain[stop_at[0] : sum(stop_at)] else ()
    whole = run(prompt, Sampling(max_tokens=max_tokens, ignore_eos=ignore_eos, stop=stop))
    cut = min(cut, len(whole))
    had = Resume(cut, "".join(texts(whole[:cut])))
    rest = run(prompt, Sampling(max_tokens=max_tokens, ignore_eos=ignore_eos, stop=stop, resume=had))
    if cut == len(whole):
        last = whole[-1]
        assert isinstance(last, Token)
        assert rest == [Token("", last.output_tokens, last.finish_reason)]
    else:
        assert rest == whole[cut:]


def test_a_resumed_request_pays_the_prefill_of_its_prompt_and_of_what_it_had() -> None:
    clock = Clock()
    prompt = " ".join(["word"] * 200)
    run(prompt, Sampling(max_tokens=57, ignore_eos=True, resume=Resume(56)), clock)
    assert clock.now_s == pytest.approx(1000 + PROFILE.step_time.duration_of_s(decode_seqs=0, prefill_tokens=256))


def test_resuming_beyond_the_end_is_refused() -> None:
    length = answer("a question", Sampling(max_tokens=2048)).tokens
    with pytest.raises(BadInput, match=f"resume.output_tokens is {length + 1}, more than the {length} tokens"):
        run("a question", Sampling(max_tokens=2048, resume=Resume(length + 1)))


def test_a_request_whose_deadline_passed_costs_no_step() -> None:
    clock = Clock()
    (event,) = run("too late", Sampling(max_tokens=5, deadline_at=999.0), clock)
    assert isinstance(event, Ended)
    assert str(event.error).startswith("DEADLINE_EXCEEDED: ")
    assert clock.now_s == 1000


def test_a_deadline_that_passes_in_the_queue_drops_the_request_and_leaves_the_others() -> None:
    clock = Clock()
    subject = engine(clock)
    first: list[Event] = []
    late: list[Event] = []
    long_prompt = " ".join(["word"] * 4096)
    subject.submit(long_prompt, Sampling(max_tokens=3, ignore_eos=True), first.append)
    subject.submit("a b", Sampling(max_tokens=3, ignore_eos=True, deadline_at=1000.05), late.append)
    while subject.step():
        pass
    assert [isinstance(event, Ended) for event in late] == [True]
    assert len(first) == 3
    assert subject.read_metrics().finished["abort"] == 1


def test_an_answer_that_has_begun_is_not_cut_by_its_deadline() -> None:
    assert len(run("a b", Sampling(max_tokens=50, ignore_eos=True, deadline_at=1000.01))) == 50
