"""A Chaos Toolkit extension for model-serving platforms: faults, probes and a control, and what closes its gaps."""

from __future__ import annotations

from typing import Any

__all__ = ["discover"]


def discover(discover_system: bool = True) -> dict[str, Any]:
    """What Chaos Toolkit's `discover` asks of an extension: its actions and probes. The system part stays empty.

    `chaos discover` takes a distribution's name and imports the first top-level package it finds in it; `llm-gameday`
    has two (`sre`, `serving`), so ask this function itself where that picks the wrong one.
    """
    from importlib.metadata import PackageNotFoundError, version

    from chaoslib.discovery.discover import discover_actions, discover_probes, initialize_discovery_result

    try:
        release = version("llm-gameday")
    except PackageNotFoundError:  # run from a checkout that is not installed
        release = "unknown"
    found: dict[str, Any] = initialize_discovery_result("llm-gameday", release, "llm-serving")
    found["activities"] = [*discover_actions("sre.chaos.actions"), *discover_probes("sre.chaos.probes")]
    return found
