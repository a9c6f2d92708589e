"""Prometheus and our recorder are told the same targets with the same labels, and told again when they change."""

import asyncio
import json
import os
import signal
import sys
import time

import pytest
import yaml

from serving.autoscale.config import load_config
from serving.backoff import Backoff
from serving.fleet import observers, observing
from serving.fleet.model import AutoscalerInfo, ProcessInfo, Route
from serving.fleet.observing import Observing
from serving.fleet.process import Child
from sre.metrics.targets import read_config as read_config_of_recorder


def scraped_by_prometheus(files):
    entries = json.loads((files.prometheus / observers.TARGETS_FILE).read_text())
    labels = ({k: v for k, v in e["labels"].items() if k != "instance"} for e in entries)
    return {(target, *sorted(own.items())) for e, own in zip(entries, labels, strict=True) for target in e["targets"]}


def scraped_by_recorder(files):
    entries = json.loads(files.recorder.read_text())["targets"]
    return {
        (t["url"].removeprefix("http://").removesuffix("/metrics"), *sorted({"job": t["job"], **t["labels"]}.items()))
        for t in entries
    }


def test_the_recorder_keeps_every_metric_of_ours(world):
    observers.write_targets(world.files, [], interval_s=1.0)
    kept = tuple(json.loads(world.files.recorder.read_text())["keep"])
    for name in ("sre_gateway_requests_total", "llm_total_hourly_cost", "vllm:num_requests_running"):
        assert name.startswith(kept)


def test_both_observers_get_the_same_targets(world):
    world.state.gateway.url = "http://127.0.0.1:8400"
    world.state.autoscaler = AutoscalerInfo("autoscaler", url="http://127.0.0.1:8500", policy="p.yaml")
    targets = observers.scrape_targets(world.state, world.state.replicas)
    observers.write_targets(world.files, targets, interval_s=1.0)
    assert scraped_by_prometheus(world.files) == scraped_by_recorder(world.files)
    jobs = [dict(labels)["job"] for _, *labels in scraped_by_prometheus(world.files)]
    assert sorted(jobs) == ["autoscaler", "gateway", "triton", "triton"]


def test_a_replica_that_left_is_not_a_target_any_more(world):
    world.state.gateway.url = "http://127.0.0.1:8400"
    for replicas in (world.state.replicas, world.state.replicas[:1]):
        observers.write_targets(world.files, observers.scrape_targets(world.state, replicas), interval_s=1.0)
    replicas = [dict(labels).get("replica") for _, *labels in scraped_by_prometheus(world.files)]
    assert sorted(filter(None, replicas)) == ["llm-0"]


def test_prometheus_is_configured_to_read_the_targets_file():
    config = yaml.safe_load(observers.prometheus_config(interval_s=0.5))
    (job,) = config["scrape_configs"]
    assert job["file_sd_configs"][0]["files"] == [observers.TARGETS_FILE]
    assert config["global"]["scrape_interval"] == "500ms"


def observing_of(world, code):
    async def spawn(name, argv):
        return await Child.spawn(
            name, (sys.executable, "-S", "-E", "-c", code), env=os.environ, log=world.files.logs / f"{name}.log"
        )

    return Observing(world.files, world.journal, spawn, time.time)


@pytest.fixture
def policy(world):
    world.state.autoscaler = AutoscalerInfo("autoscaler", url="http://127.0.0.1:8500", policy="/deploy/hpa.yaml")
    return world.state.autoscaler


async def test_an_autoscaler_that_ends_is_started_again(world, policy, eventually, monkeypatch):
    monkeypatch.setattr(observing, "Backoff", lambda **_: Backoff(first_s=0.01))
    kept = observing_of(world, "import os; os._exit(3)")
    kept.start_autoscaler(policy)
    await eventually(lambda: policy.restarts >= 2)
    await kept.stop()
    told = [(e["event"], e["detail"].get("returncode")) for e in world.events("autoscaler_started", "observer_exited")]
    assert told[:3] == [("autoscaler_started", None), ("observer_exited", 3), ("autoscaler_started", None)]


async def test_a_stop_ends_the_autoscaler(world, policy, eventually):
    kept = observing_of(world, "import time; time.sleep(600)")
    kept.start_autoscaler(policy)
    await eventually(lambda: policy.pid is not None)
    pid = policy.pid
    await kept.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_the_autoscaler_understands_its_configuration(world, policy, eventually):
    kept = observing_of(world, "import time; time.sleep(600)")
    kept.start_autoscaler(policy)
    path = world.files.root / "autoscale.json"
    await eventually(path.exists)
    await kept.stop()
    config = load_config(path)
    assert (str(config.policy), config.control, config.metrics_port) == ("/deploy/hpa.yaml", world.files.control, 8500)


async def test_a_recorder_that_ends_while_the_platform_starts_is_missed(world, eventually):
    kept = observing_of(world, "import os; os._exit(1)")
    await kept._start(ProcessInfo("recorder"), ())
    await eventually(kept.dead)
    assert kept.dead().name == "recorder"
    await asyncio.wait_for(kept.stop(), 5)


async def test_a_recorder_that_ends_later_is_started_again(world, eventually, monkeypatch):
    monkeypatch.setattr(observing, "FIRST_BACKOFF_S", 0.01)
    world.state.phase, recorder = "ready", ProcessInfo("recorder")
    kept = observing_of(world, "import time; time.sleep(600)")
    await kept._start(recorder, ())
    first = recorder.pid
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: recorder.pid not in (None, first))
    assert recorder.state == "ready"
    await eventually(lambda: world.events("observer_restarted"))
    told = [(e["event"], e["pid"], e["detail"].get("returncode")) for e in world.events()[-2:]]
    assert told == [("observer_exited", first, -9), ("observer_restarted", recorder.pid, None)]
    assert kept.dead() is None
    await asyncio.wait_for(kept.stop(), 5)
    with pytest.raises(ProcessLookupError):
        os.kill(recorder.pid, 0)


async def test_a_full_disk_does_not_keep_an_observer_from_being_restarted(world, eventually, monkeypatch):
    monkeypatch.setattr(observing, "FIRST_BACKOFF_S", 0.01)
    world.state.phase, recorder = "ready", ProcessInfo("recorder")
    kept = observing_of(world, "import time; time.sleep(600)")
    await kept._start(recorder, ())
    first = recorder.pid

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("serving.fleet.journal._append", full)
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: recorder.pid not in (None, first))
    monkeypatch.undo()
    await asyncio.wait_for(kept.stop(), 5)


def test_a_routed_page_is_fetched_elsewhere_under_its_own_name(world):
    world.state.gateway.url = "http://127.0.0.1:8400"
    world.state.gateway.route = Route("f-1", 9e9, metrics_url="http://127.0.0.1:9001/metrics")
    world.state.replicas[1].route = Route("f-2", 9e9, metrics_url="http://127.0.0.1:9002/metrics")
    observers.write_targets(world.files, observers.scrape_targets(world.state, world.state.replicas), interval_s=1.0)
    by_prometheus = json.loads((world.files.prometheus / observers.TARGETS_FILE).read_text())
    by_recorder = read_config_of_recorder(world.files.recorder).targets
    own = [t.url.removeprefix("http://").removesuffix("/metrics") for t in by_recorder]
    assert [e["labels"]["instance"] for e in by_prometheus] == own == [t.instance for t in by_recorder]
    assert [e["targets"][0] for e in by_prometheus] == ["127.0.0.1:9001", own[1], "127.0.0.1:9002"]
    assert [t.via for t in by_recorder] == ["http://127.0.0.1:9001/metrics", None, "http://127.0.0.1:9002/metrics"]
