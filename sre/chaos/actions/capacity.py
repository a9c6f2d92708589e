"""Faults of how many replicas there are."""

from __future__ import annotations

from typing import Any

from sre.chaos.acting import injected

Configuration = dict[str, Any]


def thrash_autoscaler(
    lease_s: float,
    low: int = 2,
    high: int = 4,
    period_s: float = 10.0,
    configuration: Configuration | None = None,
) -> dict[str, Any]:
    """Scale out to `high` replicas and in to `low`, one change each `period_s` seconds.

    Component `autoscaler`; the replicas that leave count for the blast radius. `heal_faults` goes back to the count
    before. What it costs is in the report: every start is billed.
    """
    params = {"low": low, "high": high, "period_s": period_s}
    return injected("autoscaler-thrash", params, lease_s=lease_s, configuration=configuration)
