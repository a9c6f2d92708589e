"""What the replicas of a GPU profile hold, for the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sre.platforms.local.errors import serving_errors_as_ours


def profile_names() -> list[str]:
    """The GPU profiles there are."""
    from serving.profiles import profile_names as names

    return names()


def capacity_report(profile: str) -> dict[str, Any]:
    """`lines` ([label, value] pairs for a reader) and the figures behind them.

    Raises SreError for an unknown profile, and for one that does not fit its GPUs.
    """
    from serving.profiles import capacity_of_profile, describe_capacity, load

    with serving_errors_as_ours():
        found = load(profile)
    return {
        "profile": found.name,
        "capacity": asdict(capacity_of_profile(found)),
        "cold_start_s": dict(found.cold_start_s),
        "lines": [list(pair) for pair in describe_capacity(found)],
    }
