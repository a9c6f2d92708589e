"""Serves given requests at given times by one replica: when each got its first and its last token."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serving.batching import SchedulerConfig, StepTimeModel
from serving.simulator.engine import Engine
from serving.simulator.model import NS
from serving.simulator.reference_replica import ReferenceReplica
from serving.simulator.replica import Replica


class LogReplay:
    """Adds each request `request_overhead_ms` after its arrival, and keeps the times of its tokens, in ns."""

    def __init__(self, config: SchedulerConfig, step_time: StepTimeModel, *, exact: bool) -> None:
        self._replica: Engine = ReferenceReplica(config, step_time) if exact else Replica(config, step_time)
        self._overhead_ns = round(step_time.request_overhead_ms * 1e6)
        self._first: dict[int, int] = {}
        self._last: dict[int, int] = {}

    @property
    def preemptions(self) -> int:
        return self._replica.preemptions

    def serve(
        self, at_s: NDArray[np.float64], prompt_tokens: NDArray[np.int64], output_tokens: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """First and last token times in seconds, for requests in order of arrival that each fit the replica."""
        for number, (at, prompt, output) in enumerate(
            zip(at_s.tolist(), prompt_tokens.tolist(), output_tokens.tolist(), strict=True)
        ):
            now_ns = round(at * NS) + self._overhead_ns
            self._until(now_ns)
            self._replica.add(number, prompt_tokens=prompt, output_tokens=output, now_ns=now_ns)
            self._replica.start(now_ns)
        self._until(None)
        numbers = range(len(at_s))
        return self._seconds(self._first, numbers), self._seconds(self._last, numbers)

    def _until(self, now_ns: int | None) -> None:
        """Everything before `now_ns`; what comes at an instant at which a step ends is told before that end."""
        while (end_ns := self._replica.next_ns) is not None and (now_ns is None or end_ns < now_ns):
            for token in self._replica.complete():
                if token.is_first:
                    self._first[token.id] = end_ns
                if token.is_last:
                    self._last[token.id] = end_ns
            self._replica.start(end_ns)

    @staticmethod
    def _seconds(times: dict[int, int], numbers: range) -> NDArray[np.float64]:
        return np.array([times[number] for number in numbers], dtype=np.float64) / NS
