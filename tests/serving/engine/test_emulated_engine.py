"""The engine under a clock of our own: no thread, no sleep, exact times."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from serving.batching import NeverFits
from serving.engine.emulated import EmulatedEngine
from serving.engine.events import Ended, Event, Token
from serving.engine.sampling import Sampling
from serving.engine.timeline import Timeline
from serving.engine.tokens import answer
from serving.errors import BadInput
from serving.profiles import load

PROFILE = load("h100-llama3-8b-tp1")
PREFILL_256_S = 0.034
DECODE_1_S = 0.0062


@dataclass
class FakeTime:
    """A clock that only pauses move; each pause wakes up `oversleep_s` late."""

    now_s: float = 100.0
    oversleep_s: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def clock(self) -> float:
        return self.now_s

    def pause(self, duration_s: float) -> None:
        self.pauses.append(duration_s)
        self.now_s += duration_s + self.oversleep_s


@dataclass
class Client:
    """Receives one request's events with their times."""

    time: FakeTime
    events: list[tuple[float, Event]] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append((self.time.now_s, event))

    @property
    def text(self) -> str:
        return "".join(token.text for token in self.tokens)

    @property
    def times_s(self) -> list[float]:
        return [at for at, _ in self.events]

    @property
    def last(self) -> Event:
        return self.events[-1][1]

    @property
    def tokens(self) -> list[Token]:
        return [event for _, event in self.events if isinstance(event, Token)]


@dataclass
class Bench:
    time: FakeTime
    engine: EmulatedEngine

    def submit(self, prompt: str, sampling: Sampling, *, client: Client | None = None) -> tuple[Client, str]:
        client = client or Client(self.time)
        return client, self.engine.submit(prompt, sampling, client)

    def run(self) -> None:
        while self.engine.step():
            pass


def bench(*, time_scale: float = 1.0, oversleep_s: float = 0.0) -> Bench:
    time = FakeTime(oversleep_s=oversleep_s)
    return Bench(time, EmulatedEngine(PROFILE, time_scale=time_scale, clock=time.clock, pause=time.pause))


def words(count: int) -> str:
    return " ".join(["word"] * count)


def forever(max_tokens: int, priority: int = 0) -> Sampling:
    return Sampling(max_tokens=max_tokens, ignore_eos=True, priority=priority)


def test_tokens_come_at_the_profile_s_times_and_spell_the_answer() -> None:
    subject = bench()
    client, _ = subject.submit(words(256), forever(4))
    subject.run()
    assert client.text == answer(words(256), forever(4)).text()
    assert client.times_s == pytest.approx([100 + PREFILL_256_S + n * DECODE_1_S for n in range(4)])
    assert [token.finish_reason for token in client.tokens] == [None, None, None, "length"]
    assert [token.output_tokens for token in client.tokens] == [1, 2, 3, 4]


def test_the_time_scale_stretches_every_step() -> None:
    subject = bench(time_scale=10)
    client, _ = subject.submit(words(256), forever(2))
    subject.run()
    assert client.times_s == pytest.approx([100.34, 100.402])


def test_late_wake_ups_do_not_add_up() -> None:
    subject = bench(oversleep_s=0.001)
    client, _ = subject.submit(words(256), forever(101))
    subject.run()
    assert client.times_s[-1] == pytest.approx(100 + PREFILL_256_S + 100 * DECODE_1_S + 0.001)


def test_a_frozen_process_does_not_make_up_for_lost_time() -> None:
    subject = bench()
    client, _ = subject.submit(words(256), forever(50))
    subject.engine.step()
    subject.time.now_s += 30
    subject.run()
    assert client.times_s[-1] == pytest.approx(130 + PREFILL_256_S + 49 * DECODE_1_S)


def test_after_an_idle_spell_the_first_step_starts_when_the_request_came() -> None:
    subject = bench()
    subject.submit(words(256), forever(1))
    subject.run()
    subject.time.now_s = 100.1
    client, _ = subject.submit(f"another {words(255)}", forever(1))
    subject.run()
    assert client.times_s == pytest.approx([100.1 + PREFILL_256_S])


def test_eight_requests_at_once_take_little_longer_than_one() -> None:
    alone, together = bench(), bench()
    alone.submit(words(20), forever(100))
    alone.run()
    clients = [together.submit(words(20) + str(n), forever(100))[0] for n in range(8)]
    together.run()
    assert together.time.now_s - 100 < 1.5 * (alone.time.now_s - 100)
    assert all(len(client.tokens) == 100 for client in clients)


def test_a_request_that_arrives_during_a_step_joins_the_next() -> None:
    subject = bench()
    first, _ = subject.submit(words(256), forever(10))
    subject.engine.step()
    second, _ = subject.submit("late", forever(2))
    subject.engine.step()
    assert len(first.events) == 2
    assert len(second.events) == 1


def test_cancelling_frees_the_blocks_and_ends_the_stream() -> None:
    subject = bench()
    client, request_id = subject.submit(words(256), forever(1000))
    subject.engine.step()
    assert subject.engine.read_metrics().requests_running == 1
    subject.engine.cancel(request_id)
    assert subject.engine.step() is False
    assert client.last == Ended(None)
    metrics = subject.engine.read_metrics()
    assert (metrics.requests_running, metrics.kv_cache_usage, metrics.finished["abort"]) == (0, 0.0, 1)


def test_a_cancellation_during_a_step_holds_back_that_step_s_token() -> None:
    time = FakeTime()
    asked: list[str] = []

    def pause(duration_s: float) -> None:
        time.pause(duration_s)
        engine.cancel(asked[0])

    engine = EmulatedEngine(PROFILE, clock=time.clock, pause=pause)
    client, request_id = Bench(time, engine).submit(words(256), forever(5))
    asked.append(request_id)
    engine.step()
    assert [event for _, event in client.events] == [Ended(None)]


