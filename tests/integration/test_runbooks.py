"""A runbook against a real platform: its mitigations help, in a drill and by hand at a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sre.errors import SreError
from sre.platforms.local import server_description

ROOT = Path(__file__).resolve().parents[2]
SRE = Path(sys.executable).parent / "sre"


def lacks_triton() -> str:
    try:
        server_description()
    except SreError as error:
        return str(error)
    return ""


pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(bool(lacks_triton()), reason=f"Triton: {lacks_triton()}"),
    pytest.mark.timeout(300),
]


@pytest.fixture
def workspace(tmp_path):
    for folder in ("experiments", "slo", "runbooks"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "risks.yaml", tmp_path)
    yield tmp_path
    subprocess.run([SRE, "down", "--state-dir", tmp_path / ".sre"], check=True, capture_output=True, timeout=60)


def sre(*arguments, cwd, timeout=280):
    return subprocess.run([SRE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=timeout)


def test_a_drill_carries_a_mitigation_out_and_its_page_says_so(workspace):
    for path in (workspace / "runbooks").glob("*.md"):
        path.unlink()
    done = sre("gameday", "run", "experiments/metrics-stale-wake.yaml", "--port", "0", "--no-prometheus", cwd=workspace)
    assert "PASSED" in done.stdout, done.stdout + done.stderr
    page = (workspace / "runbooks" / "metrics-stale.md").read_text()
    assert "- **Proven**: yes, by EXP-039 on " in page
    (report,) = (workspace / "reports").glob("*/report.json")
    (carried,) = json.loads(report.read_text())["mitigations"]
    assert (carried["command"], carried["exit_code"], carried["why"]) == ('kill -CONT "${PID:?}"', 0, "")
    assert carried["verified_at"] > carried["began_at"]
    assert (workspace / "runbooks" / "AvailabilityErrorBudgetBurn.md").is_file()


def test_a_person_walks_a_runbook_and_the_platform_is_well(workspace):
    assert sre("up", "--port", "0", "--no-prometheus", "--unhealthy-restart", "600", cwd=workspace).returncode == 0
    sre("incident", "open", "llm-1 is frozen", "--severity", "sev3", cwd=workspace)
    shown = sre("runbook", "show", "replica-hang", cwd=workspace).stdout
    assert "| replicas | 3 of 3 get work" in shown
    frozen = next(one for one in status(workspace)["replicas"] if one["name"] == "llm-1")
    os.kill(frozen["pid"], signal.SIGSTOP)
    until(lambda: any(one["name"] == "llm-1" and one["serving"] is False for one in status(workspace)["replicas"]))
    code, said = at_a_terminal(
        [SRE, "runbook", "exec", "replica-hang", "--auto", "--until", "replace", "--incident", "INC-0001"],
        {"Type `heal`": "", "Type `replace`": "replace"},
        cwd=workspace,
    )
    assert code == 0, said
    assert "C. Replace the replica (mutating)" in said
    after = next(one for one in status(workspace)["replicas"] if one["name"] == "llm-1")
    assert (after["state"], after["serving"], after["pid"] != frozen["pid"]) == ("ready", True, True)
    steps = json.loads(sre("incident", "show", "INC-0001", "--json", cwd=workspace).stdout)
    assert '"replace' in json.dumps(steps) or "sre drain" in json.dumps(steps)
    assert sre("incident", "verify", cwd=workspace).returncode == 0


def status(workspace) -> dict:
    return json.loads(sre("status", "--json", cwd=workspace).stdout)


def until(condition, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout_s} s"


def at_a_terminal(command, answers: dict[str, str], *, cwd, timeout_s: float = 200.0) -> tuple[int, str]:
    """Run it with a terminal and type each answer when its question stands there: exit code, and what was shown."""
    terminal, inner = pty.openpty()
    with subprocess.Popen(command, cwd=cwd, stdin=inner, stdout=inner, stderr=inner, close_fds=True) as process:
        os.close(inner)
        said = _conversation(terminal, dict(answers), time.monotonic() + timeout_s)
        os.close(terminal)
        return process.wait(timeout=60), said


def _conversation(terminal: int, left: dict[str, str], deadline: float) -> str:
    said = ""
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 0.5)[0]:
            continue
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the end, as a terminal tells it
            break
        said += part.decode("utf-8", "replace")
        for question in [question for question in left if question in said]:
            os.write(terminal, f"{left.pop(question)}\n".encode())
    return said
