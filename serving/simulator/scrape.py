"""What a scrape of the simulated fleet shows: names, labels and meanings of the live gateway and engine.

GPU utilization is the share of time in steps since the scrape before, exactly as little as DCGM's says.
"""

from __future__ import annotations

from collections.abc import Callable

from serving.autoscale.signals import GPU_UTILIZATION, Sample, Snapshot
from serving.simulator.agenda import SCRAPE, Agenda
from serving.simulator.gateway import Gateway
from serving.simulator.member import Member
from serving.simulator.membership import Membership
from serving.simulator.model import NS

_GATEWAY = (("job", "gateway"),)
_ENGINE = (("job", "triton"), ("model_name", "llm"))
_SILENT = "TimeoutError"


class Scraper:
    """`seen` is the last scrape, made only when an autoscaler reads it (`is_read`). `blind_to` says of a replica, or of
    the gateway (None), that it does not answer. `on_scrape` hears of each, for whoever keeps samples.
    """

    def __init__(
        self,
        membership: Membership,
        gateway: Gateway,
        agenda: Agenda,
        *,
        period_s: float,
        end_s: float,
        is_read: bool,
    ) -> None:
        self._membership, self._gateway, self._agenda = membership, gateway, agenda
        self._period_ns, self._end_ns = round(period_s * NS), round(end_s * NS)
        self.seen = Snapshot(())
        self._is_read = is_read
        self.blind_to: Callable[[Member | None], bool] = _to_nobody
        self.on_scrape: Callable[[int], None] | None = None

    def begin(self) -> None:
        self._agenda.at(0, SCRAPE, self._scrape)

    def _scrape(self, now_ns: int) -> None:
        self._gateway.line.expire(now_ns)
        if self._is_read:
            self.seen = self.snapshot(now_ns)
        if self.on_scrape is not None:
            self.on_scrape(now_ns)
        if (following := now_ns + self._period_ns) < self._end_ns:
            self._agenda.at(following, SCRAPE, self._scrape)

    def snapshot(self, now_ns: int) -> Snapshot:
        """Everything that answers; a replica that is not up exposes nothing."""
        samples: list[Sample] = []
        silent: list[tuple[str, str]] = []
        if self.blind_to(None):
            silent.append(("gateway", _SILENT))
        else:
            samples += self._of_gateway(now_ns)
        for member in self._membership.members:
            if member.process != "ready":
                continue
            if self.blind_to(member):
                silent.append((member.name, _SILENT))
            else:
                samples += _of_replica(member, now_ns)
        return Snapshot(tuple(samples), tuple(silent))

    def _of_gateway(self, now_ns: int) -> list[Sample]:
        gateway = self._gateway
        samples = [
            Sample("sre_gateway_queue_depth", len(gateway.line), None, _GATEWAY),
            Sample("sre_gateway_queue_tokens", gateway.line.tokens, None, _GATEWAY),
            Sample("sre_gateway_predicted_ttft_seconds", gateway.predicted_ttft_s(now_ns), None, _GATEWAY),
        ]
        for member in self._membership.members:
            if member.process == "ready" or member.flights:
                labels = (*_GATEWAY, ("replica", member.name))
                samples.append(Sample("sre_gateway_replica_up", float(member.health.routable), None, labels))
                samples.append(Sample("sre_gateway_replica_inflight", len(member.flights), None, labels))
        return samples


def _of_replica(member: Member, now_ns: int) -> list[Sample]:
    core, name = member.core, member.name
    busy_ns = core.busy_ns(now_ns)
    elapsed_ns = now_ns - member.scraped_ns
    share = 100.0 * (busy_ns - member.scraped_busy_ns) / elapsed_ns if elapsed_ns > 0 else 0.0
    member.scraped_ns, member.scraped_busy_ns = now_ns, busy_ns
    return [
        Sample("vllm:num_requests_running", core.running, name, _ENGINE),
        Sample("vllm:num_requests_waiting", core.waiting, name, _ENGINE),
        Sample("vllm:kv_cache_usage_perc", round(core.kv_usage(now_ns), 6), name, _ENGINE),
        Sample(GPU_UTILIZATION, round(min(share, 100.0), 3), name),
    ]


def _to_nobody(_member: Member | None) -> bool:
    return False
