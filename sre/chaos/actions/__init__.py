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
from sre.chaos.actions.network import (
    add_latency,
    break_dns,
    limit_bandwidth,
    lose_packets,
    partition_replica,
    reset_connections,
)
from sre.chaos.actions.replica import crash_replica, crash_stub, hang_replica
from sre.chaos.actions.telemetry import falsify_metrics, freeze_metrics, stop_metrics
from sre.chaos.actions.traffic import flood_long_prompts, start_disconnect_storm, start_retry_storm, surge_traffic

__all__ = [
    "add_latency",
    "break_dns",
    "crash_gateway",
    "crash_replica",
    "crash_stub",
    "exhaust_kv",
    "fail_model_load",
    "falsify_metrics",
    "fill_disk",
    "flood_long_prompts",
    "freeze_metrics",
    "gpu_error",
    "hang_replica",
    "heal_faults",
    "limit_bandwidth",
    "lose_packets",
    "lose_zone",
    "partition_replica",
    "preempt_replica",
    "press_cpu",
    "press_memory",
    "reset_connections",
    "roll_out_bad_model",
    "send_poison",
    "skew_clock",
    "slow_cold_start",
    "slow_replica",
    "start_disconnect_storm",
    "start_retry_storm",
    "stop_autoscaler",
    "stop_metrics",
    "surge_traffic",
    "thrash_autoscaler",
]
