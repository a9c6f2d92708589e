"""The model's end of the vLLM child, against a child that speaks the protocol without vLLM."""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from serving.engine.events import Ended
from serving.engine.sampling import Sampling
from serving.engine.vllm import VllmConfig
from serving.engine.vllm.owner import EngineFailed, Tokens, VllmEngine
from serving.errors import EnvironmentLacks

FAKE = (sys.executable, "-I", str(Path(__file__).with_name("fake_vllm_worker.py")))
PATIENCE_S = 10
DEAD = "the engine is dead"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Deaths:
    """Collects what `on_death` was told; `wait` waits for the first."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.happened = threading.Event()

    def __call__(self, why: str) -> None:
        self.reasons.append(why)
        self.happened.set()


@pytest.fixture
def deaths() -> Deaths:
    return Deaths()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def engine(deaths: Deaths, clock: Clock) -> Iterator[VllmEngine]:
    running = VllmEngine(FAKE, VllmConfig(stall_timeout_s=30), on_death=deaths, clock=clock)
    running.start(Path("serves"))
    yield running
    running.stop()


class Client:
    """One request's events."""

    def __init__(self, engine: VllmEngine, prompt: str, **sampling: Any) -> None:
        self._events: queue.SimpleQueue[Tokens | Ended] = queue.SimpleQueue()
        self.request_id = engine.submit(prompt, Sampling(**sampling), self._events.put)

    def next(self) -> Tokens | Ended:
        return self._events.get(timeout=PATIENCE_S)


def test_a_request_s_tokens_come_in_order_and_end_with_the_totals(engine: VllmEngine) -> None:
    client = Client(engine, "one two", max_tokens=7)
    assert [client.next() for _ in range(3)] == [
        Tokens("one", (0,), None),
        Tokens("two", (1,), None),
        Tokens("", (), ("length", 3, 7)),
    ]
    assert engine.read_metrics().finished["length"] == 1


def test_it_is_ready_with_what_the_child_says_of_itself(engine: VllmEngine) -> None:
    assert engine.kv_tokens == 4096
    assert engine.read_metrics().cold_start_s == {"import": 1.5}


def test_a_cancelled_request_ends_without_an_error_and_counts_as_aborted(engine: VllmEngine) -> None:
    client = Client(engine, "wait")
    assert engine.read_metrics().requests_waiting == 1
    engine.cancel(client.request_id)
    assert client.next() == Ended(None)
    metrics = engine.read_metrics()
    assert (metrics.requests_waiting, metrics.finished["abort"]) == (0, 1)


def test_a_refused_request_is_no_failure_of_the_engine(engine: VllmEngine) -> None:
    assert Client(engine, "refuse").next() == Ended("INVALID_ARG: too long")
    assert set(engine.read_metrics().finished.values()) == {0}


def test_a_request_dropped_at_its_deadline_counts_as_aborted(engine: VllmEngine) -> None:
    assert Client(engine, "too late").next() == Ended("DEADLINE_EXCEEDED: too late")
    assert engine.read_metrics().finished["abort"] == 1


@pytest.mark.parametrize("how", ["die", "say you are dead", "talk nonsense"])
def test_every_open_request_fails_at_once_when_the_engine_dies(engine: VllmEngine, deaths: Deaths, how: str) -> None:
    bystander = Client(engine, "wait")
    Client(engine, how)
    event = bystander.next()
    assert isinstance(event, Ended)
    assert str(event.error).startswith(DEAD)
    assert deaths.happened.wait(PATIENCE_S)
    assert len(deaths.reasons) == 1, "said once"
    assert engine.read_metrics().finished["error"] == 2


def test_a_dead_engine_refuses_what_comes_later(engine: VllmEngine) -> None:
    Client(engine, "die").next()
    event = Client(engine, "one").next()
    assert isinstance(event, Ended)
    assert str(event.error).startswith(DEAD)


def test_work_without_a_step_is_a_stall_and_then_a_death(engine: VllmEngine, clock: Clock, deaths: Deaths) -> None:
    clock.now += 1000
    assert engine.stalled_s() == 0, "an idle engine does not stall"
    client = Client(engine, "wait")
    clock.now += 29
    assert engine.stalled_s() == 29
    assert not deaths.reasons
    clock.now += 2
    engine.stalled_s()
    assert deaths.reasons == ["no step for 31 s with requests open (stall_timeout_s)"]
    assert isinstance(client.next(), Ended)


def _children() -> set[psutil.Process]:
    """Ours now: earlier tests of the same run may have left some of their own."""
    return set(psutil.Process().children())


def test_stopping_ends_the_child_and_is_no_death(deaths: Deaths) -> None:
    before = _children()
    engine = VllmEngine(FAKE, VllmConfig(), on_death=deaths)
    engine.start(Path("serves"))
    (child,) = _children() - before
    client = Client(engine, "wait")
    engine.stop()
    assert isinstance(client.next(), Ended)
    assert not child.is_running()
    assert not deaths.reasons


def test_a_child_that_cannot_serve_says_why(deaths: Deaths) -> None:
    engine = VllmEngine(FAKE, VllmConfig(), on_death=deaths)
    before = _children()
    with pytest.raises(EngineFailed, match="BadInput: does not fit"):
        engine.start(Path("refuses"))
    assert _children() <= before
    assert not deaths.reasons


def test_a_child_that_never_gets_ready_is_ended(deaths: Deaths) -> None:
    engine = VllmEngine(FAKE, VllmConfig(start_timeout_s=1), on_death=deaths)
    before = _children()
    with pytest.raises(EngineFailed, match="not ready within start_timeout_s 1"):
        engine.start(Path("silent"))
    assert _children() <= before


def test_a_python_that_is_not_there_is_reported_with_the_mend(deaths: Deaths) -> None:
    engine = VllmEngine(("/nowhere/python",), VllmConfig(), on_death=deaths)
    with pytest.raises(EnvironmentLacks, match=r"/nowhere/python does not run .*make setup-vllm"):
        engine.start(Path("x"))


def test_the_child_sees_neither_triton_s_libraries_nor_the_stub_s_python_settings(
    deaths: Deaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/x/nvidia_pytriton.libs:/mine")
    monkeypatch.setenv("PYTHONPATH", "/evil")
    monkeypatch.setenv("SRE_PLATFORM_ID", "abc")
    engine = VllmEngine(FAKE, VllmConfig(kv_cache_gib=3), on_death=deaths)
    engine.start(Path("serves"))
    event = Client(engine, "environment").next()
    engine.stop()
    assert isinstance(event, Tokens)
    env = json.loads(event.text)
    assert env["LD_LIBRARY_PATH"] == "/mine"
    assert "PYTHONPATH" not in env
    assert env["SRE_PLATFORM_ID"] == "abc", "the mark by which orphans are found"
    assert env["VLLM_CPU_KVCACHE_SPACE"] == "3"
    assert not Path(env["TMPDIR"]).exists(), "removed with the engine"
