"""Simulated years: the same incidents with and without the programme, incident by incident.

One incident of a year without drills is drawn once: with drills it does not happen with probability 1 - (rate with /
rate without), else it lasts as long as the same quantile of the shorter durations says. So the difference between the
two worlds is the programme and not the luck of two dice. The rates come from one quantile for the same reason: a
service with many incidents has many of them either way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sre.cost.roi_model import NAMES, RoiInputs
from sre.cost.triangular import Floats, triangular

MINUTES_A_MONTH = 30 * 24 * 60

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Years:
    """One entry a simulated year, but `incident_without` and `incident_with`: one an incident, drawn in both worlds."""

    cost: Floats
    benefit: Floats
    incident_without: Floats
    incident_with: Floats


@dataclass(frozen=True, slots=True, eq=False)
class _Money:
    """Prices of a year, one entry a year."""

    request_minute: Floats
    responders_minute: Floats
    follow_up: Floats
    fee: Floats

    def of(self, year: Indices, minutes: Floats, share: Floats, inputs: RoiInputs) -> Floats:
        """What incidents cost, each in its year."""
        lost = minutes * share
        work: Floats = minutes * self.responders_minute[year] + self.follow_up[year]
        cost: Floats = lost * self.request_minute[year] + work
        return cost + self.fee[year] * credit_share(lost, inputs)


def credit_share(lost_minutes: Floats, inputs: RoiInputs) -> Floats:
    """The share of the monthly fee given back, were the incident the only one of its month and traffic even."""
    availability = 1 - lost_minutes / MINUTES_A_MONTH
    share = np.zeros_like(lost_minutes)
    for step in inputs.credit_steps:  # by falling availability: the last that applies holds
        share = np.where(availability < float(step.below), float(step.percent) / 100, share)
    return share


def simulate(inputs: RoiInputs, *, seed: int, years: int) -> Years:
    """`years` independent years. Every input takes its draws from a stream of its own, so that fixing one leaves the
    draws of all others as they are.
    """
    streams = {name: np.random.default_rng([seed, place]) for place, name in enumerate(NAMES)}
    luck, extra = np.random.default_rng([seed, 1001]), np.random.default_rng([seed, 1002])

    def draw(name: str) -> Floats:
        given = getattr(inputs, name)
        return np.zeros(years) if given is None else triangular(given).quantile(streams[name].random(years))

    u = streams["incidents_without"].random(years)
    rate, rate_with = (triangular(one).quantile(u) for one in (inputs.incidents_without, inputs.incidents_with))
    money = _Money(
        request_minute=draw("requests_a_month") / MINUTES_A_MONTH * draw("good_request"),
        responders_minute=draw("responders_hour") / 60,
        follow_up=draw("follow_up"),
        fee=draw("monthly_fee"),
    )
    cost = draw("drills_a_month") * 12 * draw("drill_cost") + draw("fixed_cost")
    counts = luck.poisson(rate)
    year = np.repeat(np.arange(years), counts)
    u_minutes, share = luck.random(year.size), triangular(inputs.share_lost).quantile(luck.random(year.size))
    without = money.of(year, triangular(inputs.minutes_without).quantile(u_minutes), share, inputs)
    shorter = money.of(year, triangular(inputs.minutes_with).quantile(u_minutes), share, inputs)
    keeps = np.divide(rate_with, rate, out=np.ones(years), where=rate > 0)
    happens = luck.random(year.size) < keeps[year]
    saved = np.bincount(year, weights=without - np.where(happens, shorter, 0.0), minlength=years)
    return Years(cost, saved - _added(inputs, money, rate_with - rate, extra), without, shorter)


def _added(inputs: RoiInputs, money: _Money, more: Floats, extra: np.random.Generator) -> Floats:
    """The cost of incidents that only the world with drills has, where its rate is the higher one."""
    counts = extra.poisson(np.maximum(more, 0.0))
    year = np.repeat(np.arange(more.size), counts)
    minutes = triangular(inputs.minutes_with).quantile(extra.random(year.size))
    share = triangular(inputs.share_lost).quantile(extra.random(year.size))
    return np.bincount(year, weights=money.of(year, minutes, share, inputs), minlength=more.size).astype(np.float64)
