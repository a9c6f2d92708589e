"""Honest numbers: vLLM's own counts, corrected by what the model itself knows of its requests.

An engine that hangs sends no news, and one whose last request was aborted sends none either: its gauges then stand
still at a time when they matter. How many requests are open is known here for certain, and how each one ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from serving.engine.metrics import FINISHED_REASONS, EngineMetrics


def honest(counts: EngineMetrics, finished: dict[str, int], *, open_requests: int) -> EngineMetrics:
    """What to publish: no request is lost between running and waiting, and an empty engine uses no KV cache."""
    running = min(counts.requests_running, open_requests)
    return replace(
        counts,
        requests_running=running,
        requests_waiting=open_requests - running,
        kv_cache_usage=counts.kv_cache_usage if open_requests else 0.0,
        finished=dict(finished),
    )


@dataclass(slots=True)
class Progress:
    """When the engine last moved. Without open requests there is nothing to do, and that is no stall."""

    moved_at: float
    steps: int = 0

    def note_steps(self, steps: int, now: float) -> None:
        if steps != self.steps:
            self.steps, self.moved_at = steps, now

    def stalled_s(self, now: float, *, open_requests: int) -> float:
        """Seconds for which requests have been open and no engine step came."""
        if not open_requests:
            self.moved_at = now
        return now - self.moved_at


@dataclass(slots=True)
class Endings:
    """How requests ended."""

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FINISHED_REASONS, 0))

    def note(self, reason: str) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1

    def note_error(self, error: str | None) -> None:
        """None is a cancelled request; one dropped at its deadline was aborted as well; a refused one never ran."""
        if error is None or error.startswith("DEADLINE_EXCEEDED:"):
            self.note("abort")
        elif not error.startswith("INVALID_ARG:"):
            self.note("error")
