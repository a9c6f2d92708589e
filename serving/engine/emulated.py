"""The emulated engine: continuous batching by `serving.batching`, step times from a GPU profile, driven by the wall
clock.

One thread runs plan, wait, complete. Other threads only leave requests, cancellations and faults in an inbox, which is
emptied at both ends of a step, so the scheduler is never shared. Events are handed out from the engine's thread: a
receiver must return at once. Who has a clock of its own calls `begin` and `finish` instead of starting the thread
(`serving.rehearsal`).
"""

from __future__ import annotations

import copy
import heapq
import itertools
import threading
import time
import traceback
from collections.abc import Callable

from serving.batching import Emission, Scheduler, StepPlan
from serving.engine.events import Ended, EventReceiver, Token
from serving.engine.faults import CONTAINED_XID, GPU_ERRORS, Faults
from serving.engine.inbox import Inbox
from serving.engine.live import Live, prepare
from serving.engine.metrics import EngineMetrics
from serving.engine.sampling import Sampling
from serving.engine.timeline import Timeline
from serving.engine.tokens import Answer
from serving.errors import ServingError
from serving.profiles import Profile

BAD_OUTPUT = "\ufffd"


class EngineCrashed(ServingError):  # noqa: N818  (reads as a sentence)
    """A fault made the engine crash where nobody gave it a process to end."""


def _raise_crash(reason: str) -> None:
    raise EngineCrashed(reason)


