"""The simulation's clock: whole nanoseconds from its start, so that sums of steps are exact whatever their order."""

from __future__ import annotations

NS = 1_000_000_000
