"""The autoscaler's own /metrics: what it wants, what there is, what it saw, and which rule held it back."""

from __future__ import annotations

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from serving.autoscale.controller import Decision
from serving.autoscale.signals import Unavailable

LIMITS = (
    "ScaleUpStabilized",
    "ScaleDownStabilized",
    "ScaleUpLimit",
    "ScaleDownLimit",
    "TooManyReplicas",
    "TooFewReplicas",
    "MetricUnavailable",
)
HOST = "127.0.0.1"


class AutoscalerMetrics:
    """A registry of its own; every label value exists from the start."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._desired = Gauge("sre_autoscaler_desired_replicas", "Replicas last asked for.", registry=registry)
        self._current = Gauge(
            "sre_autoscaler_current_replicas", "Replicas last seen, starting ones too.", registry=registry
        )
        self._signal = Gauge(
            "sre_autoscaler_signal_value",
            "A metric's value as compared with its target; absent while unavailable.",
            ["metric"],
            registry=registry,
        )
        self._ratio = Gauge(
            "sre_autoscaler_signal_ratio", "Value over target after corrections.", ["metric"], registry=registry
        )
        self._limited = Gauge("sre_autoscaler_limited", "1 for the rule in force.", ["reason"], registry=registry)
        self._failures = Counter("sre_autoscaler_failures_total", "Rounds that could not decide.", registry=registry)
        for reason in LIMITS:
            self._limited.labels(reason)

    def failed(self) -> None:
        self._failures.inc()

    def decided(self, decision: Decision) -> None:
        self._current.set(decision.current)
        self._desired.set(decision.desired)
        for reason in LIMITS:
            self._limited.labels(reason).set(reason == decision.limited_by)
        self._signal.clear()
        self._ratio.clear()
        for reading in decision.readings:
            if not isinstance(reading.outcome, Unavailable):
                self._signal.labels(reading.metric.title).set(reading.outcome.value_milli / 1000)
                self._ratio.labels(reading.metric.title).set(float(reading.outcome.ratio))


async def serve(metrics: AutoscalerMetrics, port: int) -> tuple[web.AppRunner, int]:
    """Serve /metrics on loopback; returns the runner to clean up, and the port."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), content_type="text/plain", charset="utf-8")

    app = web.Application()
    app.router.add_get("/metrics", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    return runner, int(runner.addresses[0][1])
