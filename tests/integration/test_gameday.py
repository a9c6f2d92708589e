"""The whole kit as a person uses it: one command from an empty machine to a report, and nothing left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from sre.errors import SreError
from sre.platforms.local import server_description

ROOT = Path(__file__).resolve().parents[2]
SRE = Path(sys.executable).parent / "sre"
TRACE = Path(os.environ.get("SRE_PUBLIC_DATA", ROOT.parent / "shared" / "data")) / "traces" / "azure_conv.csv"


def lacks_triton():
    try:
        server_description()
    except SreError as error:
        return str(error)
    return ""


pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(lacks_triton()), reason=f"Triton: {lacks_triton()}"),
    pytest.mark.timeout(240),
]


@pytest.fixture
def workspace(tmp_path):
    for folder in ("experiments", "slo"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    yield tmp_path
    subprocess.run([SRE, "down", "--state-dir", tmp_path / ".sre"], check=True, capture_output=True, timeout=60)


def sre(*arguments, cwd, timeout=200):
    return subprocess.run([SRE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=timeout)


def marked(workspace):
    """Processes that carry this workspace's state directory in their environment, by the kernel's own listing."""
    mark = f"SRE_STATE_DIR={workspace / '.sre'}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:
                continue
    return [pid for pid in found if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]


def until(condition, timeout_s):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"
        time.sleep(0.1)


def test_a_drill_ends_with_a_verified_report_and_nothing_running(workspace):
    done = sre("gameday", "run", "experiments/replica-crash.yaml", "--duration", "62", "--json", cwd=workspace)
    assert done.stdout, done.stderr
    said = json.loads(done.stdout)
    folder = Path(said["report"]).parent
    report = json.loads((folder / "report.json").read_text())

    assert said["verdict"] in ("passed", "deviated"), said["reasons"]  # a noisy machine may be late, never void
    assert done.returncode == (0 if said["verdict"] == "passed" else 1)
    (fault,) = report["faults"]
    assert fault["proven"]
    assert fault["fault"] == "replica-crash"
    exits = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    killed = [e for e in exits if e["event"] == "replica_exited" and e["detail"]["returncode"] == -signal.SIGKILL]
    assert [e["replica"] for e in killed] == [fault["target"]]
    assert fault["begin"] <= killed[0]["at"] <= fault["end"]
    assert said["durations_s"]["time_to_recover"] > 0

    records = [json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()]
    assert len(records) > 200
    hit = [r for r in records if r["outcome"] != "ok"]
    assert all(fault["target"] in r["replicas"] for r in hit)
    availability = next(r for r in report["results"] if r["slo"]["name"] == "availability")
    assert availability["total"] == len(records)
    assert availability["total"] - availability["good"] == len(hit)
    if shutil.which("prometheus"):
        assert {r["source"] for r in report["results"]} == {"scraper", "prometheus"}

    assert sre("report", "verify", folder, cwd=workspace).returncode == 0
    (folder / "requests.jsonl").write_text("")
    assert sre("report", "verify", folder, cwd=workspace).returncode == 1
    assert "Shown by drill: EXP-001" in (workspace / "runbooks" / "replica-crash.md").read_text()
    assert marked(workspace) == []


def start(workspace, *arguments):
    return subprocess.Popen(
        [SRE, *map(str, arguments)], cwd=workspace, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def under_load(workspace):
    path = next(iter((workspace / "reports").glob("*/requests.jsonl")), None)
    return path is not None and path.stat().st_size > 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_in_the_middle_leaves_nothing_running(workspace, number):
    with start(workspace, "gameday", "run", "experiments/replica-crash.yaml") as drill:
        until(lambda: under_load(workspace), 60)
        assert len(marked(workspace)) >= 8
        drill.send_signal(number)
        said, _ = drill.communicate(timeout=60)
    assert drill.returncode == 130, said
    assert "interrupted" in said
    assert "Traceback" not in said
    assert marked(workspace) == []


def test_a_kill_9_of_sre_takes_the_platform_along_and_down_cleans_up(workspace):
    with start(workspace, "gameday", "run", "experiments/replica-crash.yaml") as drill:
        until(lambda: under_load(workspace), 60)
        drill.kill()
    down = sre("down", "--state-dir", ".sre", "--json", cwd=workspace)
    assert down.returncode == 0, down.stderr
    assert marked(workspace) == []
    assert not (workspace / ".sre" / "state.json").exists()


@pytest.mark.skipif(
    not TRACE.exists(),
    reason="the public trace azure_conv.csv is absent (set SRE_PUBLIC_DATA to the folder that holds traces/)",
)
def test_a_real_trace_drives_the_platform(workspace):
    up = sre("up", "--port", "0", "--replicas", "1", "--no-prometheus", cwd=workspace)
    assert up.returncode == 0, up.stderr
    done = sre("load", "--trace", TRACE, "--rate", "4", "--duration", "6", "--json", cwd=workspace)
    said = json.loads(done.stdout)
    assert said["outcomes"] == {"ok": said["workload"]["n"]}
    assert said["workload"]["n"] >= 15
    assert json.loads(sre("status", "--json", cwd=workspace).stdout)["ok"]
    assert sre("down", cwd=workspace).returncode == 0
    assert marked(workspace) == []
