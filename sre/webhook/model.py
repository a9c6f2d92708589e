"""A notification as this package works with it. Times are Unix seconds; None where Alertmanager gave none (year 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

State = Literal["firing", "resolved"]
ACTOR = "sre serve"
"""Who wrote the events of this package down."""


@dataclass(frozen=True, slots=True)
class ToldAlert:
    """One alert of a notification. `ended_at` is None while it fires. Texts are one line each, without control
    characters.
    """

    fingerprint: str
    state: State
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    started_at: float | None
    ended_at: float | None
    generator_url: str = ""

    @property
    def name(self) -> str:
        return self.labels.get("alertname", "") or "unnamed alert"

    @property
    def severity(self) -> str:
        return self.labels.get("severity", "")

    @property
    def summary(self) -> str:
        return next((self.annotations[k] for k in ("summary", "description", "message") if self.annotations.get(k)), "")


@dataclass(frozen=True, slots=True)
class Notification:
    """What one POST says of one alert group. `truncated` is how many of its alerts the sender left out."""

    group_key: str
    receiver: str
    external_url: str
    group_labels: Mapping[str, str]
    alerts: tuple[ToldAlert, ...]
    truncated: int = 0

    @property
    def source(self) -> str:
        """Where events of it come from, as a reader would look for it."""
        return f"alertmanager {self.external_url}".rstrip() + (f" receiver {self.receiver}" if self.receiver else "")
