"""What a FinOps briefing of a drill with 100,000 requests takes. Printed, never asserted: the machine decides."""

from __future__ import annotations

import importlib.util
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sre.cost.finance_reader import read_finance
from sre.reports.finops_write import write_finops

pytestmark = pytest.mark.benchmark
ROOT = Path(__file__).parents[2]
REQUESTS = 100_000


def _drill():
    spec = importlib.util.spec_from_file_location("finops_drill_factory", ROOT / "tests/sre/reports/drill_factory.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    drill = module.make_drill()
    return replace(drill, requests=(drill.requests * (REQUESTS // len(drill.requests) + 1))[:REQUESTS])


def test_a_briefing_of_a_hundred_thousand_requests(tmp_path, capsys):
    drill, finance = _drill(), read_finance(ROOT / "finance.yaml")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    write_finops(tmp_path, report=drill, finance=finance)
    took = time.perf_counter() - begin
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    with capsys.disabled():
        print(f"\nbriefing of {REQUESTS:,} requests: {took:.2f} s, {grown_mb:.0f} MB more at most")
    assert (tmp_path / "finops.html").is_file()
