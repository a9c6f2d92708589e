"""A log's requests through one replica: after their overhead, by the fast replica and by the scheduler alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.batching import SchedulerConfig, StepTimeModel
from serving.simulator.log_replay import LogReplay

STEP_TIME = StepTimeModel.from_tables(
    decode_ms={1: 10, 8: 17}, prefill_ms={64: 20, 256: 60}, mixed_ms={2: 11, 256: 62}, request_overhead_ms=5.0
)
ROOMY = SchedulerConfig(kv_blocks=10_000)


def served(
    at_s: list[float], prompts: list[int], outputs: list[int], *, exact: bool
) -> tuple[list[float], list[float]]:
    replay = LogReplay(ROOMY, STEP_TIME, exact=exact)
    first_s, last_s = replay.serve(np.array(at_s), np.array(prompts), np.array(outputs))
    return first_s.tolist(), last_s.tolist()


def test_a_request_waits_its_overhead_before_it_is_queued() -> None:
    first_s, last_s = served([1.0], [64], [3], exact=False)
    assert first_s == pytest.approx([1.0 + 0.005 + 0.020])
    assert last_s == pytest.approx([1.0 + 0.005 + 0.020 + 2 * 0.010])


@given(
    st.lists(st.tuples(st.floats(0, 2), st.integers(1, 600), st.integers(1, 30)), min_size=1, max_size=20),
)
def test_without_preemption_both_replicas_give_the_same_times(requests: list[tuple[float, int, int]]) -> None:
    columns = [list(column) for column in zip(*sorted(requests), strict=True)]
    assert served(*columns, exact=True) == served(*columns, exact=False)
