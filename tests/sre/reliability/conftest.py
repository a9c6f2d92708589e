"""Rate books and fleets of a few words, for tests that say what breaks and nothing else."""

from __future__ import annotations

import math
from datetime import date

import pytest

from sre.reliability.fleet import Fleet
from sre.reliability.months import World
from sre.reliability.rates import Failover, FaultClass, RateBook, Recovery, Rollouts, Source, SpotDiscount
from sre.reliability.shortfall import FLAT, Load

SOURCE = Source("test", "a test")


def recovery(name="repair", *, mean_h=20.0, shape="exponential", sigma=0.0, **more):
    median = mean_h * math.log(2) if shape == "exponential" else mean_h * math.exp(-(sigma**2) / 2)
    return Recovery(name, name, median, shape, sigma, (median, median), "assumed", SOURCE, **more)


def fault(name="breaks", rate=0.002, *, hits="replica", per="hour", recovery="repair", **more):
    return FaultClass(name, name, name, hits, per, rate, (1.0, 1.0), recovery, "assumed", SOURCE, "told", **more)


def book(*faults, recoveries=(), lost_s=0.0, rollouts=0.0, surge=False):
    return RateBook(
        where="a test",
        as_of=date(2026, 11, 25),
        faults=tuple(faults),
        recoveries=tuple(recoveries) or (recovery(),),
        failover=Failover(lost_s, (lost_s, lost_s), "assumed", SOURCE),
        rollouts=Rollouts(rollouts, 0.0, surge, "assumed", SOURCE),
        spot_discount=SpotDiscount(0.4, "assumed", SOURCE),
    )


def world(*faults, load=FLAT, factor=1.0, **more):
    return World(book(*faults, **more), Load(tuple(load), "a test"), factor)


def fleet(needed=4, spares=1, **more):
    return Fleet(needed, spares, **{"gpus_per_replica": 8, "cold_start_h": 0.0, **more})


@pytest.fixture
def make():
    """The factories as one name."""

    class Make:
        recovery = staticmethod(recovery)
        fault = staticmethod(fault)
        book = staticmethod(book)
        world = staticmethod(world)
        fleet = staticmethod(fleet)

    return Make