def test_cancelling_what_is_over_changes_nothing() -> None:
    subject = bench()
    client, request_id = subject.submit("short", forever(1))
    subject.run()
    subject.engine.cancel(request_id)
    assert subject.engine.step() is False
    assert len(client.events) == 1


def test_the_natural_end_is_reported_as_stop() -> None:
    subject = bench()
    reply = answer("a question", Sampling(max_tokens=3000))
    client, _ = subject.submit("a question", Sampling(max_tokens=3000))
    subject.run()
    assert (len(client.tokens), client.tokens[-1].finish_reason) == (reply.tokens, "stop")
    assert client.text == reply.text()


def test_lower_priority_numbers_go_first() -> None:
    subject = bench()
    patient, _ = subject.submit(words(2048), forever(1))
    urgent, _ = subject.submit(words(2048), forever(1, priority=-1))
    subject.run()
    assert urgent.times_s < patient.times_s


@pytest.mark.parametrize(("prompt_tokens", "max_tokens"), [(32_000, 1000), (40_000, 1)])
def test_a_request_that_can_never_fit_is_refused_at_submission(prompt_tokens: int, max_tokens: int) -> None:
    subject = bench()
    with pytest.raises(NeverFits, match="32768"):
        subject.submit(words(prompt_tokens), forever(max_tokens))
    assert subject.engine.step() is False


def test_max_tokens_counts_for_fitting_even_when_the_answer_would_be_short() -> None:
    with pytest.raises(NeverFits):
        bench().submit("short", Sampling(max_tokens=40_000))


def test_the_answer_to_a_request_that_never_fits_is_not_worked_out() -> None:
    """Two billion tokens searched for a stop string would hold the replica for hours."""
    with pytest.raises(NeverFits):
        bench().submit("a", Sampling(max_tokens=2**31 - 1, ignore_eos=True, stop=("never said",)))


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(BadInput, match="0 prompt"):
        bench().submit("", forever(1))


def test_metrics_count_tokens_reasons_and_latencies() -> None:
    subject = bench()
    for number in range(3):
        subject.submit(f"{number} {words(255)}", forever(11))
        subject.run()
    metrics = subject.engine.read_metrics()
    assert (metrics.prompt_tokens, metrics.generation_tokens) == (768, 33)
    assert metrics.finished == {"stop": 0, "length": 3, "abort": 0, "error": 0}
    assert metrics.ttft_s.count == 3
    assert metrics.ttft_s.sum_s == pytest.approx(3 * PREFILL_256_S)
    assert metrics.inter_token_s.count == 30
    assert metrics.inter_token_s.sum_s == pytest.approx(30 * DECODE_1_S)


def test_metrics_show_running_waiting_and_kv_while_it_works() -> None:
    subject = bench()
    subject.submit(words(2048), forever(5))
    subject.submit(f"another {words(159)}", forever(5))
    subject.engine.step()
    metrics = subject.engine.read_metrics()
    assert (metrics.requests_running, metrics.requests_waiting) == (1, 1)
    assert metrics.kv_cache_usage == pytest.approx(128 / PROFILE.scheduler.kv_blocks)


def test_metrics_read_earlier_do_not_change_later() -> None:
    subject = bench()
    before = subject.engine.read_metrics()
    subject.submit("a b", forever(3))
    subject.run()
    assert before.generation_tokens == 0
    assert before.ttft_s.count == 0


class Waiter:
    """Receives events on another thread and lets a test wait for the last."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.over = threading.Event()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Ended) or event.finish_reason:
            self.over.set()


def test_its_own_thread_serves_requests_and_idles_in_between() -> None:
    engine = EmulatedEngine(PROFILE, time_scale=0.01)
    engine.start()
    try:
        for _ in range(2):
            waiter = Waiter()
            engine.submit("a b c", forever(5), waiter)
            assert waiter.over.wait(10)
            assert len(waiter.events) == 5
    finally:
        engine.stop()


def test_stopping_ends_what_is_under_way_and_refuses_what_comes_after() -> None:
    engine = EmulatedEngine(PROFILE, time_scale=1000)
    engine.start()
    waiter, late = Waiter(), Waiter()
    engine.submit("a b c", forever(5), waiter)
    engine.stop()
    engine.submit("a b c", forever(5), late)
    assert waiter.events == late.events == [Ended("the engine was stopped")]


def test_a_dead_engine_fails_its_requests_instead_of_leaving_them_hanging() -> None:
    def broken(duration_s: float) -> None:
        raise OSError("no time left")

    engine = EmulatedEngine(PROFILE, pause=broken)
    engine.start()
    waiter, late = Waiter(), Waiter()
    engine.submit("a b c", forever(5), waiter)
    assert waiter.over.wait(10)
    engine.submit("a b c", forever(5), late)
    for receiver in (waiter, late):
        (event,) = receiver.events
        assert isinstance(event, Ended)
        assert "the engine died" in str(event.error)
        assert "OSError: no time left" in str(event.error)
    engine.stop()


def test_a_timeline_restarts_only_beyond_the_allowed_lag() -> None:
    time = FakeTime(now_s=0.0)
    timeline = Timeline(time.clock, max_lag_s=0.25)
    assert timeline.end_of_step(1.0) == 1.0
    time.now_s = 1.2
    assert timeline.end_of_step(1.0) == 2.0
    time.now_s = 2.3
    assert timeline.end_of_step(1.0) == pytest.approx(3.3)
