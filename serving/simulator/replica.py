"""One replica under a virtual clock: its batch, the times of its steps, and what can befall it.

Times are those of the emulated engine (`serving.engine.emulated`): a fault holds from the next step on, the step under
way still ends. Requests have one priority and share no prefix; a preempted one computes everything again, where the
engine may find blocks of it in its prefix cache. `tests/serving/simulator` compares it with the scheduler itself.
"""

from __future__ import annotations

from serving.batching import SchedulerConfig, StepTimeModel
from serving.simulator.batch import Batch
from serving.simulator.engine import Evicted, Progress, Stretch, Token
from serving.simulator.sequence import Sequence
from serving.simulator.steps import Run, StepTimes


class Replica:
    """An `Engine`, the fast one."""

    prefix_queries_tokens = prefix_hits_tokens = 0

    def __init__(self, config: SchedulerConfig, step_time: StepTimeModel) -> None:
        self.config = config
        self._times = StepTimes(step_time)
        self._batch = Batch(config)
        self._sequences: dict[int, Sequence] = {}
        self._leaving: list[Sequence] = []
        self._priority: int | None = None
        self._hangs = False
        self._arrivals = self._busy_ns = self._past_preemptions = 0
        self._limit: int | None = None
        self._run: Run | None = None
        self._last_run: Run | None = None
        self._last_decodes = 0

    @property
    def preemptions(self) -> int:
        return self._past_preemptions + self._batch.preemptions

    @property
    def running(self) -> int:
        return self._batch.running

    @property
    def waiting(self) -> int:
        return len(self._batch.waiting)

    @property
    def next_ns(self) -> int | None:
        return None if self._run is None else self._run.end_ns

    def kv_usage(self, now_ns: int) -> float:
        """Share of blocks in use at a moment within the run under way."""
        steps = 0 if self._run is None else min(self._run.steps, self._run.ended(now_ns) + 1)
        return self._batch.used_blocks(steps) / self.config.kv_blocks

    def busy_ns(self, now_ns: int) -> int:
        return self._busy_ns + (now_ns - self._run.start_ns if self._run is not None else 0)

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
        """As `Engine.add`; `prefix` is not looked at. Raises ValueError for a second priority, and for a known id."""
        if self._priority is None:
            self._priority = priority
        if priority != self._priority:
            raise ValueError(f"request {id_} has priority {priority}, those before {self._priority}")
        if id_ in self._sequences:
            raise ValueError(f"request {id_} is already under way")
        sequence = Sequence(id_, prompt_tokens, output_tokens, self._arrivals, resumed_tokens, resumed_tokens)
        self._arrivals += 1
        self._sequences[id_] = sequence
        self._batch.waiting.append(sequence)
        self._cut(now_ns)

    def cancel(self, id_: int, now_ns: int) -> int | None:
        sequence = self._sequences.get(id_)
        if sequence is None:
            return None
        emitted = self._emitted(sequence, now_ns)
        del self._sequences[id_]
        if self._run is None:
            self._batch.drop(sequence)
        else:
            self._cut(now_ns)
            self._leaving.append(sequence)
        return emitted

    def evict(self, now_ns: int) -> list[Evicted]:
        """As `Engine.evict`. A hang, a slowness or a limit of blocks goes on when work comes again."""
        evicted = [self._progress(sequence, now_ns) for sequence in self._sequences.values()]
        self._busy_ns = self.busy_ns(now_ns)
        self._past_preemptions += self._batch.preemptions
        self._run = None
        self._sequences.clear()
        self._leaving.clear()
        self._batch = Batch(self.config)
        self._batch.limit_blocks(self._limit)
        return evicted

    def progress(self, id_: int, now_ns: int) -> Progress:
        return self._progress(self._sequences[id_], now_ns)

    def emitted(self, id_: int, now_ns: int) -> int:
        return self._emitted(self._sequences[id_], now_ns)

    def is_running(self, id_: int) -> bool:
        sequence = self._sequences.get(id_)
        return sequence is not None and self._batch.is_running(sequence)

    def hang(self, now_ns: int) -> None:
        self._hangs = True
        self._cut(now_ns)

    def unhang(self, now_ns: int) -> None:
        self._hangs = False

    def slow(self, factor: float, now_ns: int) -> None:
        self._times.factor = factor
        self._cut(now_ns)

    def limit_blocks(self, blocks: int | None, now_ns: int) -> None:
        self._limit = blocks
        self._batch.limit_blocks(blocks)
        self._cut(now_ns)

    def start(self, now_ns: int) -> None:
        if self._run is not None or self._hangs or self._batch.is_empty:
            return
        plan = self._batch.plan()
        if plan is not None:
            self._run = self._times.run(now_ns, plan)

    def complete(self) -> list[Token]:
        """End the run under way. Raises RuntimeError without one."""
        run, self._run = self._run, None
        if run is None:
            raise RuntimeError("no run is under way")
        batch, end_ns = self._batch, run.end_ns
        self._busy_ns += end_ns - run.start_ns
        gap_ns = run.longest_gap_ns(batch.ends.last_ns, run.steps) if batch.is_decoding else 0
        batch.advance(run.steps, end_ns, gap_ns)
        if self._leaving:
            for sequence in self._leaving:
                batch.drop(sequence)
            self._leaving.clear()
        self._last_run, self._last_decodes = run, batch.decodes
        tokens = batch.collect()
        for token in tokens:
            if token.is_last:
                del self._sequences[token.id]
        return tokens

    def stretch(self) -> Stretch:
        run = self._last_run
        return Stretch(0, 0, 0, 0) if run is None else Stretch(run.steps, run.start_ns, run.end_ns, self._last_decodes)

    def _cut(self, now_ns: int) -> None:
        """What comes next is planned when the step under way ends."""
        if self._run is not None and self._run.cut(now_ns):
            self._batch.reach_to(self._run.steps)

    def _ended_steps(self, now_ns: int) -> int:
        return 0 if self._run is None else self._run.ended(now_ns)

    def _emitted(self, sequence: Sequence, now_ns: int) -> int:
        if not sequence.decoding:
            return sequence.emitted
        return sequence.emitted + self._batch.tokens_since(sequence) + self._ended_steps(now_ns)

    def _progress(self, sequence: Sequence, now_ns: int) -> Progress:
        computed = sequence.lost + sequence.computed
        if not sequence.decoding:
            return Progress(sequence.id, sequence.emitted, sequence.last_ns, sequence.gap_ns, computed)
        ends, steps = self._batch.ends, self._ended_steps(now_ns)
        gap_ns, last_ns = max(sequence.gap_ns, ends.longest_gap_ns(sequence.joined)), ends.last_ns
        if self._run is not None and steps:
            gap_ns = max(gap_ns, self._run.longest_gap_ns(last_ns, steps))
            last_ns = self._run.end_of(steps)
        emitted = self._emitted(sequence, now_ns)
        return Progress(sequence.id, emitted, last_ns, gap_ns, computed + emitted - sequence.emitted)
