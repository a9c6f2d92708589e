"""Which action injects which fault: what can be said of an experiment's method without playing it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FAULT_OF_ACTION: Mapping[str, str] = MappingProxyType(
    {
        "crash_replica": "replica-crash",
        "crash_stub": "stub-crash",
        "hang_replica": "replica-hang",
        "slow_replica": "replica-slow",
        "gpu_error": "gpu-xid",
        "exhaust_kv": "kv-exhaustion",
        "send_poison": "poison-request",
        "fail_model_load": "model-load-failure",
        "roll_out_bad_model": "bad-rollout",
        "slow_cold_start": "cold-start",
        "add_latency": "network-latency",
        "lose_packets": "network-loss",
        "reset_connections": "network-reset",
        "limit_bandwidth": "network-bandwidth",
        "partition_replica": "network-partition",
        "break_dns": "dns-failure",
        "press_cpu": "cpu-pressure",
        "press_memory": "memory-pressure",
        "fill_disk": "disk-full",
        "skew_clock": "clock-skew",
        "crash_gateway": "gateway-crash",
        "stop_autoscaler": "autoscaler-down",
        "preempt_replica": "spot-preemption",
        "lose_zone": "zone-loss",
        "stop_metrics": "metrics-down",
        "freeze_metrics": "metrics-stale",
        "falsify_metrics": "metrics-lying",
        "surge_traffic": "traffic-surge",
        "flood_long_prompts": "long-prompt-flood",
        "start_retry_storm": "retry-storm",
        "start_disconnect_storm": "disconnect-storm",
        "thrash_autoscaler": "autoscaler-thrash",
    }
)
ACTIONS_MODULE = "sre.chaos.actions"
HEALING_ACTION = "heal_faults"


def fault_of(module: str, function: str) -> str | None:
    """The fault that this function injects; None for any other function."""
    ours = module == ACTIONS_MODULE or module.startswith(f"{ACTIONS_MODULE}.")
    return FAULT_OF_ACTION.get(function) if ours else None


def heals(module: str, function: str) -> bool:
    """Whether this function undoes every fault of the run."""
    return (module == ACTIONS_MODULE or module.startswith(f"{ACTIONS_MODULE}.")) and function == HEALING_ACTION
