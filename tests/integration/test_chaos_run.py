"""`chaos run experiments/replica-crash.yaml` on the real platform under load: the fault is real, proven, healed."""

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from sre.chaos.experiment import missing_controls
from sre.chaos.leases.ledger import Ledger
from sre.chaos.runs.run import run_chaos
from sre.chaos.verdict import Evidence, judge
from sre.errors import EnvironmentLacks
from sre.platforms.local import down, platform_spec, server_description, start_load, up
from sre.platforms.processes import marked

ROOT = Path(__file__).parents[2]
SHM = Path("/dev/shm")  # noqa: S108  (the kernel's mount point)
SHIPPED = ROOT / "experiments" / "replica-crash.yaml"

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A real platform of three replicas, and the proof that nothing of it stays."""
    try:
        server_description()
    except EnvironmentLacks as error:
        pytest.skip(f"Triton: {error}")
    state_dir = tmp_path_factory.mktemp("platform") / "state"
    platform = up(platform_spec(state_dir, port=0), state_dir, detached=False)
    platform_id = platform.platform_id
    pids = [found.process.pid for found in marked(state_dir, platform_id)]
    assert len(pids) >= 8  # supervisor, gateway, recorder, three servers with their stubs
    yield platform
    down(state_dir)
    assert marked(state_dir, platform_id) == []
    assert not list(SHM.glob(f"sre-{platform_id}-*"))


@contextlib.contextmanager
def load(platform, folder, *, duration_s):
    folder.mkdir()
    plan = {"url": platform.gateway_url, "out": str(folder), "rate_rps": 6.0, "duration_s": duration_s, "seed": 3}
    (folder / "plan.json").write_text(json.dumps(plan))
    process = start_load(platform, folder / "plan.json", log=folder / "load.log")
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def short_experiment(tmp_path):
    """The shipped experiment with shorter windows and pauses, in a workspace layout beside the shipped SLOs."""
    content = yaml.safe_load(SHIPPED.read_text())
    for probe in content["steady-state-hypothesis"]["probes"]:
        if "window_s" in probe["provider"].get("arguments", {}):
            probe["provider"]["arguments"]["window_s"] = 5
    content["method"][0]["pauses"]["before"] = 1
    content["method"][1]["pauses"]["after"] = 8
    path = tmp_path / "replica-crash.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def play(platform, experiment, tmp_path):
    journal, log = tmp_path / "journal.json", tmp_path / "chaos.log"
    process = run_chaos(
        experiment, journal=journal, log=log, state_dir=platform.state_dir, platform_id=platform.platform_id
    )
    returncode = process.wait(120)
    found = json.loads(journal.read_text()) if journal.exists() else None
    ledger = Ledger(platform.state_dir).read()
    tail = log.read_text()[-2000:]
    return judge(Evidence(found, ledger, returncode, missing_controls(experiment), tail)), found


def test_a_crash_under_load_is_proven_and_healed(platform, short_experiment, tmp_path, monkeypatch):
    monkeypatch.setenv("SRE_SLO_DIR", str(ROOT / "slo"))
    before = {r.name: r.pid for r in platform.replicas()}
    with load(platform, tmp_path / "load", duration_s=60):
        time.sleep(7)
        judgement, journal = play(platform, short_experiment, tmp_path)
    assert (judgement.verdict, judgement.reasons) == ("passed", ())
    (fault,) = judgement.faults
    assert fault.proven
    assert 0 < fault.end - fault.begin < 30
    after = {r.name: r.pid for r in platform.replicas()}
    assert after[fault.target] not in (None, before[fault.target])
    assert [name for name in before if before[name] != after[name]] == [fault.target]
    assert journal["run"][0]["output"]["target"] == fault.target
    assert Ledger(platform.state_dir).open_faults() == ()


def test_without_load_nothing_is_broken(platform, short_experiment, tmp_path, monkeypatch):
    monkeypatch.setenv("SRE_SLO_DIR", str(ROOT / "slo"))
    deadline = time.monotonic() + 60
    while any(platform.inflight().values()) and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(7)  # the window must hold no request
    before = {r.name: r.pid for r in platform.replicas()}
    judgement, journal = play(platform, short_experiment, tmp_path)
    assert judgement.verdict == "error"
    assert "sre load" in judgement.reasons[0]
    assert journal["run"] == []
    assert {r.name: r.pid for r in platform.replicas()} == before


def test_a_person_may_type_chaos_run_without_a_platform_and_is_told_the_mend(tmp_path):
    env = {**os.environ, "SRE_STATE_DIR": str(tmp_path / "none"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "chaostoolkit", "--no-version-check", "--no-log-file", "run", str(SHIPPED)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "start one with `sre up`" in done.stderr
    assert not (tmp_path / "none").exists()


def test_a_killed_supervisor_leaves_nothing_after_down(tmp_path):
    try:
        server_description()
    except EnvironmentLacks as error:
        pytest.skip(f"Triton: {error}")
    state_dir = tmp_path / "state"
    platform = up(platform_spec(state_dir, port=0, replicas=1), state_dir)
    platform_id, supervisor = platform.platform_id, platform.state().supervisor
    psutil.Process(supervisor.pid).kill()
    down(state_dir)
    assert marked(state_dir, platform_id) == []
    assert not list(SHM.glob(f"sre-{platform_id}-*"))
