"""What a Prometheus server says of itself: metric names, label values, types, retention, version.

Servers that only speak the query API (Thanos, Mimir) lack the status endpoints: that is None, not an error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sre.errors import EnvironmentLacks, NoData
from sre.metrics.facts import finite_bounds
from sre.metrics.identity import BOUND_LABEL

if TYPE_CHECKING:
    from sre.metrics.prometheus_session import GuardedSession

_DURATION = re.compile(r"(\d+)(ms|[smhdwy])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 365 * 86400.0}
_PARTS = re.compile(r"_(?:total|bucket|count|sum|created)$")


class PrometheusFacts:
    """The facts' half of PrometheusSamples; `_client` is the library's, `_session` ours beneath it."""

    _url: str
    _client: Any
    _session: GuardedSession

    def metric_names(self) -> frozenset[str]:
        return self._values("__name__", {})

    def bucket_bounds(self, family: str) -> tuple[float, ...]:
        return finite_bounds(self._values(BOUND_LABEL, {"match[]": f"{family}_bucket"}))

    def label_values(self, name: str, label: str) -> frozenset[str]:
        return self._values(label, {"match[]": name})

    def retention_s(self) -> float | None:
        """Retention by time; None when the server limits by size alone, or does not say."""
        told = self._status("runtimeinfo")
        return retention_of(str(told.get("storageRetention", ""))) if told else None

    def version(self) -> str | None:
        told = self._status("buildinfo")
        return str(told["version"]) if told and told.get("version") else None

    def metric_type(self, name: str) -> str | None:
        """`counter`, `gauge`, `histogram` ... as the target declares it; None when no target does."""
        for family in dict.fromkeys((name, _PARTS.sub("", name))):
            entries = self._data("/api/v1/metadata", {"metric": family}, dict).get(family)
            if entries:
                return str(entries[0].get("type", "")) or None
        return None

    def _values(self, label: str, params: dict[str, str]) -> frozenset[str]:
        try:
            values = self._client.get_label_values(label, params=params)
            return frozenset(map(str, values))
        except (KeyError, TypeError) as error:
            raise self._foreign() from error

    def _status(self, what: str) -> dict[str, Any] | None:
        try:
            return self._data(f"/api/v1/status/{what}", {}, dict)
        except (EnvironmentLacks, NoData) as error:
            if "HTTP 404" in str(error):
                return None
            raise

    def _data(self, path: str, params: dict[str, str], kind: type[dict[str, Any]]) -> dict[str, Any]:
        data = self._session.get(self._url + path, params=params).json().get("data")
        if not isinstance(data, kind):
            raise self._foreign()
        return data

    def _foreign(self) -> EnvironmentLacks:
        return EnvironmentLacks(f"{self._url} does not speak Prometheus's API: check the address")


def retention_of(text: str) -> float | None:
    """Seconds in `15d`, `1w2d` or `15d or 512MiB` (where the size may end it sooner); None without a time."""
    first = text.split(" or ")[0].strip()
    parts = _DURATION.findall(first)
    if not parts or "".join(number + unit for number, unit in parts) != first:
        return None
    return sum(int(number) * _SECONDS[unit] for number, unit in parts) or None
