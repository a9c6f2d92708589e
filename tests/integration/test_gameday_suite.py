"""Two short drills on one real platform: each is judged by its own fault, and one page sums them up."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sre.errors import SreError
from sre.platforms.local import server_description
from sre.platforms.processes import marked
from sre.reports.manifest import verify
from sre.reports.suite import load_suite

ROOT = Path(__file__).resolve().parents[2]
SRE = Path(sys.executable).parent / "sre"
WINDOW_S = 5


def lacks_triton():
    try:
        server_description()
    except SreError as error:
        return str(error)
    return ""


pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(lacks_triton()), reason=f"Triton: {lacks_triton()}"),
    pytest.mark.timeout(170),
]


def short(name, number):
    """The shipped experiment with windows and pauses of a few seconds."""
    content = yaml.safe_load((ROOT / "experiments" / "replica-crash.yaml").read_text())
    content |= {"title": f"{name} crash", "tags": ["mini"]}
    for probe in content["steady-state-hypothesis"]["probes"]:
        if "window_s" in probe["provider"].get("arguments", {}):
            probe["provider"]["arguments"]["window_s"] = WINDOW_S
    content["method"][0]["pauses"]["before"] = 1
    content["method"][1]["pauses"]["after"] = WINDOW_S + 3
    section = content["extensions"][0]
    section["id"] = f"EXP-90{number}"
    section["workload"] |= {"duration_s": 50, "warmup_s": WINDOW_S + 2}
    return content


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "slo").symlink_to(ROOT / "slo")
    for number, name in enumerate(("first", "second"), 1):
        (tmp_path / "experiments" / f"{name}.yaml").write_text(yaml.safe_dump(short(name, number)))
    yield tmp_path
    subprocess.run([SRE, "down", "--state-dir", tmp_path / ".sre"], check=True, capture_output=True, timeout=60)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_suite_of_two_shares_a_platform_and_nothing_else(workspace):
    command = [SRE, "gameday", "run", "--suite", "mini", "--no-prometheus", "--json"]
    done = subprocess.run(command, cwd=workspace, capture_output=True, text=True, timeout=150)
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    assert {drill["outcome"] for drill in said["drills"]} <= {"passed", "deviated"}, said  # a noisy machine may be late
    assert done.returncode == said["exit_code"]
    assert (said["platform_starts"], said["notes"]) == (1, [])
    assert marked(workspace / ".sre", None) == []

    first, second = (workspace / "reports" / drill["report"] for drill in said["drills"])
    faults = []
    for folder in (first, second):
        assert verify(folder) == []
        (begin,) = [record for record in lines(folder / "chaos.jsonl") if record["event"] == "fault_begin"]
        exits = [e for e in lines(folder / "events.jsonl") if e["event"] == "replica_exited"]
        assert [e["replica"] for e in exits if e["detail"]["returncode"] == -9] == [begin["target"]]
        faults.append(begin["at"])
    timeline = json.loads((second / "incident.json").read_text())["timeline"]
    assert min(row["at"] for row in timeline) > faults[0] + 5
    assert not (workspace / "runbooks").exists()

    summary = workspace / "reports" / said["id"]
    assert verify(summary) == []
    suite = load_suite(summary / "suite.json")
    assert [entry.subject.id for entry in suite.entries] == ["EXP-901", "EXP-902"]
    assert f"../{first.name}/report.html" in (summary / "suite.html").read_text()
    matrix = subprocess.run([SRE, "gameday", "matrix", "--json"], cwd=workspace, capture_output=True, text=True)
    areas = {area["family"]: area["drilled"] for area in json.loads(matrix.stdout)["areas"]}
    assert (areas["replica"], areas["network"]) == (1, 0)
