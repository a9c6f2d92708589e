"""Telemetry faults on a fake platform: killed and kept down, stopped, unreachable, lied to; each proven, and undone."""

import os
import threading
import time
import urllib.request
import uuid
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sre.chaos import actions
from sre.chaos.faults import lying, observers, telemetry
from sre.chaos.faults.background import background_processes
from sre.chaos.faults.lying import MetricsLying
from sre.chaos.faults.model import NotProven
from sre.chaos.faults.pages import series
from sre.chaos.faults.proxies import arm
from sre.chaos.faults.targets import until
from sre.chaos.faults.telemetry import MetricsDown, MetricsStale
from sre.chaos.processes.keep_down import keep_down
from sre.errors import PlatformError, SreError


class Page(BaseHTTPRequestHandler):
    """Counts its visitors; one series stands still."""

    def do_GET(self):
        self.server.visits += 1
        body = f'visits_total {self.server.visits}\nsre_gateway_requests_total{{outcome="ok"}} 40\n'.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def exporter():
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.visits = 0
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def world(platform, exporter):
    """The fake platform with a real page as the gateway's, and a recorder that has just written."""
    platform.gateway_url = exporter
    samples = platform.state_dir / "samples"
    samples.mkdir()
    (samples / "1.jsonl").write_text("x")
    return platform


def age(world, seconds):
    at = time.time() - seconds
    os.utime(world.state_dir / "samples" / "1.jsonl", (at, at))


@pytest.fixture
def lease_of(world, lease_for):
    made = []

    def make(fault):
        lease = replace(
            lease_for(fault, fault_id=f"f-{uuid.uuid4().hex[:8]}"), deadline_at=time.time() + 60, begin=time.time()
        )
        made.append((fault, lease))
        return lease

    yield make
    for fault, lease in made:
        fault.undo(world, lease)
        assert until(lambda lease=lease: background_processes(lease.fault_id) == [], within_s=5.0)
        assert world.routes == {}


class Scraper:
    """An observer: it follows the route, ten times a second."""

    def __init__(self, world):
        self._world = world
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._scrape)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _scrape(self):
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while not self._stop.wait(0.1):
            route = self._world.routes.get("gateway")
            url = route["metrics_url"] if route else f"{self._world.gateway_url}/metrics"
            with suppress(OSError), opener.open(url, timeout=2) as response:
                response.read()


def test_a_recorder_that_is_down_is_killed_and_its_samples_grow_old(world, lease_of):
    fault = MetricsDown(target="recorder")
    lease = lease_of(fault)
    fault.apply(world, lease)
    age(world, 5.0)
    assert (lease.plan.components, world.signals) == (("recorder",), [("recorder", None, "kill")])
    said = fault.prove(world, lease)
    assert "killed; the newest sample is 5.0 s old" in said
    (keeper,) = background_processes(lease.fault_id)
    assert keeper.cmdline()[-1] == "recorder"
    fault.undo(world, lease)
    assert background_processes(lease.fault_id) == []


def test_what_is_to_stay_down_is_killed_as_often_as_it_comes_up(world, clock):
    world.restart_s = 0.3
    looks = []

    def pause(seconds):
        looks.append(seconds)
        clock.at += seconds

    killed = keep_down(world, "recorder", is_over=lambda: len(looks) >= 20, pause=pause)
    assert killed == len(world.signals) >= 4


def test_a_platform_that_is_gone_is_nothing_to_keep_down(world):
    world.up = False
    left = [False, True]
    assert keep_down(world, "recorder", is_over=lambda: left.pop(0), pause=lambda _: None) == 0


def test_samples_that_still_come_are_no_proof(world, lease_of, monkeypatch):
    monkeypatch.setattr(telemetry, "SEEN_S", 0.1)
    monkeypatch.setattr(observers, "LATE_SCRAPES", 2)
    (world.state_dir / "recorder.json").write_text('{"interval_s": 0.3}')
    for fault in (MetricsStale(), MetricsDown()):
        lease = lease_of(fault)
        fault.apply(world, lease)
        age(world, -60)
        with pytest.raises(NotProven, match="samples still come"):
            fault.prove(world, lease)


def test_a_stale_recorder_is_stopped_and_goes_on(world, lease_of):
    fault = MetricsStale()
    lease = lease_of(fault)
    fault.apply(world, lease)
    age(world, 3.0)
    assert "stopped; the newest sample is 3.0 s old" in fault.prove(world, lease)
    for _ in range(2):
        fault.undo(world, lease)
        assert world.condition_of("recorder") == "running"


def test_a_recorder_that_is_stopped_already_is_not_stopped_again(world, lease_of):
    MetricsStale.apply(world, lease_of(MetricsStale()))
    with pytest.raises(PlatformError, match="recorder is stopped already"):
        lease_of(MetricsStale())


def test_a_recorder_that_stays_stopped_is_not_called_undone(world, lease_of):
    fault = MetricsStale()
    lease = lease_of(fault)
    fault.apply(world, lease)
    world.kill_fails = True
    with pytest.raises(PlatformError, match="stays stopped"):
        fault.undo(world, lease)
    world.kill_fails = False


