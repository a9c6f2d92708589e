"""Soak: replicas are killed, frozen and drained under load, and no client may notice. `make soak` runs the long one."""

from __future__ import annotations

import asyncio

import pytest
from soak_run import Load, soak

from sre.platforms.local import down, platform_spec, up

GROWTH_MB_PER_MIN = 1.0
"""The gateway's memory counts as flat up to this: allocator noise at some 20 requests/s, 2 % of its 60 MB."""
SHORT_GROWTH_MB_PER_MIN = 10.0
"""In a minute caches still fill; a leak of 100 kB a failover would show."""


@pytest.fixture
def start(tmp_path):
    state_dir = tmp_path / "state"

    def begin(**asked):
        return up(platform_spec(state_dir, port=0, prometheus="off", **asked), state_dir)

    yield begin
    down(state_dir)


@pytest.mark.integration
@pytest.mark.timeout(240)
def test_a_minute_of_faults_costs_no_request_and_no_byte(start):
    platform = start(replicas=3, time_scale=2.0)
    result = asyncio.run(soak(platform, Load(60.0, rate_rps=6.0), every_s=10.0, hang_s=5.0))
    print(f"\n{result.table()}")
    assert result.faults.total() >= 3, result.fault_log
    assert set(result.verdicts) == {"ok"}, result.problems[:10]
    assert result.counters.get("replays (ok)", 0) > 0, "no stream met a fault: the soak proves nothing"
    assert result.growth_mb_per_min() < SHORT_GROWTH_MB_PER_MIN


@pytest.mark.benchmark
@pytest.mark.timeout(1200)
def test_ten_minutes_at_80_percent_load(start):
    platform = start(replicas=4, time_scale=5.0)
    result = asyncio.run(soak(platform, Load(600.0), every_s=15.0, hang_s=8.0))
    print(f"\nsoak: 10 minutes, 4 replicas, a fault each 15 s\n{result.table()}")
    assert set(result.verdicts) == {"ok"}, result.problems[:10]
    assert result.faults.total() >= 20, result.fault_log
    assert result.counters.get("replays (ok)", 0) > 0
    assert result.growth_mb_per_min() < GROWTH_MB_PER_MIN
