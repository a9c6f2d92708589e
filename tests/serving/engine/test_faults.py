"""Faults by a control file: parsed whole or not at all, felt by the engine, gone with the file."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from serving.engine.emulated import BAD_OUTPUT, EmulatedEngine, EngineCrashed
from serving.engine.events import Ended, Event, Token
from serving.engine.faults import NO_FAULTS, FaultFile, Faults, parse_faults, why_no_load
from serving.engine.sampling import Sampling
from serving.engine.tokens import answer
from serving.errors import BadInput
from serving.profiles import load

PROFILE = load("h100-llama3-8b-tp1")
PREFILL_256_S = 0.034


def test_every_key_is_read() -> None:
    text = (
        '{"slow_factor": 3, "hang": true, "crash": true, "kv_blocks": 64, "poison": "word", '
        '"bad_output_every": 5, "error_every": 3, "xid": 79, "fail_load": true, "cold_start_extra_s": 4, '
        '"clock_skew_s": -30.5}'
    )
    assert parse_faults(text) == Faults(3, True, True, 64, "word", 5, 3, 79, True, 4, -30.5)
    assert parse_faults("{}") == NO_FAULTS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "faults.json: not JSON"),
        ("[]", "list instead of an object"),
        ('{"slow_factor": 0}', "slow_factor is 0: write a number above 0"),
        ('{"hang": 1}', "hang is 1: write true or false"),
        ('{"kv_blocks": -1}', "kv_blocks is -1: write a whole number of at least 0"),
        ('{"poison": "two words"}', "write one word"),
        ('{"error_every": 0}', "error_every is 0: write a whole number of at least 1"),
        ('{"bad_output_every": true}', "bad_output_every is true"),
        ('{"xid": 13}', "xid is 13: write one of 48, 79, 94, 95"),
        ('{"fail_load": "yes"}', 'fail_load is "yes": write true or false'),
        ('{"cold_start_extra_s": -1}', "cold_start_extra_s is -1: write a number of at least 0"),
        ('{"clock_skew_s": NaN}', "clock_skew_s is NaN: write a finite number"),
        ('{"clock_skew_s": true}', "clock_skew_s is true: write a finite number"),
        ('{"hang": true, "explode": 1}', "explode is unknown: known are slow_factor, hang"),
    ],
)
def test_a_bad_file_is_one_line_with_the_mend(text: str, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_faults(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_file_is_read_when_it_comes_changes_and_goes(tmp_path: Path) -> None:
    file = FaultFile(tmp_path)
    assert file.changed() is None
    file.path.write_text('{"hang": true}', encoding="utf-8")
    assert file.changed() == Faults(hang=True)
    assert file.changed() is None
    file.path.write_text('{"hang": true, "kv_blocks": 5}', encoding="utf-8")
    assert file.changed() == Faults(hang=True, kv_blocks=5)
    file.path.unlink()
    assert file.changed() == NO_FAULTS
    assert file.changed() is None


def test_a_bad_file_is_complained_about_once(tmp_path: Path) -> None:
    file = FaultFile(tmp_path)
    file.path.write_text('{"hang": tru', encoding="utf-8")
    with pytest.raises(BadInput):
        file.changed()
    assert file.changed() is None


@pytest.mark.parametrize("given", ["repository", "repository/llm"])
def test_it_lies_beside_the_model_whichever_directory_triton_names(tmp_path: Path, given: str) -> None:
    assert FaultFile.of_model(str(tmp_path / given)).path == tmp_path / "repository" / "llm" / "faults.json"


@dataclass
class Bench:
    """An engine under a clock that only its own pauses move."""

    now_s: float = 0.0
    events: dict[str, list[Event]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.engine = EmulatedEngine(PROFILE, clock=lambda: self.now_s, pause=self.pause)

    def pause(self, duration_s: float) -> None:
        self.now_s += duration_s

    def submit(self, prompt: str, max_tokens: int = 5) -> list[Event]:
        events: list[Event] = []
        self.engine.submit(prompt, Sampling(max_tokens=max_tokens, ignore_eos=True), events.append)
        return events

    def run(self) -> None:
        while self.engine.step():
            pass


def words(count: int) -> str:
    return " ".join(["word"] * count)


def text(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def test_a_slow_engine_takes_so_many_times_longer() -> None:
    bench = Bench()
    bench.engine.set_faults(Faults(slow_factor=3))
    bench.submit(words(256), max_tokens=1)
    bench.run()
    assert bench.now_s == pytest.approx(3 * PREFILL_256_S)


def test_a_hanging_engine_makes_no_step_and_goes_on_where_it_was() -> None:
    bench = Bench()
    events = bench.submit("a b")
    bench.engine.step()
    bench.engine.set_faults(Faults(hang=True))
    assert bench.engine.step() is False
    assert len(events) == 1
    bench.engine.set_faults(NO_FAULTS)
    bench.run()
    assert text(events) == answer("a b", Sampling(max_tokens=5, ignore_eos=True)).text()


def test_fewer_blocks_preempt_and_no_token_is_lost_or_changed() -> None:
    bench = Bench()
    prompts = [f"{number} {words(100)}" for number in range(4)]
    received = [bench.submit(prompt, max_tokens=60) for prompt in prompts]
    for _ in range(20):
        bench.engine.step()
    bench.engine.set_faults(Faults(kv_blocks=12))
    for _ in range(50):
        bench.engine.step()
        assert bench.engine.read_metrics().kv_cache_usage <= 12 / PROFILE.scheduler.kv_blocks
    assert bench.engine.read_metrics().preemptions >= 3
    bench.engine.set_faults(NO_FAULTS)
    bench.run()
    for prompt, events in zip(prompts, received, strict=True):
        assert text(events) == answer(prompt, Sampling(max_tokens=60, ignore_eos=True)).text()


def test_without_any_blocks_work_waits_and_comes_back() -> None:
    bench = Bench()
    events = bench.submit("a b")
    bench.engine.step()
    bench.engine.set_faults(Faults(kv_blocks=0))
    assert bench.engine.step() is False
    assert bench.engine.read_metrics().requests_waiting == 1
    bench.engine.set_faults(NO_FAULTS)
    bench.run()
    assert len(events) == 5


def test_each_nth_token_is_rubbish() -> None:
    bench = Bench()
    bench.engine.set_faults(Faults(bad_output_every=2))
    events = bench.submit("a b", max_tokens=6)
    bench.run()
    pieces = [event.text for event in events if isinstance(event, Token)]
    assert [piece == BAD_OUTPUT for piece in pieces] == [False, True] * 3


def test_each_nth_request_ends_with_an_error_and_is_counted_as_one() -> None:
    bench = Bench()
    bench.engine.set_faults(Faults(error_every=3))
    received = [bench.submit(f"number {number}") for number in range(6)]
    bench.run()
    assert [isinstance(events[-1], Ended) for events in received] == [False, False, True] * 2
    assert bench.engine.read_metrics().finished == {"stop": 0, "length": 4, "abort": 0, "error": 2}


def test_a_crash_and_a_poison_prompt_end_the_engine() -> None:
    crashing, poisoned = Bench(), Bench()
    crashing.engine.set_faults(Faults(crash=True))
    with pytest.raises(EngineCrashed, match="crash"):
        crashing.engine.step()
    poisoned.engine.set_faults(Faults(poison="arsenic"))
    poisoned.submit("milk and honey")
    assert poisoned.engine.step() is True
    poisoned.submit("milk and arsenic")
    with pytest.raises(EngineCrashed, match="poison"):
        poisoned.engine.step()


@pytest.mark.parametrize("xid", [48, 79, 95])
def test_a_fatal_gpu_error_ends_the_engine_and_is_on_its_page(xid: int) -> None:
    bench = Bench()
    bench.engine.set_faults(Faults(xid=xid))
    with pytest.raises(EngineCrashed, match=f"XID {xid}"):
        bench.engine.step()
    assert bench.engine.read_metrics().xid == xid


def test_the_engine_after_a_fatal_memory_error_does_not_feel_it_again() -> None:
    engine = EmulatedEngine(PROFILE, past_xid=48)
    engine.set_faults(Faults(xid=48, slow_factor=2))
    engine.step()
    assert engine.read_metrics().xid == 48
    engine.set_faults(NO_FAULTS)
    engine.step()
    assert engine.read_metrics().xid == 0


def test_a_contained_memory_error_costs_one_request_and_no_other() -> None:
    bench = Bench()
    received = [bench.submit(f"number {number}") for number in range(3)]
    bench.engine.step()
    bench.engine.set_faults(Faults(xid=94))
    bench.run()
    assert [isinstance(events[-1], Ended) for events in received] == [True, False, False]
    assert bench.engine.read_metrics().finished["error"] == 1
    assert bench.engine.read_metrics().requests_running == 0


def test_a_contained_memory_error_waits_for_a_request_to_hit() -> None:
    bench = Bench()
    bench.engine.set_faults(Faults(xid=94))
    bench.engine.step()
    first, second = bench.submit("a b"), bench.submit("c d")
    bench.run()
    assert (isinstance(first[-1], Ended), isinstance(second[-1], Token)) == (True, True)


@pytest.mark.parametrize(
    ("faults", "words"),
    [(Faults(fail_load=True), "cannot be loaded"), (Faults(xid=79), "fallen off the bus"), (Faults(xid=48), None)],
)
def test_some_faults_let_no_engine_load(faults: Faults, words: str | None) -> None:
    why = why_no_load(faults)
    assert why is None if words is None else words in str(why)


@pytest.mark.parametrize(("skew_s", "is_served"), [(0.0, True), (-300.0, True), (61.0, False)])
def test_a_clock_that_runs_ahead_takes_a_deadline_for_passed(skew_s: float, is_served: bool) -> None:
    engine = EmulatedEngine(PROFILE, clock=lambda: 0.0, wall_clock=lambda: 1000.0, pause=lambda _: None)
    engine.set_faults(Faults(clock_skew_s=skew_s))
    events: list[Event] = []
    engine.submit("a b", Sampling(max_tokens=1, ignore_eos=True, deadline_at=1060.0), events.append)
    engine.step()
    assert isinstance(events[0], Token) is is_served


def test_a_running_engine_hangs_recovers_and_can_be_stopped_while_hanging() -> None:
    engine = EmulatedEngine(PROFILE, time_scale=0.01)
    engine.set_faults(Faults(hang=True))
    engine.start()
    over, events = threading.Event(), []

    def receive(event: Event) -> None:
        events.append(event)
        if isinstance(event, Ended) or event.finish_reason:
            over.set()

    engine.submit("a b c", Sampling(max_tokens=3, ignore_eos=True), receive)
    assert not over.wait(0.05)
    engine.set_faults(NO_FAULTS)
    assert over.wait(10)
    engine.set_faults(Faults(hang=True))
    engine.stop()
    assert len(events) == 3
