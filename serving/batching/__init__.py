"""Continuous batching without a clock: scheduler, paged KV blocks and the step-time model. No I/O, no time, no
randomness.

The engine drives it with wall time and the fleet simulator with virtual time, so both see the same queueing and the
same preemptions.
"""

from serving.batching.kv import BlockPool
from serving.batching.model import Allotment, Emission, NeverFits, Request, SchedulerConfig, StepOutcome, StepPlan
from serving.batching.scheduler import Scheduler
from serving.batching.steptime import Curve, StepTimeModel

__all__ = [
    "Allotment",
    "BlockPool",
    "Curve",
    "Emission",
    "NeverFits",
    "Request",
    "Scheduler",
    "SchedulerConfig",
    "StepOutcome",
    "StepPlan",
    "StepTimeModel",
]
