"""Shipped experiments against a cluster: the real `chaos run`, gate, guard, ledger and watchdog, a real Prometheus, and
an API server in memory. A run is killed in the middle as well: the watchdog knows the cluster from the ledger alone.
"""

import contextlib
import http.server
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from sre.chaos.leases.ledger import Ledger

ROOT = Path(__file__).parents[2]
FAKE_API = ROOT / "tests" / "sre" / "platforms" / "kubernetes" / "fake_api.py"
SHIPPED = ROOT / "experiments" / "replica-crash.yaml"
PARTITION = ROOT / "experiments" / "network-partition.yaml"

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


class Page(http.server.BaseHTTPRequestHandler):
    """The gateway's counters: ten good requests a second."""

    began = time.time()

    def do_GET(self):
        count = int((time.time() - self.began) * 10)
        lines = [f'sre_gateway_requests_total{{outcome="{o}"}} {count if o == "ok" else 0}' for o in OUTCOMES]
        lines += [f'sre_gateway_ttft_seconds_bucket{{le="{le}"}} {count}' for le in ("0.1", "1.0", "+Inf")]
        lines += [f"sre_gateway_ttft_seconds_count {count}", f"sre_gateway_ttft_seconds_sum {count / 20}"]
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


OUTCOMES = ("ok", "error", "truncated", "rejected", "cancelled", "invalid")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    binary = shutil.which("prometheus")
    if binary is None:
        pytest.skip("prometheus is not installed")
    folder = tmp_path_factory.mktemp("prometheus")
    page = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=page.serve_forever, daemon=True).start()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    scrape = {"job_name": "gateway", "static_configs": [{"targets": [f"127.0.0.1:{page.server_port}"]}]}
    config = {"global": {"scrape_interval": "500ms", "scrape_timeout": "400ms"}, "scrape_configs": [scrape]}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    argv = [binary, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*argv, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(20)
    page.shutdown()
    page.server_close()


@pytest.fixture
def api():
    pytest.importorskip("kubernetes", reason="the extra kubernetes is not installed")
    spec = importlib.util.spec_from_file_location("fake_kubernetes_api", FAKE_API)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fake = module.FakeApi()
    fake.pods = {name: fake.pod(name) for name in ("llm-a", "llm-b", "llm-c")}
    fake.exec_answer = lambda command: json.dumps([{"pid": 7, "started": 4711}] if len(command) == 4 else "running")
    fake.start()
    yield fake
    fake.stop()


@pytest.fixture
def world(tmp_path, api, prometheus):
    """The environment of somebody who drills a cluster: everything named, nothing taken from a current context."""
    state_dir = tmp_path / "state"
    (state_dir / "logs").mkdir(parents=True)
    env = {
        **os.environ,
        "KUBECONFIG": str(api.kubeconfig(tmp_path)),
        "SRE_PLATFORM": "kubernetes",
        "SRE_KUBE_CONTEXT": "drills",
        "SRE_KUBE_NAMESPACE": "serving",
        "SRE_KUBE_SELECTOR": "app=llm",
        "SRE_KUBE_WORKLOAD": "deployment/llm",
        "SRE_PROMETHEUS_URL": prometheus,
        "SRE_SCRAPE_INTERVAL_S": "0.5",
        "SRE_STATE_DIR": str(state_dir),
        "SRE_SLO_DIR": str(ROOT / "slo"),
    }
    yield env
    with contextlib.suppress(subprocess.TimeoutExpired):
        end_watchdog(state_dir)


def end_watchdog(state_dir):
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if f"sre.chaos.leases.watchdog\0{state_dir}" in status.read_text():
                os.kill(int(status.parent.name), signal.SIGTERM)


def shortened(tmp_path, shipped, replica, *, hold_s):
    """The shipped file with a named pod and short pauses."""
    content = yaml.safe_load(shipped.read_text())
    content["steady-state-hypothesis"]["probes"] = content["steady-state-hypothesis"]["probes"][:2]
    for probe in content["steady-state-hypothesis"]["probes"]:
        probe["provider"]["arguments"]["window_s"] = 3
    inject, heal = content["method"]
    inject["provider"]["arguments"]["replica"] = replica
    inject["pauses"] = {"before": 0, "after": hold_s}
    heal["pauses"] = {"after": 1}
    content["extensions"][0]["platform"] = {"replicas": 3}
    path = tmp_path / shipped.name
    path.write_text(yaml.safe_dump(content))
    return path


def until_seen(prometheus_env):
    """Prometheus hands out its first target only some seconds after its start."""
    from sre.chaos.sight import Sight
    from sre.errors import SreError

    sight = Sight(Path("/nonexistent"), prometheus_env["SRE_PROMETHEUS_URL"], 0.5)
    deadline = time.monotonic() + 60
    while True:
        try:
            sight.require_fresh(now=time.time())
        except SreError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
        else:
            time.sleep(3.5)  # the windows of the probes
            return


def sre(world, *arguments, **rest):
    argv = [sys.executable, "-c", "from sre.cli import main; main()", *arguments]
    return subprocess.run(argv, env=world, capture_output=True, text=True, timeout=120, check=False, **rest)


def test_what_it_would_hit_is_said_and_nothing_is_touched(world, api, tmp_path):
    experiment = shortened(tmp_path, SHIPPED, "llm-b", hold_s=0)
    said = sre(world, "chaos", "run", str(experiment), "--dry-run", "--state-dir", world["SRE_STATE_DIR"])
    assert said.returncode == 0, said.stderr
    assert "llm-b" in said.stdout
    assert "uid-llm-b" in said.stdout
    assert [call for call in api.calls if call[0] != "exec"] == []


def test_a_pod_is_killed_comes_back_under_another_name_and_the_run_passes(world, api, tmp_path):
    api.on_delete = lambda name: api.pods.update({"llm-z": api.pod("llm-z")})
    until_seen(world)
    experiment = shortened(tmp_path, SHIPPED, "llm-b", hold_s=0)
    journal = tmp_path / "journal.json"
    said = sre(world, "chaos", "run", str(experiment), "--journal", str(journal), "--state-dir", world["SRE_STATE_DIR"])
    assert said.returncode == 0, said.stdout + said.stderr
    assert ("delete", "llm-b", 0) in api.calls
    assert sorted(api.pods) == ["llm-a", "llm-c", "llm-z"]
    records = Ledger(Path(world["SRE_STATE_DIR"])).read()
    (begun,) = [record for record in records if record.event == "fault_begin"]
    assert begun.detail["platform"]["kubernetes"]["context"] == "drills"
    assert [r.event for r in records if r.fault_id] == ["fault_begin", "fault_proven", "fault_undone", "fault_end"]


def test_after_kill_9_the_watchdog_undoes_on_the_cluster_that_the_ledger_names(world, api, tmp_path):
    until_seen(world)
    experiment = shortened(tmp_path, PARTITION, "llm-a", hold_s=60)
    journal, state_dir = tmp_path / "journal.json", Path(world["SRE_STATE_DIR"])
    argv = [
        sys.executable,
        "-m",
        "chaostoolkit",
        "--no-version-check",
        "--no-log-file",
        "run",
        "--journal-path",
        str(journal),
    ]
    with (tmp_path / "chaos.log").open("wb") as log:
        run = subprocess.Popen([*argv, str(experiment)], env=world, stdout=log, stderr=log)
    deadline = time.monotonic() + 60
    while not api.policies:
        assert run.poll() is None, (tmp_path / "chaos.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    api.pods["llm-a"] = api.pod("llm-a", ready=False, labels=api.pods["llm-a"]["metadata"]["labels"])
    while "fault_proven" not in (state_dir / "chaos.jsonl").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    run.kill()
    run.wait()
    deadline = time.monotonic() + 5
    while api.policies or any(key.startswith("sre.dev") for key in api.pods["llm-a"]["metadata"]["labels"]):
        assert time.monotonic() < deadline, "the partition outlived its run"
        time.sleep(0.05)
    until = time.monotonic() + 5
    while "fault_undone" not in (state_dir / "chaos.jsonl").read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    (undone,) = [record for record in Ledger(state_dir).read() if record.event == "fault_undone"]
    assert undone.detail["by"] == "watchdog"
