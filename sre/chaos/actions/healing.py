"""Undoing."""

from __future__ import annotations

from typing import Any

from sre.chaos.acting import healed

Configuration = dict[str, Any]


def heal_faults(timeout_s: float = 60.0, configuration: Configuration | None = None) -> dict[str, Any]:
    """Undo every open fault of this run, and wait at most `timeout_s` seconds until all it hit is well again.

    For the method, where the fault is to end, and for the rollbacks, where it is quick when nothing is left to undo.
    """
    return healed(timeout_s=timeout_s, configuration=configuration)
