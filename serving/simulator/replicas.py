"""Which replica a workload needs: the fast one wherever its limits allow."""

from __future__ import annotations

from serving.batching import SchedulerConfig, StepTimeModel
from serving.simulator.engine import Engine
from serving.simulator.reference_replica import ReferenceReplica
from serving.simulator.replica import Replica


def replica_for(
    config: SchedulerConfig, step_time: StepTimeModel, *, shares_prefixes: bool, has_priorities: bool
) -> Engine:
    """An idle replica. `shares_prefixes` counts only where the scheduler caches them."""
    if has_priorities or (shares_prefixes and config.enable_prefix_caching):
        return ReferenceReplica(config, step_time, names_blocks=shares_prefixes)
    return Replica(config, step_time)
