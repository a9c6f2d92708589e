"""Burn curves to alert episodes, as the shipped Prometheus rules would fire and resolve.

A window without data satisfies no condition: it neither fires an alert nor holds one, exactly as a rule whose
expression returns nothing. Whoever needs "no data is bad" (a guard) must ask for it, not read it out of an alert.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sre.slo.burn import TierBurn
from sre.slo.model import Alert

_ROUNDING = 1e-9  # 1 - 0.999 is not 0.001 in binary: a burn of exactly the factor must count as reached


def firing(burn: TierBurn) -> NDArray[np.bool_]:
    """Whether the tier's condition holds at each time: both windows burn at the factor, and enough bad events."""
    tier = burn.curve.tier
    threshold = tier.factor * (1 - _ROUNDING)
    # NaN compares false, which is what "no data" shall do here
    both = (burn.curve.long_burn >= threshold) & (burn.curve.short_burn >= threshold)
    return both & (burn.long_bad >= tier.min_bad_events)


def episodes(slo: str, burn: TierBurn) -> tuple[Alert, ...]:
    """The tier's episodes: from the first evaluation that holds to the first that does not."""
    holds = firing(burn).astype(np.int8)
    edges = np.diff(np.concatenate([[0], holds]))
    fired = burn.curve.times[edges == 1]
    reset: list[float | None] = [*burn.curve.times[edges == -1].tolist(), None]
    tier = burn.curve.tier
    return tuple(Alert(slo, tier.name, tier.severity, float(at), reset[i]) for i, at in enumerate(fired))
