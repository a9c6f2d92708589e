"""Plain `chaos run` on the real platform under load: the guard aborts it, closes in doubt, and lets no two overlap."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from sre.chaos.gate.budget import slos_named
from sre.chaos.leases.ledger import Ledger, fault_windows
from sre.chaos.leases.lock import holder
from sre.chaos.leases.watchdog import LOCK_FILE
from sre.errors import EnvironmentLacks
from sre.metrics.files import RecordedSamples
from sre.metrics.model import Selector
from sre.platforms.local import down, platform_spec, server_description, start_load, up
from sre.platforms.processes import marked
from sre.slo.sli import ratio_over

ROOT = Path(__file__).parents[2]
INTERVAL_S = 1.0

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A real platform of three replicas under load for as long as the module runs."""
    try:
        server_description()
    except EnvironmentLacks as error:
        pytest.skip(f"Triton: {error}")
    folder = tmp_path_factory.mktemp("guard")
    state_dir = folder / "state"
    platform = up(platform_spec(state_dir, port=0), state_dir, detached=False)
    platform_id = platform.platform_id
    plan = {"url": platform.gateway_url, "out": str(folder), "rate_rps": 6.0, "duration_s": 150, "seed": 3}
    (folder / "plan.json").write_text(json.dumps(plan))
    load = start_load(platform, folder / "plan.json", log=folder / "load.log")
    try:
        time.sleep(6)  # the first window of the steady state
        yield platform
    finally:
        load.terminate()
        load.wait(20)
        down(state_dir)
    assert marked(state_dir, platform_id) == []


def probe(func, tolerance, **arguments):
    provider = {"type": "python", "module": "sre.chaos.probes", "func": func, "arguments": arguments}
    return {"type": "probe", "name": func, "tolerance": tolerance, "provider": provider}


def action(func, **arguments):
    pauses = arguments.pop("pauses", {})
    provider = {"type": "python", "module": "sre.chaos.actions", "func": func, "arguments": arguments}
    return {"type": "action", "name": func, "provider": provider, "pauses": pauses}


def slow_for_a_minute(*, factor, **guard):
    """A replica is slow until somebody ends it; the method would wait a minute."""
    hypothesis = [probe("availability", [0.9, 1.0], window_s=5), probe("unhealthy_replicas", 0)]
    return {
        "title": "A slow replica",
        "description": "One replica computes slower, and nobody ends that but the guard.",
        "controls": [{"name": "ours", "provider": {"type": "python", "module": "sre.chaos.control"}}],
        "steady-state-hypothesis": {"title": "requests are answered", "probes": hypothesis},
        "method": [action("slow_replica", lease_s=90, factor=factor, pauses={"after": 60})],
        "rollbacks": [action("heal_faults", timeout_s=20)],
        "runtime": {"rollbacks": {"strategy": "always"}},
        "extensions": [
            {
                "name": "llm-gameday",
                "blast_radius": {"max_replicas": 1, "min_healthy": 2},
                "deadline_s": 100,
                "expected": {"recovered_within_s": 20},
                "guard": guard,
            }
        ],
    }


class Played:
    """A plain `chaos run` in a process of its own."""

    def __init__(self, platform, folder, experiment):
        folder.mkdir()
        self.folder = folder
        (folder / "experiment.json").write_text(json.dumps(experiment))
        env = {**os.environ, "SRE_STATE_DIR": str(platform.state_dir), "SRE_SLO_DIR": str(ROOT / "slo")}
        argv = [sys.executable, "-m", "chaostoolkit", "--no-version-check", "--no-log-file", "run", "experiment.json"]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(argv, cwd=folder, env=env, stdout=log, stderr=subprocess.STDOUT)

    def end(self):
        return self.process.wait(60)

    @property
    def log(self):
        return (self.folder / "log").read_text()

    @property
    def journal(self):
        return json.loads((self.folder / "journal.json").read_text())


@contextlib.contextmanager
def playing(platform, folder, experiment):
    played = Played(platform, folder, experiment)
    try:
        yield played
    finally:
        if played.process.poll() is None:
            played.process.kill()
            played.process.wait()


def records_of(platform, event, since):
    return [r for r in Ledger(platform.state_dir).read() if r.event == event and r.at >= since]


def fault_since(platform, since):
    faults = [f for f in fault_windows(Ledger(platform.state_dir).read()) if f.begin >= since]
    return faults[0] if faults else None


def proven_since(platform, since):
    fault = fault_since(platform, since)
    return fault is not None and fault.proven


