"""A drill of 100,000 requests: from its files to every page of its report, in seconds and megabytes."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sre.reports.atomic import write_text
from sre.reports.json_report import to_json

pytestmark = pytest.mark.benchmark
REQUESTS = 100_000
CHILD = Path(__file__).with_name("report_child.py")
FACTORY = Path(__file__).parents[1] / "sre" / "reports" / "drill_factory.py"


def factory():
    spec = importlib.util.spec_from_file_location("bench_drill_factory", FACTORY)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The raw files of a drill, and the rest of its report without requests."""
    made = factory()
    place = tmp_path_factory.mktemp("drill")
    rows = made.request_rows(REQUESTS)
    files = {"requests.jsonl": rows, "chaos.jsonl": made.ledger_rows(), "events.jsonl": made.event_rows()}
    for name, lines in files.items():
        write_text(place / name, "".join(json.dumps(line) + "\n" for line in lines))
    write_text(place / "journal.json", json.dumps(made.journal_dict(), indent=1))
    (place / "frame").mkdir()
    drill = replace(made.make_drill(requests=3000), requests=(), latency=())
    write_text(place / "frame" / "report.json", to_json(drill))
    (place / "out").mkdir()
    for name in ("requests.jsonl", "chaos.jsonl", "events.jsonl", "journal.json"):
        os.link(place / name, place / "out" / name)
    return place


def measured(stage, folder):
    done = subprocess.run([sys.executable, str(CHILD), stage, str(folder)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_a_drill_of_100_000_requests(folder):
    yardstick = min(measured("parse", folder)["total"] for _ in range(3))
    for stage in ("write", "rebuild"):
        found = min((measured(stage, folder) for _ in range(3)), key=lambda one: one["total"])
        stages = ", ".join(f"{name} {value:.2f} s" for name, value in found.items() if name not in ("total", "peak_mb"))
        ratio = found["total"] / yardstick
        print(
            f"\n{stage}: {REQUESTS:,} requests in {found['total']:.2f} s ({stages}), peak {found['peak_mb']:.0f} MB; "
            f"json.loads of the same lines alone {yardstick:.2f} s, ratio {ratio:.1f}"
        )
    assert (folder / "out" / "report.html").stat().st_size < 2_000_000, "charts have begun to grow with the requests"
    assert (folder / "out" / "post-incident.html").stat().st_size < 2_000_000
