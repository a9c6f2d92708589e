"""A Chaos Toolkit extension for model-serving platforms: faults, probes and a control, and what closes its gaps."""

from __future__ import annotations

from typing import Any

__all__ = ["discover"]


def discover(discover_system: bool = True) -> dict[str, Any]:
    """What Chaos Toolkit's `discover` asks of an extension: its actions, probes and control. The system part stays
    empty: what is up, `sre status` says.
    """
    from importlib.metadata import PackageNotFoundError, version

    from chaoslib.discovery.discover import (
        discover_actions,
        discover_activities,
        discover_probes,
        initialize_discovery_result,
    )

    try:
        release = version("llm-gameday")
    except PackageNotFoundError:  # run from a checkout that is not installed
        release = "unknown"
    found: dict[str, Any] = initialize_discovery_result("llm-gameday", release, "llm-serving")
    found["activities"] = [
        *discover_actions("sre.chaos.actions"),
        *discover_probes("sre.chaos.probes"),
        *discover_activities("sre.chaos.control", "control"),
    ]
    return found
