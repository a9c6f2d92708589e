"""What a scrape of the simulated fleet shows: the names and meanings of the live engine and gateway.

GPU utilization is the share
of time in steps since the scrape before, exactly as little as DCGM's says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serving.autoscale.signals import GPU_UTILIZATION, Sample, Snapshot
from serving.simulator.replica import Replica


@dataclass(slots=True, eq=False)
class Member:
    """A replica of the fleet and what the gateway knows of it."""

    name: str
    index: int
    replica: Replica
    ready: bool
    draining: bool = False
    outstanding_tokens: int = 0
    followed_ns: int = -1
    scraped_ns: int = 0
    scraped_busy_ns: int = 0


def snapshot_of(
    members: Sequence[Member], *, queue_depth: int, queue_tokens: int, predicted_ttft_s: float, now_ns: int
) -> Snapshot:
    """One scrape; replicas that are not up expose nothing."""
    samples = [
        Sample("sre_gateway_queue_depth", queue_depth),
        Sample("sre_gateway_queue_tokens", queue_tokens),
        Sample("sre_gateway_predicted_ttft_seconds", predicted_ttft_s),
    ]
    for member in members:
        if member.ready:
            samples += _of_replica(member, now_ns)
    return Snapshot(tuple(samples))


def _of_replica(member: Member, now_ns: int) -> list[Sample]:
    replica, name = member.replica, member.name
    busy = replica.busy_ns(now_ns)
    elapsed = now_ns - member.scraped_ns
    share = 100.0 * (busy - member.scraped_busy_ns) / elapsed if elapsed > 0 else 0.0
    member.scraped_ns, member.scraped_busy_ns = now_ns, busy
    return [
        Sample("vllm:num_requests_running", replica.running, name),
        Sample("vllm:num_requests_waiting", replica.waiting, name),
        Sample("vllm:kv_cache_usage_perc", round(replica.kv_usage(now_ns), 6), name),
        Sample(GPU_UTILIZATION, round(min(share, 100.0), 3), name),
        Sample("sre_gateway_replica_inflight", replica.running + replica.waiting, None, (("replica", name),)),
    ]
