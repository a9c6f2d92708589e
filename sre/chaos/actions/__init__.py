"""Faults, and their undoing, for the `method` and `rollbacks` of an experiment.

Each action returns once its fault was seen to work (`proof`). The fault then stays until `heal_faults`, the end of the
run, or `lease_s` seconds, whichever comes first.
"""

from __future__ import annotations

from sre.chaos.actions.capacity import thrash_autoscaler
from sre.chaos.actions.control_plane import crash_gateway, lose_zone, preempt_replica, stop_autoscaler
from sre.chaos.actions.engine import (
    exhaust_kv,
    fail_model_load,
    gpu_error,
    roll_out_bad_model,
    send_poison,
    slow_cold_start,
    slow_replica,
)
from sre.chaos.actions.healing import heal_faults
from sre.chaos.actions.host import fill_disk, press_cpu, press_memory, skew_clock
from sre.chaos.actions.replica import crash_replica, crash_stub, hang_replica
from sre.chaos.actions.traffic import flood_long_prompts, start_disconnect_storm, start_retry_storm, surge_traffic

__all__ = [
    "crash_gateway",
    "crash_replica",
    "crash_stub",
    "exhaust_kv",
    "fail_model_load",
    "fill_disk",
    "flood_long_prompts",
    "gpu_error",
    "hang_replica",
    "heal_faults",
    "lose_zone",
    "preempt_replica",
    "press_cpu",
    "press_memory",
    "roll_out_bad_model",
    "send_poison",
    "skew_clock",
    "slow_cold_start",
    "slow_replica",
    "start_disconnect_storm",
    "start_retry_storm",
    "stop_autoscaler",
    "surge_traffic",
    "thrash_autoscaler",
]
