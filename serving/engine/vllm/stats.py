"""vLLM's own statistics, added up where they are right.

Taken from it: tokens, preemptions, prefix cache, KV usage, first-token and inter-token times. Not taken: how requests
ended, because an aborted one is never counted and an error hides among the successes; and the number of requests when
nothing moves, because a hung or idle engine sends no news (`honest` in `bookkeeping.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from vllm.v1.metrics.loggers import StatLoggerBase

from serving.engine.metrics import EngineMetrics


class Stats:
    """The sums since the last `reset`, over every engine iteration."""

    def __init__(self) -> None:
        self.metrics = EngineMetrics()
        self.steps = 0

    def reset(self) -> None:
        """Forget the warm-up."""
        self.metrics = EngineMetrics()

    def note_scheduler(self, stats: Any) -> None:
        metrics = self.metrics
        metrics.requests_running = stats.num_running_reqs
        metrics.requests_waiting = stats.num_waiting_reqs + stats.num_skipped_waiting_reqs
        metrics.kv_cache_usage = stats.kv_cache_usage
        metrics.prefix_queries_tokens += stats.prefix_cache_stats.queries
        metrics.prefix_hits_tokens += stats.prefix_cache_stats.hits

    def note_iteration(self, stats: Any) -> None:
        metrics = self.metrics
        metrics.prompt_tokens += stats.prompt_token_stats.total
        metrics.generation_tokens += stats.num_generation_tokens
        metrics.preemptions += stats.num_preempted_reqs
        for seconds in stats.time_to_first_tokens_iter:
            metrics.ttft_s.observe(seconds)
        for seconds in stats.inter_token_latencies_iter:
            metrics.inter_token_s.observe(seconds)


def logger_factory(stats: Stats) -> Callable[[Any, int], StatLoggerBase]:
    """What AsyncLLM takes as one of its `stat_loggers`."""

    class Listener(StatLoggerBase):  # type: ignore[misc]  # vLLM is not there when types are checked
        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None:
            """vLLM hands over its configuration; nothing of it is needed."""

        def record(
            self, scheduler_stats: Any, iteration_stats: Any, mm_cache_stats: Any = None, engine_idx: int = 0
        ) -> None:
            stats.steps += 1
            if scheduler_stats is not None:
                stats.note_scheduler(scheduler_stats)
            if iteration_stats is not None:
                stats.note_iteration(iteration_stats)

        def log_engine_initialized(self) -> None:
            """The replica's log has it already."""

    return Listener