def test_prometheus_is_proven_silent(world, lease_of):
    world._start("prometheus", None)
    world.metrics["prometheus", "prometheus_build_info"] = 1
    fault = MetricsStale(target="prometheus")
    lease = lease_of(fault)
    fault.apply(world, lease)
    world.silent.add("prometheus")
    assert fault.prove(world, lease) == "prometheus: stopped; it does not answer"
    world.silent.clear()
    fault.undo(world, lease)
    assert fault.recovered(world, lease, timeout_s=1.0) >= lease.begin


def test_an_observer_that_does_not_come_back_is_told(world, lease_of):
    lease = lease_of(MetricsStale())
    age(world, 60.0)
    with pytest.raises(PlatformError, match="recorder does not do its work"):
        MetricsStale.recovered(world, lease, timeout_s=0.1)


def test_a_page_that_is_down_resets_its_scrapers_and_answers_past_the_proxy(world, lease_of):
    fault = MetricsDown(target="exporter")
    lease = lease_of(fault)
    with Scraper(world):
        fault.apply(world, lease)
        assert "scrapes were reset" in fault.prove(world, lease)
        fault.undo(world, lease)
    assert world.routes == {}


def test_a_page_that_nobody_scrapes_is_no_proof(world, lease_of, monkeypatch):
    monkeypatch.setattr(telemetry, "SEEN_S", 0.3)
    fault = MetricsDown(target="exporter")
    lease = lease_of(fault)
    fault.apply(world, lease)
    with pytest.raises(NotProven, match="no observer came"):
        fault.prove(world, lease)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (MetricsLying(how="freeze"), "stand still for observers, e.g. visits_total"),
        (MetricsLying(how="scale", factor=0.25), 'e.g. sre_gateway_requests_total{outcome="ok"}: 10 instead of 40'),
    ],
    ids=["frozen", "scaled"],
)
def test_a_lying_page_is_told_from_the_true_one(world, lease_of, fault, words):
    lease = lease_of(fault)
    with Scraper(world):
        fault.apply(world, lease)
        assert words in fault.prove(world, lease)
        fault.undo(world, lease)


def test_a_page_that_tells_the_truth_is_no_proof(world, lease_of, monkeypatch):
    monkeypatch.setattr(lying, "SEEN_S", 0.3)
    for fault in (MetricsLying(how="freeze"), MetricsLying(how="scale")):
        lease = lease_of(fault)
        fault.apply(world, lease)
        arm(world, lease, {}, revision=2)
        with pytest.raises(NotProven):
            fault.prove(world, lease)
        fault.undo(world, lease)


def test_nothing_to_scale_is_no_proof(world, lease_of, monkeypatch):
    monkeypatch.setattr(lying, "SEEN_S", 0.3)
    fault = MetricsLying(how="scale", prefix="no_such_metric")
    lease = lease_of(fault)
    fault.apply(world, lease)
    with pytest.raises(NotProven, match="prefix fits none"):
        fault.prove(world, lease)


def test_prometheus_is_hit_as_well_where_it_runs(world):
    assert MetricsLying().plan(world).components == ("recorder",)
    world._start("prometheus", None)
    assert MetricsLying().plan(world).components == ("recorder", "prometheus")


def test_a_page_is_read_line_by_line():
    assert series('# TYPE a counter\na 1\nb{c="d e"} 2.5\nnonsense\n\nbad x\n') == {"a": 1.0, 'b{c="d e"}': 2.5}


BAD = {
    "no such target": (lambda: MetricsDown(target="grafana"), "recorder, prometheus, exporter"),
    "no such observer": (lambda: MetricsStale(target="exporter"), "recorder, prometheus"),
    "no such lie": (lambda: MetricsLying(how="shuffle"), "freeze, scale"),
    "the truth": (lambda: MetricsLying(factor=1), "factor is 1"),
    "a negative factor": (lambda: MetricsLying(factor=-2), "factor"),
    "a factor in words": (lambda: MetricsLying(factor="half"), "factor"),
    "no prefix": (lambda: MetricsLying(prefix=""), "prefix"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_parameter_is_told_in_one_line(name):
    make, named = BAD[name]
    with pytest.raises(SreError) as refused:
        make()
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)


def test_an_observer_that_does_not_run_cannot_be_lost(world):
    with pytest.raises(PlatformError, match="prometheus has no running process"):
        MetricsDown(target="prometheus").plan(world)


def test_actions_pass_their_parameters_on(monkeypatch):
    seen = []
    monkeypatch.setattr(
        "sre.chaos.actions.telemetry.injected",
        lambda name, params, **_: seen.append((name, params["target" if "target" in params else "how"])) or {},
    )
    actions.stop_metrics(5, target="prometheus")
    actions.freeze_metrics(5)
    actions.falsify_metrics(5, how="scale")
    assert seen == [("metrics-down", "prometheus"), ("metrics-stale", "recorder"), ("metrics-lying", "scale")]
