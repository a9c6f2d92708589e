"""The emulated engine: continuous batching by `serving.batching`, step times from a GPU profile, driven by the wall
clock.

One thread runs plan, wait, complete. Other threads only leave requests and cancellations in an inbox, which is
emptied at both ends of a step, so the scheduler is never shared. Events are handed out from the engine's thread: a
receiver must return at once.
"""

from __future__ import annotations

import copy
import itertools
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from serving.batching import Emission, Request, Scheduler, StepPlan
from serving.engine.metrics import EngineMetrics
from serving.engine.timeline import Timeline
from serving.engine.tokens import Answer, FinishReason
from serving.profiles import Profile


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token. `finish_reason` is set on the last, with `output_tokens` then the total."""

    text: str
    output_tokens: int
    finish_reason: FinishReason | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A request that ends without its last token: `error` is None when it was cancelled."""

    error: str | None


Event = Token | Ended
EventReceiver = Callable[[Event], None]


@dataclass(slots=True)
class _Live:
    """A request between submission and its last event."""

    request: Request
    answer: Answer
    deltas: Iterator[str]
    receive: EventReceiver
    last_event_at: float


class EmulatedEngine:
    """Submit from any thread. `time_scale` stretches every step (2 is half as fast). Seconds are those of `clock`.

    `pause` waits for so many seconds; without it the engine waits on an event of its own, so that `stop` need not
    wait out a step.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        time_scale: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._step_time = profile.step_time
        self._time_scale = time_scale
        self._clock = clock
        self._scheduler = Scheduler(profile.scheduler)
        self._timeline = Timeline(clock)
        self._stopping = threading.Event()
        self._pause = pause or self._stopping.wait
        self._inbox_changed = threading.Condition()
        self._submitted: list[_Live] = []
        self._cancelled: list[str] = []
        self._failure: str | None = None
        self._live: dict[str, _Live] = {}
        self._ids = itertools.count()
        self._metrics = EngineMetrics()
        self._metrics_lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread and every request still under way."""
        self._close("the engine was stopped")
        if self._thread.is_alive():
            self._thread.join()
        self._fail_all()

    def submit(
        self,
        prompt_tokens: int,
        make_answer: Callable[[], Answer],
        receive: EventReceiver,
        *,
        max_tokens: int,
        priority: int = 0,
    ) -> str:
        """Queue a request; `receive` gets its events. Returns the id to cancel it by.

        Raises NeverFits for one that exceeds the model with all of `max_tokens`, and BadInput for one without any
        token: before the answer is worked out, whose cost grows with `max_tokens`.
        """
        request_id = str(next(self._ids))
        self._scheduler.require_fits(Request(request_id, prompt_tokens, max_tokens, priority))
        answer = make_answer()
        request = Request(request_id, prompt_tokens, answer.tokens, priority)
        live = _Live(request, answer, answer.deltas(), receive, self._clock())
        with self._inbox_changed:
            if self._failure is None:
                self._submitted.append(live)
                self._inbox_changed.notify()
                return request_id
        receive(Ended(self._failure))
        return request_id

    def cancel(self, request_id: str) -> None:
        """Stop a request at the end of the step under way; unknown and finished ones are ignored."""
        with self._inbox_changed:
            self._cancelled.append(request_id)
            self._inbox_changed.notify()

    def read_metrics(self) -> EngineMetrics:
        """A consistent copy."""
        with self._metrics_lock:
            return copy.deepcopy(self._metrics)

    def step(self) -> bool:
        """Run one engine iteration, waiting out its duration. False when there is nothing to do."""
        self._empty_inbox()
        plan = self._scheduler.plan()
        if plan.is_empty:
            self._timeline.idle()
            self._note_load()
            return False
        self._note_load(preemptions=len(plan.preempted))
        self._wait_out(plan)
        self._empty_inbox()
        self._deliver(self._scheduler.complete(plan).emitted)
        return True

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                if not self.step():
                    self._wait_for_work()
        except Exception as error:  # noqa: BLE001  a dead engine must fail its requests, not leave them hanging
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{frame.filename}:{frame.lineno}"
            self._close(f"the engine died: {where}: {type(error).__name__}: {error}: restart the replica")
        self._fail_all()

    def _close(self, reason: str) -> None:
        with self._inbox_changed:
            self._failure = self._failure or reason
            self._stopping.set()
            self._inbox_changed.notify()

    def _fail_all(self) -> None:
        with self._inbox_changed:
            waiting, self._submitted = self._submitted, []
        for live in [*self._live.values(), *waiting]:
            live.receive(Ended(self._failure))
        self._live.clear()

    def _wait_for_work(self) -> None:
        with self._inbox_changed:
            self._inbox_changed.wait_for(lambda: self._submitted or self._cancelled or self._stopping.is_set())

    def _wait_out(self, plan: StepPlan) -> None:
        end = self._timeline.end_of_step(self._step_time.duration_s(plan) * self._time_scale)
        if (remaining := end - self._clock()) > 0:
            self._pause(remaining)

    def _empty_inbox(self) -> None:
        with self._inbox_changed:
            submitted, self._submitted = self._submitted, []
            cancelled, self._cancelled = self._cancelled, []
        for live in submitted:
            self._live[live.request.id] = live
            self._scheduler.add(live.request)
        for request_id in cancelled:
            if self._scheduler.cancel(request_id):
                self._live.pop(request_id).receive(Ended(None))
                with self._metrics_lock:
                    self._metrics.finished["abort"] += 1

    def _note_load(self, preemptions: int = 0) -> None:
        with self._metrics_lock:
            self._metrics.requests_running = self._scheduler.running_count
            self._metrics.requests_waiting = self._scheduler.waiting_count
            self._metrics.kv_cache_usage = self._scheduler.kv_usage
            self._metrics.preemptions += preemptions

    def _deliver(self, emitted: tuple[Emission, ...]) -> None:
        now = self._clock()
        with self._metrics_lock:
            for emission in emitted:
                self._count(emission, self._live[emission.request_id], now)
        for emission in emitted:
            live = self._live[emission.request_id]
            reason = live.answer.finish_reason if emission.is_last else None
            if emission.is_last:
                del self._live[emission.request_id]
            live.receive(Token(next(live.deltas), emission.position + 1, reason))

    def _count(self, emission: Emission, live: _Live, now: float) -> None:
        gap, live.last_event_at = now - live.last_event_at, now
        self._metrics.generation_tokens += 1
        if emission.position == 0:
            self._metrics.prompt_tokens += live.request.prompt_tokens
            self._metrics.ttft_s.observe(gap)
        else:
            self._metrics.inter_token_s.observe(gap)
        if emission.is_last:
            self._metrics.finished[live.answer.finish_reason] += 1
