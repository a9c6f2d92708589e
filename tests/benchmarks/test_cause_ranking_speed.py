"""What ranking the causes of a ten-minute report with eight replicas takes. Printed, not asserted."""

from __future__ import annotations

import importlib.util
import sys
import time
import tracemalloc
from pathlib import Path

import pytest

from sre.incidents.causes.rank import rank_causes

pytestmark = pytest.mark.benchmark
_MADE = Path(__file__).parents[1] / "sre" / "incidents" / "causes" / "cause_samples.py"


def test_ten_minutes_of_eight_replicas():
    spec = importlib.util.spec_from_file_location("sre_cause_samples_bench", _MADE)
    made = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    fleet = made.Fleet(tuple(f"llm-{i}" for i in range(8)), ticks=600)
    made.crash(fleet, "llm-3", tick=300)
    samples = fleet.samples()
    begin = time.process_time()
    ranking = rank_causes(samples, fleet.events, start=fleet.start, end=fleet.end)
    took = time.process_time() - begin
    tracemalloc.start()
    rank_causes(samples, fleet.events, start=fleet.start, end=fleet.end)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"\n600 scrapes x 8 replicas: {took:.2f} s of CPU, {peak / 2**20:.1f} MiB at most beside the samples")
    assert ranking.candidates[0].subject == "llm-3"
