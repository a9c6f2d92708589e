"""The gateway's rare events, counted under its names; every label value exists from the start with 0."""

from __future__ import annotations

from serving.gateway.metrics import REJECTION_REASONS, REPLAY_RESULTS
from serving.gateway.model import FAILURE_REASONS

_LABELS = (
    ("sre_gateway_retries_total", "reason", FAILURE_REASONS),
    ("sre_gateway_replays_total", "result", REPLAY_RESULTS),
    ("sre_gateway_replayed_tokens_total", "kind", ("prompt", "generation")),
    ("sre_gateway_rejections_total", "reason", REJECTION_REASONS),
    ("sre_gateway_poison_total", "event", ("quarantined", "refused")),
)


class Tallies:
    """`counts` by (metric, label, its value), in an order that never changes."""

    def __init__(self) -> None:
        self.counts = {(name, label, value): 0 for name, label, values in _LABELS for value in values}
        self._label = {name: label for name, label, _ in _LABELS}

    def count(self, name: str, value: str, amount: int = 1) -> None:
        self.counts[name, self._label[name], value] += amount
