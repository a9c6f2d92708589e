"""The low-traffic guard's test: are so many bad events plausible at an error ratio of just the budget?

With ten requests an hour one failure is a burn of 100; a minimum of bad events keeps that from paging, whatever the
traffic. The test adapts to it: P[X >= bad] for X ~ Binomial(total, budget), one-sided and exact. The tail is the
regularized incomplete beta function I_p(k, n - k + 1) (Abramowitz & Stegun 26.5.24), computed by its continued fraction
(DLMF 8.17.22) because a sum of terms costs as many steps as there are events. Log-gamma limits it: relative error below
1e-8 up to a million events, 1e-6 at a hundred million.
"""

from __future__ import annotations

import math

import numpy as np

from sre.metrics.model import FloatArray

_TINY = 1e-300
_MOST_STEPS = 10_000
_lgamma = np.frompyfunc(math.lgamma, 1, 1)


def binomial_tail(bad: FloatArray, total: FloatArray, probability: float) -> FloatArray:
    """P[X >= bad | total, probability] for each pair; (n,) arrays in, (n,) out.

    Counts that are not whole (ratios of slices) are rounded up for `total` and down for `bad`, to the larger p-value.
    No bad events: 1. More bad than total events: as if all were bad.
    """
    n = np.ceil(np.asarray(total, dtype=np.float64) - 1e-9)
    k = np.minimum(np.floor(np.asarray(bad, dtype=np.float64) + 1e-9), n)
    tail = np.ones(k.shape)
    inner = k > 0
    if inner.any():
        tail[inner] = _beta(k[inner], n[inner] - k[inner] + 1, probability)
    return np.clip(tail, 0.0, 1.0)


def _beta(a: FloatArray, b: FloatArray, x: float) -> FloatArray:
    """The regularized incomplete beta function I_x(a, b); from its mirror image where that converges faster."""
    swap = x > (a + 1) / (a + b + 2)
    result = np.empty(a.shape)
    for part, first, second, at in ((~swap, a, b, x), (swap, b, a, 1 - x)):
        if part.any():
            result[part] = _front(first[part], second[part], at) * _fraction(first[part], second[part], at)
    return np.where(swap, 1 - result, result)


def _front(a: FloatArray, b: FloatArray, x: float) -> FloatArray:
    log_beta = (_lgamma(a) + _lgamma(b) - _lgamma(a + b)).astype(np.float64)
    front: FloatArray = np.exp(a * math.log(x) + b * math.log1p(-x) - log_beta) / a
    return front


def _fraction(a: FloatArray, b: FloatArray, x: float) -> FloatArray:
    """The continued fraction by the modified Lentz method; converges in O(sqrt(max(a, b))) steps."""
    c: FloatArray = np.ones(a.shape)
    d = 1 / _away_from_0(1.0 - (a + b) * x / (a + 1.0))
    value = d.copy()
    for m in range(1, _MOST_STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = np.ones(a.shape)
        for term in (even, odd):
            d = 1 / _away_from_0(1.0 + term * d)
            c = _away_from_0(1.0 + term / c)
            value *= c * d
            change = c * d
        if np.abs(change - 1).max() < 1e-15:
            break
    return value


def _away_from_0(values: FloatArray) -> FloatArray:
    return np.where(np.abs(values) < _TINY, _TINY, values)
