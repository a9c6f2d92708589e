"""Same inputs, the same bytes; and no clock of the machine has a part in it."""

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict

from serving.engine.faults import Faults
from serving.fleet.spec import GpuPrice
from serving.rehearsal.model import NetworkRules, Offer, Pace
from tests.serving.rehearsal.rehearsed import rehearsed, schedule

AGAIN = "from tests.serving.rehearsal.test_rehearsal_determinism import digest, troubled; print(digest(troubled()))"


async def trouble(platform):
    """Something of everything that involves chance, order or time."""
    storm = platform.offer(Offer("surge", rate_rps=3.0, output_tokens=40))
    leavers = platform.offer(Offer("hang-up", rate_rps=2.0, output_tokens=40))
    platform.offer(Offer("retry", clients=2, attempts=3, timeout_s=0.3))
    platform.crash("llm-0")
    platform.network("llm-1", NetworkRules(delay_s=0.02, jitter_s=0.01, loss_ratio=0.05, seed=1))
    await platform.sleep(2)
    platform.set_faults("llm-2", Faults(error_every=5))
    await platform.scale(4)
    await platform.sleep(2)
    platform.network("llm-1", None)
    platform.kill_gateway()
    await platform.sleep(3)
    storm.stop()
    leavers.stop()


def troubled():
    """Cut short at the end, so that requests are cancelled as well."""
    return rehearsed(
        trouble,
        load=schedule(duration_s=9.0),
        pace=Pace(warmup_s=1.0, tail_s=0.2),
        autoscale="serving/deploy/autoscaling/hpa-slo.yaml",
        autoscale_clock_factor=15.0,
        scrape_interval_s=1.0,
        price=GpuPrice("H100", "2.5"),
    )


def digest(rehearsed):
    played = rehearsed.played
    told = [
        [asdict(record) for record in played.records],
        played.events,
        played.gateway_log,
        played.autoscaler_log,
        rehearsed.pages,
        played.replica_s,
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def test_the_same_rehearsal_gives_the_same_bytes_whatever_the_machine_s_clocks_and_hashes_are(monkeypatch):
    first = troubled()
    assert {"ok", "truncated", "cancelled"} <= set(first.outcomes)
    env = {**os.environ, "PYTHONHASHSEED": "77", "TZ": "Asia/Tokyo"}
    other = subprocess.run([sys.executable, "-c", AGAIN], env=env, capture_output=True, text=True, check=True)
    for clock in ("time", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, clock, lambda: 12.5)
    assert other.stdout.strip() == digest(troubled()) == digest(first)


def test_another_seed_is_another_load(rehearse):
    assert rehearse(seed=4, load=schedule(seed=4)).played.records != rehearse().played.records


def test_the_epoch_only_dates_what_happens(rehearse):
    played = rehearse().played
    assert played.began_at == 1_800_000_000.0
    assert all(record.sent_at > played.load_began_at for record in played.records)
