"""How many incidents a year the programme must save to pay for itself: cost a year / what one of them costs.

Closed form, from the means of the inputs, which are independent: E[cost] / E[saving of one incident]. A triangular mean
is (low + mode + high) / 3; the expected credit is an integral over the share of requests lost, done numerically. The
simulation says the same by counting, and a test holds the two together.
"""

from __future__ import annotations

import numpy as np

from sre.cost.provenance import Input
from sre.cost.roi_model import RoiInputs
from sre.cost.roi_years import MINUTES_A_MONTH
from sre.cost.triangular import Triangular, triangular

_SLICES = 4000


def expected_cost(inputs: RoiInputs) -> float:
    """The programme's cost a year."""
    return 12 * _mean(inputs.drills_a_month) * _mean(inputs.drill_cost) + _mean(inputs.fixed_cost)


def expected_incident(inputs: RoiInputs, minutes: Input) -> float:
    """What one incident of these minutes costs, on average."""
    lasts, share = triangular(minutes), triangular(inputs.share_lost)
    minute = _mean(inputs.requests_a_month) / MINUTES_A_MONTH * _mean(inputs.good_request)
    work = lasts.mean * _mean(inputs.responders_hour) / 60 + _mean(inputs.follow_up)
    return lasts.mean * share.mean * minute + work + _mean(inputs.monthly_fee) * _credit(inputs, lasts, share)


def _credit(inputs: RoiInputs, lasts: Triangular, share: Triangular) -> float:
    """The expected share of the monthly fee: each step adds what it gives beyond the step before."""
    if not inputs.credit_steps:
        return 0.0
    shares = share.quantile((np.arange(_SLICES) + 0.5) / _SLICES)
    total, before = 0.0, 0.0
    for step in inputs.credit_steps:
        lost = (1 - float(step.below)) * MINUTES_A_MONTH
        limits = np.divide(lost, shares, out=np.full_like(shares, np.inf), where=shares > 0)
        percent = float(step.percent)
        total += (percent - before) / 100 * float(lasts.above(limits).mean())
        before = percent
    return total


def _mean(given: Input | None) -> float:
    return 0.0 if given is None else triangular(given).mean
