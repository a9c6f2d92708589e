"""The control loop of a running platform: scrape, decide once a period, tell the supervisor, log one JSON line.

A round that fails (supervisor restarting, target silent) changes nothing and is tried again a period later: if the
autoscaler died with its signals, the fleet would keep whatever size it had.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from serving.autoscale.config import AutoscaleConfig
from serving.autoscale.controller import Autoscaler, Decision
from serving.autoscale.exporter import AutoscalerMetrics
from serving.autoscale.model import Policy
from serving.autoscale.promql import from_scrape, parse_simple
from serving.autoscale.scrape import BusyShare, scrape
from serving.autoscale.signals import GPU_UTILIZATION, Snapshot, Unavailable
from serving.autoscale.supervisor import FleetState
from serving.autoscale.surroundings import Surroundings
from serving.errors import BadInput, EnvironmentLacks

Answers = dict[str, float | Unavailable | None]


def require_answerable(policy: Policy, prometheus_url: str | None) -> None:
    """Raises BadInput for a metric that has no source here: better no autoscaler than one that never acts."""
    faults = []
    for metric in policy.metrics:
        if metric.source in ("Resource", "ContainerResource"):
            faults.append(f"{policy.where}: {metric.title} exists on a cluster only: use a Pods or Object metric here")
        if metric.query is not None and prometheus_url is None:
            try:
                parse_simple(metric.query)
            except BadInput as error:
                faults.append(f"{policy.where}: {metric.title}: {error}")
    if faults:
        raise BadInput("\n".join(faults))


def within(policy: Policy, most: int | None) -> Policy:
    """The policy with the platform's own upper bound. Raises BadInput when that lies below `minReplicas`."""
    if most is None or most >= policy.max_replicas:
        return policy
    if most < policy.min_replicas:
        why = f"asks for {policy.min_replicas} replicas at least, the platform may have {most}"
        raise BadInput(f"{policy.where}: {why}: start it with a higher --max-replicas, or lower minReplicas")
    return replace(policy, max_replicas=most)


@dataclass(slots=True)
class Loop:
    """One autoscaler process. `clock` is monotonic, `now` Unix time, both in seconds; `log` takes one line."""

    config: AutoscaleConfig
    policy: Policy
    around: Surroundings
    clock: Callable[[], float]
    now: Callable[[], float]
    log: Callable[[str], None]
    metrics: AutoscalerMetrics = field(default_factory=AutoscalerMetrics)
    _busy: BusyShare = field(default_factory=BusyShare)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`."""
        autoscaler = Autoscaler(self.policy)
        interval_s = self.config.interval_s / self.config.clock_factor
        next_at = self.clock()
        while not stop.is_set():
            try:
                await self._round(autoscaler)
            except EnvironmentLacks as error:
                self.metrics.failed()
                self._say("round_failed", error=str(error))
            next_at = max(next_at + interval_s, self.clock())
            await self._watch(stop, until=next_at)

    async def _watch(self, stop: asyncio.Event, *, until: float) -> None:
        """Sample how busy the replicas are until the next round, when a metric of the policy asks for it."""
        samples_busy = any(metric.name == GPU_UTILIZATION for metric in self.policy.metrics)
        while not stop.is_set() and (left_s := until - self.clock()) > 0:
            wait_s = min(left_s, self.config.scrape_interval_s) if samples_busy else left_s
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), wait_s)
            if samples_busy and not stop.is_set():
                with contextlib.suppress(EnvironmentLacks):  # the round itself will say so
                    self._busy.note((await self._scrape(await self.around.state())).samples)

    async def _round(self, autoscaler: Autoscaler) -> None:
        state = await self.around.state()
        if state.phase != "ready":
            self._say("waiting", phase=state.phase)
            return
        snapshot = await self._scrape(state)
        self._busy.note(snapshot.samples)
        answers = await self._ask(state, snapshot)
        policy_now = self.clock() * self.config.clock_factor
        decision = autoscaler.decide(
            state.pods, self._with_busy_share(snapshot), evaluate=lambda query: answers[query], now=policy_now
        )
        self.metrics.decided(decision)
        if decision.desired != decision.current:
            await self.around.scale(decision.desired + state.set_aside, reason(decision))
            autoscaler.applied(decision, now=policy_now)
        self._say("decision", **describe(decision))

    async def _scrape(self, state: FleetState) -> Snapshot:
        replicas = [(r.name, r.page) for r in state.replicas if r.page and r.pod.phase == "ready"]
        return await scrape(
            self.around.read, gateway_url=self.config.gateway_url or state.gateway.observed_at, replicas=replicas
        )

    def _with_busy_share(self, snapshot: Snapshot) -> Snapshot:
        """A real exporter's value is left alone."""
        if any(sample.name == GPU_UTILIZATION for sample in snapshot.samples):
            return snapshot
        return Snapshot(snapshot.samples + self._busy.take(), snapshot.silent)

    async def _ask(self, state: FleetState, snapshot: Snapshot) -> Answers:
        url = self.config.prometheus_url or (state.prometheus.url if state.prometheus else None)
        answers: Answers = {}
        for query in {metric.query for metric in self.policy.metrics if metric.query is not None}:
            answers[query] = await self.around.query(url, query) if url else from_scrape(query, snapshot)
        return answers

    def _say(self, event: str, **fields: Any) -> None:
        self.log(json.dumps({"at": round(self.now(), 3), "event": event, **fields}))


def describe(decision: Decision) -> dict[str, Any]:
    """A decision as JSON values."""
    return {
        "current": decision.current,
        "desired": decision.desired,
        "recommended": decision.recommended,
        "limited_by": decision.limited_by or None,
        "metrics": [
            {"metric": r.metric.title, "target": r.metric.target.milli / 1000, "unavailable": r.outcome.reason}
            if isinstance(r.outcome, Unavailable)
            else {
                "metric": r.metric.title,
                "target": r.metric.target.milli / 1000,
                "value": r.outcome.value_milli / 1000,
                "ratio": round(float(r.outcome.ratio), 4),
                "replicas": r.outcome.replicas,
            }
            for r in decision.readings
        ],
    }


def reason(decision: Decision) -> str:
    """One line for the event log: the metric that asked for most, and what cut it."""
    known = [(r.metric.title, r.outcome) for r in decision.readings if not isinstance(r.outcome, Unavailable)]
    cut = f", limited by {decision.limited_by}" if decision.limited_by else ""
    if not known:
        return f"bounds of the policy{cut}"
    title, outcome = max(known, key=lambda pair: pair[1].replicas)
    return f"{title} at {outcome.value_milli / 1000:g}, {float(outcome.ratio):.2f} of its target{cut}"
