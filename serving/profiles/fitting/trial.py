"""A profile against a log it need not be fitted to: the requests by its step times as they are, nothing is adjusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from serving.batching import SchedulerConfig, StepTimeModel
from serving.errors import BadInput
from serving.profiles.fitting.objective import Replayer
from serving.profiles.fitting.parts import Part
from serving.profiles.fitting.request_log import Run
from serving.profiles.fitting.score import Comparison, compare, measures

MOST_EXACT = 5000
"""Requests up to which a log is replayed by the scheduler itself, at some hundreds a second."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run under a profile. `judged` says over which requests `compared` is; all of them were replayed.

    `forgets_preempted_blocks`: the replay was the fast one, and requests were preempted that would have found their own
    blocks in the prefix cache: times are somewhat too long.
    """

    judged: str
    preemptions: int
    is_exact: bool
    forgets_preempted_blocks: bool
    compared: tuple[Comparison, ...]


def try_run(
    run: Run, scheduler: SchedulerConfig, step_time: StepTimeModel, replayer: Replayer, *, part: Part | None = None
) -> Trial:
    """Replay the whole log within the limits of `scheduler`, and compare all requests, or those of `part`.

    Raises BadInput when a request does not fit the limits.
    """
    _require_servable(run, scheduler)
    log, is_exact = run.log, len(run.log) <= MOST_EXACT
    times = replayer(log, scheduler, step_time, exact=is_exact)
    mask = np.ones(len(log), np.bool_) if part is None else part.mask(len(log))
    measured, simulated = measures(log, log.first_s, log.last_s), measures(log, times.first_s, times.last_s)
    return Trial(
        judged=f"all {len(log):,} requests" if part is None else part.in_words(len(log)),
        preemptions=times.preemptions,
        is_exact=is_exact,
        forgets_preempted_blocks=not is_exact and times.preemptions > 0 and scheduler.enable_prefix_caching,
        compared=tuple(compare(measured, simulated, mask)),
    )


def _require_servable(run: Run, scheduler: SchedulerConfig) -> None:
    longest = int((run.log.prompt_tokens + run.log.output_tokens).max())
    most = min(scheduler.max_model_len, scheduler.kv_blocks * scheduler.block_size_tokens)
    if longest > most:
        raise BadInput(
            f"{run.title}: a request has {longest:,} tokens, but these limits of the engine allow {most:,}: use those "
            "of the run"
        )