class EmulatedEngine:
    """Submit from any thread. `time_scale` stretches every step (2 is half as fast). Seconds are those of `clock`.

    `pause` waits for so many seconds; without it the engine waits on an event of its own, so that `stop` need not
    wait out a step. `wall_clock` (Unix time) decides about deadlines alone. `crash` is called with a reason when a
    fault ends the engine. `past_xid` is the GPU error that ended the engine before this one: it is not felt again.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        time_scale: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        pause: Callable[[float], object] | None = None,
        crash: Callable[[str], None] = _raise_crash,
        past_xid: int | None = None,
    ) -> None:
        self._step_time = profile.step_time
        self._time_scale = time_scale
        self._clock, self._wall_clock, self._crash = clock, wall_clock, crash
        self._scheduler = Scheduler(profile.scheduler)
        self._timeline = Timeline(clock)
        self._inbox = Inbox()
        self._pause = pause or self._inbox.stopping.wait
        self._under_way: StepPlan | None = None
        self._faults = Faults(xid=past_xid)
        self._memory_is_bad = False
        self._requests_seen = self._tokens_made = 0  # counted while a fault asks for each n-th
        self._deadlines: list[tuple[float, str]] = []
        self._live: dict[str, Live] = {}
        self._ids = itertools.count()
        self._metrics = EngineMetrics(xid=past_xid or 0)
        self._metrics_lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread and every request still under way."""
        self._inbox.close("the engine was stopped")
        if self._thread.is_alive():
            self._thread.join()
        self._fail_all()

    def submit(self, prompt: str, sampling: Sampling, receive: EventReceiver) -> str:
        """Queue a request; `receive` gets its events. Returns the id to cancel it by.

        Raises NeverFits for one that exceeds the model with all of `max_tokens`, and BadInput for one without any
        token or resumed beyond its end.
        """
        request_id = str(next(self._ids))
        live = prepare(
            request_id,
            prompt,
            sampling,
            config=self._scheduler.config,
            require_fits=self._scheduler.require_fits,
            receive=receive,
            now=self._clock(),
        )
        if isinstance(live, Answer):
            receive(Token("", live.tokens, live.finish_reason))
        elif not self._inbox.submit(live):
            receive(Ended(self._inbox.failure))
        return request_id

    def cancel(self, request_id: str) -> None:
        """Stop a request at the end of the step under way; unknown and finished ones are ignored."""
        self._inbox.cancel(request_id)

    def set_faults(self, faults: Faults) -> None:
        """Have these faults, and no others, from the next step on."""
        self._inbox.set_faults(faults)

    def read_metrics(self) -> EngineMetrics:
        """A consistent copy."""
        with self._metrics_lock:
            return copy.deepcopy(self._metrics)

    def step(self) -> bool:
        """Run one engine iteration, waiting out its duration. False when there is nothing to do."""
        ends_at = self.begin()
        if ends_at is None:
            return False
        if (remaining_s := ends_at - self._clock()) > 0:
            self._pause(remaining_s)
        self.finish()
        return True

    def begin(self) -> float | None:
        """Plan an iteration; returns when it ends by the clock, for `finish` to be called then. None: nothing to do."""
        self._take_faults()
        if self._faults.hang:
            self._timeline.idle()
            return None
        self._empty_inbox()
        self._drop_expired()
        plan = self._plan()
        self._note_load()
        if plan.is_empty:
            self._timeline.idle()
            return None
        self._under_way = plan
        return self._timeline.end_of_step(
            self._step_time.duration_s(plan) * self._time_scale * self._faults.slow_factor
        )

    def finish(self) -> None:
        """The iteration begun last is over: hand out its tokens."""
        if self._under_way is None:
            raise RuntimeError("no iteration is under way")
        plan, self._under_way = self._under_way, None
        self._empty_inbox()
        self._deliver(self._scheduler.complete(plan).emitted)

    @property
    def has_work(self) -> bool:
        """Whether the inbox holds what the engine takes note of: faults alone while it hangs."""
        return self._inbox.is_due(is_hanging=self._faults.hang)

    def idle_limit_s(self) -> float | None:
        """How long it may be left without a `begin` while it has nothing to do; None without a limit.

        Requests stuck for want of blocks may reach their deadlines.
        """
        if not self._deadlines or self._faults.hang:
            return None
        return max(0.0, self._deadlines[0][0] - self._wall_time())

    def _run(self) -> None:
        try:
            while not self._inbox.stopping.is_set():
                if not self.step():
                    self._wait_for_work()
        except Exception as error:  # noqa: BLE001  a dead engine must fail its requests, not leave them hanging
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{frame.filename}:{frame.lineno}"
            self._inbox.close(f"the engine died: {where}: {type(error).__name__}: {error}: restart the replica")
        self._fail_all()

    def _fail_all(self) -> None:
        waiting, _ = self._inbox.take()
        for live in [*self._live.values(), *waiting]:
            live.receive(Ended(self._inbox.failure))
        self._live.clear()

    def _wait_for_work(self) -> None:
        self._inbox.wait(is_hanging=self._faults.hang, timeout_s=self.idle_limit_s())

    def _take_faults(self) -> None:
        faults = self._inbox.take_faults()
        if faults is None:
            return
        before, self._faults = self._faults, faults
        self._requests_seen = self._tokens_made = 0
        self._scheduler.limit_blocks(faults.kv_blocks)
        if faults.crash:
            self._crash("injected fault: crash")
        if faults.xid != before.xid:
            self._have_gpu_error(faults.xid)

    def _have_gpu_error(self, xid: int | None) -> None:
        """What NVIDIA's driver reports as XID, see `faults.GPU_ERRORS`; None: the GPU is sound again."""
        with self._metrics_lock:
            self._metrics.xid = xid or 0
        self._memory_is_bad = xid == CONTAINED_XID
        if xid is not None and xid != CONTAINED_XID:
            self._crash(f"injected fault: XID {xid}, {GPU_ERRORS[xid]}")

    def _lose_bad_memory(self) -> None:
        """The request that lies in it fails, the oldest; without any, the next one to come."""
        if self._memory_is_bad and self._live:
            self._memory_is_bad = False
            request_id = next(iter(self._live))
            self._scheduler.cancel(request_id)
            reason = (
                f"injected fault: XID {CONTAINED_XID}, {GPU_ERRORS[CONTAINED_XID]}: the request's KV blocks are lost"
            )
            self._live.pop(request_id).receive(Ended(reason))
            self._count_finished("error")

    def _plan(self) -> StepPlan:
        """The next step. One that only preempted (blocks were taken away) is no step: plan again."""
        plan = self._scheduler.plan()
        preemptions = len(plan.preempted)
        if plan.is_empty and plan.preempted:
            plan = self._scheduler.plan()
            preemptions += len(plan.preempted)
        if preemptions:
            with self._metrics_lock:
                self._metrics.preemptions += preemptions
        if self._faults.poison is not None:
            for request_id in plan.admitted:
                if self._faults.poison in self._live[request_id].prompt:
                    self._crash("injected fault: poison prompt")
        return plan

    def _empty_inbox(self) -> None:
        submitted, cancelled = self._inbox.take()
        for live in submitted:
            self._accept(live)
        for request_id in cancelled:
            self._abort(request_id, None)
        self._lose_bad_memory()

    def _accept(self, live: Live) -> None:
        if (every := self._faults.error_every) is not None:
            self._requests_seen += 1
            if self._requests_seen % every == 0:
                live.receive(Ended(f"injected fault: each {every}. request fails"))
                self._count_finished("error")
                return
        self._live[live.request.id] = live
        self._scheduler.add(live.request)
        if live.deadline_at is not None:
            heapq.heappush(self._deadlines, (live.deadline_at, live.request.id))

    def _abort(self, request_id: str, error: str | None) -> None:
        if self._scheduler.cancel(request_id):
            self._live.pop(request_id).receive(Ended(error))
            self._count_finished("abort")

    def _count_finished(self, reason: str) -> None:
        with self._metrics_lock:
            self._metrics.finished[reason] += 1

    def _drop_expired(self) -> None:
        """End requests whose deadline passed before their first token; one that has begun to answer goes on."""
        now = self._wall_time() if self._deadlines else 0.0
        while self._deadlines and self._deadlines[0][0] <= now:
            _, request_id = heapq.heappop(self._deadlines)
            live = self._live.get(request_id)
            if live is not None and not live.has_started:
                self._abort(request_id, "DEADLINE_EXCEEDED: deadline_at passed before the first token: none was made")

    def _wall_time(self) -> float:
        """Unix time by this replica's clock, which a fault may have set wrong."""
        return self._wall_clock() + self._faults.clock_skew_s

    def _note_load(self) -> None:
        with self._metrics_lock:
            self._metrics.requests_running = self._scheduler.running_count
            self._metrics.requests_waiting = self._scheduler.waiting_count
            self._metrics.kv_cache_usage = self._scheduler.kv_usage
            self._metrics.prefix_queries_tokens = self._scheduler.prefix_queries_tokens
            self._metrics.prefix_hits_tokens = self._scheduler.prefix_hits_tokens

    def _deliver(self, emitted: tuple[Emission, ...]) -> None:
        now = self._clock()
        with self._metrics_lock:
            for emission in emitted:
                self._count(emission, self._live[emission.request_id], now)
        bad_every, block_size = self._faults.bad_output_every, self._scheduler.config.block_size_tokens
        for emission in emitted:
            live, output_tokens = self._live[emission.request_id], emission.position + 1
            reason = None
            if emission.is_last:
                del self._live[emission.request_id]
                reason = live.answer.finish_reason
            elif live.chain is not None and (known := live.request.prompt_tokens + output_tokens) % block_size == 0:
                self._scheduler.add_hashes(emission.request_id, live.chain.advance(known))
            text = next(live.deltas) if bad_every is None else self._spoil(next(live.deltas), bad_every)
            live.receive(Token(text, output_tokens, reason))

    def _spoil(self, text: str, every: int) -> str:
        self._tokens_made += 1
        return BAD_OUTPUT if self._tokens_made % every == 0 else text

    def _count(self, emission: Emission, live: Live, now: float) -> None:
        gap, live.last_event_at = now - live.last_event_at, now
        self._metrics.generation_tokens += 1
        if not live.has_started:
            live.has_started = True
            self._metrics.prompt_tokens += live.request.prompt_tokens + live.request.resumed_tokens
            self._metrics.ttft_s.observe(gap)
        else:
            self._metrics.inter_token_s.observe(gap)
        if emission.is_last:
            self._metrics.finished[live.answer.finish_reason] += 1