def eventually(seen, *, within_s=30.0):
    deadline = time.monotonic() + within_s
    while not (found := seen()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def fail_requests(platform, count):
    """Requests whose deadline is over when they arrive: the gateway answers 504 and counts an error."""
    body = json.dumps({"model": "llm", "prompt": "too late", "max_tokens": 4}).encode()
    headers = {"Content-Type": "application/json", "x-request-timeout-ms": "1"}
    request = urllib.request.Request(f"{platform.gateway_url}/v1/completions", body, headers)  # noqa: S310
    for _ in range(count):
        with pytest.raises(urllib.error.HTTPError, match="504") as answer:
            urllib.request.urlopen(request, timeout=10)  # noqa: S310
        answer.value.close()


def first_burning_sample(platform, since, *, max_burn, window_s, min_bad):
    """Time of the first sample after which availability burned too fast, read after the fact."""
    slo = slos_named(["availability"], ROOT / "slo")["availability"]
    with RecordedSamples(platform.state_dir / "samples") as samples:
        selector = Selector("sre_gateway_requests_total")
        times = sorted({float(t) for s in samples.series(selector, start=since, end=since + 60) for t in s.times})
        for at in times:
            good, total = ratio_over(samples, slo.sli, end=at, window_s=min(window_s, at - since))
            if total - good >= min_bad and (total - good) / total / slo.budget > max_burn:
                return at
    raise AssertionError("it never burned")


def test_a_burn_aborts_the_run_and_the_fault_is_gone_within_two_scrape_intervals(platform, tmp_path):
    began = time.time()
    limit = {"max_burn": 100, "window_s": 10, "min_bad": 10}
    burning = slow_for_a_minute(factor=1.5, max_failed_share=1, slos={"availability": limit})
    with playing(platform, tmp_path / "run", burning) as played:
        eventually(lambda: proven_since(platform, began))
        fail_requests(platform, 30)
        assert played.end() == 1
    (abort,) = records_of(platform, "guard_abort", began)
    assert "availability burns" in abort.detail["reason"]
    assert abort.detail["readings"]["burn of availability"] > 100
    fault = fault_since(platform, began)
    assert fault.undone_by == "guard"
    shown_at = first_burning_sample(platform, fault.begin, **limit)
    assert 0 <= fault.undone - shown_at < 2 * INTERVAL_S
    assert played.journal["status"] == "interrupted"
    assert [run["status"] for run in played.journal["rollbacks"]] == ["succeeded"]
    assert played.journal["llm-gameday"]["verdict"] == "aborted"
    assert time.time() - began < 45  # it did not sit its minute out


def test_a_recorder_that_stands_still_aborts_the_run_too(platform, tmp_path):
    began = time.time()
    recorder = psutil.Process(platform.process("recorder")["pid"])
    with playing(platform, tmp_path / "run", slow_for_a_minute(factor=1.5)) as played:
        eventually(lambda: proven_since(platform, began))

        with playing(platform, tmp_path / "second", slow_for_a_minute(factor=1.5)) as second:
            assert second.end() == 1
        assert f"'A slow replica' of process {played.process.pid}" in second.log
        assert second.journal["run"] == []

        watchdog = watchdog_of(platform)
        watchdog.kill()
        eventually(lambda: (now := watchdog_of(platform)) is not None and now.pid != watchdog.pid, within_s=8)

        stopped_at = time.time()
        recorder.send_signal(signal.SIGSTOP)
        try:
            eventually(lambda: fault_since(platform, began).undone, within_s=10)
        finally:
            recorder.send_signal(signal.SIGCONT)
        assert played.end() == 1
    (abort,) = records_of(platform, "guard_abort", began)
    assert "the guard cannot see the service: the newest sample is" in abort.detail["reason"]
    fault = fault_since(platform, began)
    assert fault.undone_by == "guard"
    assert fault.undone - stopped_at < 5 * INTERVAL_S  # 3 without a sample, then 2 to heal in
    assert played.journal["steady_after_rollbacks"]["met"]


def watchdog_of(platform):
    with (platform.state_dir / LOCK_FILE).open("a") as file:
        return holder(file.fileno())


def test_losing_the_metrics_can_be_the_experiment(platform, tmp_path):
    began = time.time()
    recorder = psutil.Process(platform.process("recorder")["pid"])
    experiment = slow_for_a_minute(factor=1.5, metrics_may_vanish=True)
    experiment["method"][0]["pauses"]["after"] = 9
    with playing(platform, tmp_path / "run", experiment) as played:
        eventually(lambda: proven_since(platform, began))
        recorder.send_signal(signal.SIGSTOP)
        time.sleep(5)
        recorder.send_signal(signal.SIGCONT)
        played.end()
    assert records_of(platform, "guard_abort", began) == []
    (end,) = records_of(platform, "guard_end", began)
    assert end.detail["oldest_sample_s"] > 3
    assert played.journal["status"] == "completed" or played.journal["llm-gameday"]["status"] == "completed"
