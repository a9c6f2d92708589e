"""The game-day framework: chaos, SLO burn, incidents, runbooks, reports and cost over a serving platform."""

from __future__ import annotations

from typing import Any


def discover(discover_system: bool = True) -> dict[str, Any]:
    """What `chaos discover llm-gameday` calls: the actions, probes and control of `sre.chaos`."""
    from sre.chaos import discover as discover_chaos

    return discover_chaos(discover_system=discover_system)
