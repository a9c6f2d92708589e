"""What `/metrics` of `sre serve` shows. A registry of its own: two servers in one process do not mix."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from sre.webhook.intake import Receipt

REASONS = ("auth", "method", "type", "size", "slow", "json", "version", "shape", "store", "internal")
_RESULTS = ("opened", "updated", "duplicate")


class Counters:
    """Every label value exists from the start, so that `rate()` sees the first event."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._received = Counter(
            "sre_webhook_received", "Requests to the webhook, whatever became of them", registry=self.registry
        )
        self._taken = Counter(
            "sre_webhook_notifications", "Notifications taken, by what they did", ["result"], registry=self.registry
        )
        self._alerts = Counter(
            "sre_webhook_alerts",
            "Alerts in notifications taken, by what they were",
            ["verdict"],
            registry=self.registry,
        )
        self._refused = Counter(
            "sre_webhook_refused",
            "Requests not taken; a sender repeats those of `store`",
            ["reason"],
            registry=self.registry,
        )
        self._last = Gauge(
            "sre_webhook_last_notification_timestamp_seconds", "When one was taken last", registry=self.registry
        )
        self._stale = Counter("sre_webhook_stale", "Incidents marked as not heard of", registry=self.registry)
        for result in _RESULTS:
            self._taken.labels(result)
        for reason in REASONS:
            self._refused.labels(reason)

    def received(self) -> None:
        self._received.inc()

    def refused(self, reason: str) -> None:
        self._refused.labels(reason).inc()

    def taken(self, receipt: Receipt, at: float) -> None:
        self._taken.labels(receipt.result).inc()
        for verdict in receipt.verdicts:
            self._alerts.labels(verdict).inc()
        self._last.set(at)

    def went_stale(self, count: int) -> None:
        self._stale.inc(count)

    def exposition(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)
