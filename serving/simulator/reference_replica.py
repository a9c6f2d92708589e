"""A replica that drives `serving.batching.Scheduler` itself, step by step: for priorities and shared prefixes.

Exact by construction and some times slower than `Replica`. It names every block that gets full, as the engine does:
those of the shared prefix by their hashes, all others by names of their own, so that a preempted request can find what
it computed. A request that resumes elsewhere is another one there and finds only the shared prefix.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from serving.batching import Emission, Request, Scheduler, SchedulerConfig, StepPlan, StepTimeModel
from serving.simulator.engine import Evicted, Progress, Stretch, Token
from serving.simulator.model import NS


@dataclass(slots=True, eq=False)
class _Ongoing:
    """A request here; `key` is its id to the scheduler, another one each time it comes."""

    id: int
    key: str
    prompt_tokens: int
    emitted: int
    last_ns: int = -1
    gap_ns: int = 0
    computed: int = 0
    lost: int = 0
    admitted: bool = False


class ReferenceReplica:
    """An `Engine`, one scheduler step at a time. `names_blocks` false: the prefix cache finds nothing."""

    def __init__(self, config: SchedulerConfig, step_time: StepTimeModel, *, names_blocks: bool = True) -> None:
        self.config, self._step_time = config, step_time
        self._names_blocks = names_blocks and config.enable_prefix_caching
        self._scheduler = Scheduler(config)
        self._by_id: dict[int, _Ongoing] = {}
        self._by_key: dict[str, _Ongoing] = {}
        self._leaving: list[_Ongoing] = []
        self._factor = 1.0
        self._limit: int | None = None
        self._hangs = False
        self._arrivals = self._busy_ns = self._start_ns = self._end_ns = self.preemptions = 0
        self._past_queries = self._past_hits = 0
        self._plan: StepPlan | None = None
        self._last_decodes = 0

    @property
    def running(self) -> int:
        return self._scheduler.running_count

    @property
    def waiting(self) -> int:
        return self._scheduler.waiting_count

    @property
    def next_ns(self) -> int | None:
        return None if self._plan is None else self._end_ns

    @property
    def prefix_queries_tokens(self) -> int:
        return self._past_queries + self._scheduler.prefix_queries_tokens

    @property
    def prefix_hits_tokens(self) -> int:
        return self._past_hits + self._scheduler.prefix_hits_tokens

    def kv_usage(self, now_ns: int) -> float:
        return self._scheduler.kv_usage

    def busy_ns(self, now_ns: int) -> int:
        return self._busy_ns + (now_ns - self._start_ns if self._plan is not None else 0)

    def add(
        self,
        id_: int,
        *,
        prompt_tokens: int,
        output_tokens: int,
        now_ns: int,
        resumed_tokens: int = 0,
        priority: int = 0,
        prefix: tuple[int, ...] = (),
    ) -> None:
        if id_ in self._by_id:
            raise ValueError(f"request {id_} is already under way")
        key = str(self._arrivals)
        ongoing = _Ongoing(id_, key, prompt_tokens, resumed_tokens)
        request = Request(key, prompt_tokens, output_tokens, priority, resumed_tokens)
        self._scheduler.add(replace(request, block_hashes=self._names(ongoing, prefix)))
        self._arrivals += 1
        self._by_id[id_] = self._by_key[key] = ongoing

    def cancel(self, id_: int, now_ns: int) -> int | None:
        ongoing = self._by_id.pop(id_, None)
        if ongoing is None:
            return None
        self._leaving.append(ongoing)
        if self._plan is None:
            self._let_leave()
        return ongoing.emitted

    def evict(self, now_ns: int) -> list[Evicted]:
        """As `Engine.evict`. A hang, a slowness or a limit of blocks goes on when work comes again."""
        evicted = [self.progress(id_, now_ns) for id_ in self._by_id]
        self._busy_ns = self.busy_ns(now_ns)
        self._past_queries, self._past_hits = self.prefix_queries_tokens, self.prefix_hits_tokens
        self._plan = None
        self._by_id.clear()
        self._by_key.clear()
        self._leaving.clear()
        self._scheduler = Scheduler(self.config)
        self._scheduler.limit_blocks(self._limit)
        return evicted

    def progress(self, id_: int, now_ns: int) -> Progress:
        ongoing = self._by_id[id_]
        return Progress(id_, ongoing.emitted, ongoing.last_ns, ongoing.gap_ns, ongoing.lost + ongoing.computed)

    def emitted(self, id_: int, now_ns: int) -> int:
        return self._by_id[id_].emitted

    def is_running(self, id_: int) -> bool:
        ongoing = self._by_id.get(id_)
        return ongoing is not None and ongoing.admitted

    def hang(self, now_ns: int) -> None:
        self._hangs = True

    def unhang(self, now_ns: int) -> None:
        self._hangs = False

    def slow(self, factor: float, now_ns: int) -> None:
        self._factor = factor

    def limit_blocks(self, blocks: int | None, now_ns: int) -> None:
        self._limit = blocks
        self._scheduler.limit_blocks(blocks)

    def start(self, now_ns: int) -> None:
        if self._plan is not None or self._hangs or not self._scheduler.has_work:
            return
        plan = self._next_plan()
        if plan.is_empty and plan.preempted:
            plan = self._next_plan()
        if not plan.is_empty:
            self._plan, self._start_ns = plan, now_ns
            self._end_ns = now_ns + max(1, round(self._step_time.duration_s(plan) * self._factor * NS))

    def _next_plan(self) -> StepPlan:
        plan = self._scheduler.plan()
        self.preemptions += len(plan.preempted)
        for key in plan.preempted:
            ongoing = self._by_key[key]
            ongoing.lost += ongoing.computed
            ongoing.computed, ongoing.admitted = 0, False
        for key, hit_tokens in zip(plan.admitted, plan.hit_tokens, strict=True):
            self._by_key[key].admitted = True
            self._by_key[key].lost = max(0, self._by_key[key].lost - hit_tokens)
        return plan

    def complete(self) -> list[Token]:
        """End the step under way. Raises RuntimeError without one."""
        plan, self._plan = self._plan, None
        if plan is None:
            raise RuntimeError("no step is under way")
        self._busy_ns += self._end_ns - self._start_ns
        self._let_leave()
        for allotment in plan.allotments:
            if (ongoing := self._by_key.get(allotment.request_id)) is not None:
                ongoing.computed += allotment.tokens
        tokens, emitted = [], self._scheduler.complete(plan).emitted
        for emission in emitted:
            if (token := self._emit(emission)) is not None:
                tokens.append(token)
        self._last_decodes = len(emitted) - sum(token.is_first for token in tokens)
        return tokens

    def stretch(self) -> Stretch:
        return Stretch(int(self._end_ns > 0), self._start_ns, self._end_ns, self._last_decodes)

    def _emit(self, emission: Emission) -> Token | None:
        """Count a token; returned when it is a request's first here or its last."""
        ongoing = self._by_key[emission.request_id]
        is_first = ongoing.last_ns < 0
        if not is_first and (gap_ns := self._end_ns - ongoing.last_ns) > ongoing.gap_ns:
            ongoing.gap_ns = gap_ns
        ongoing.last_ns = self._end_ns
        ongoing.emitted += 1
        if emission.is_last:
            del self._by_id[ongoing.id], self._by_key[ongoing.key]
            return Token(ongoing.id, is_first, True, ongoing.gap_ns, ongoing.lost)
        if self._names_blocks:
            known, size = ongoing.prompt_tokens + ongoing.emitted, self.config.block_size_tokens
            if known % size == 0:
                self._scheduler.add_hashes(ongoing.key, (self._name(ongoing, known // size - 1),))
        return Token(ongoing.id, True, False) if is_first else None

    def _let_leave(self) -> None:
        for ongoing in self._leaving:
            self._scheduler.cancel(ongoing.key)
            del self._by_key[ongoing.key]
        self._leaving.clear()

    def _names(self, ongoing: _Ongoing, prefix: tuple[int, ...]) -> tuple[int, ...]:
        if not self._names_blocks:
            return ()
        full = (ongoing.prompt_tokens + ongoing.emitted) // self.config.block_size_tokens
        shared = prefix[: ongoing.prompt_tokens // self.config.block_size_tokens]
        return shared + tuple(self._name(ongoing, block) for block in range(len(shared), full))

    def _name(self, ongoing: _Ongoing, block: int) -> int:
        """A block that nobody else has; negative, where a prefix' hashes are not."""
        return -1 - (int(ongoing.key) << 24) - block
