"""What the gate asks before a run starts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GateSettings:
    """`gate:` of an experiment. `min_budget_left` is the share of its error budget that each of `slos` must have left.

    `stated`: the experiment has the section. Without it, a workspace without SLO documents is no reason to refuse.
    """

    min_budget_left: float = 0.1
    slos: tuple[str, ...] = ("availability",)
    stated: bool = False
