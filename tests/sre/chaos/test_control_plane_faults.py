"""Faults of the gateway and the autoscaler, on the fake platform; their addresses are small servers of our own."""

import http.server
import json
import threading
import time

import pytest

from sre.chaos.faults.control_plane import AutoscalerDown, GatewayCrash
from sre.chaos.faults.model import NotProven
from sre.errors import PlatformError


@pytest.fixture
def ready_after():
    """A gateway that answers /ready with 503 so many times, then 200; returns its address."""
    servers = []

    def start(refusals):
        left = [refusals]

        class Answers(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                assert self.path == "/ready"
                self.send_response(503 if left[0] > 0 else 200)
                self.end_headers()
                left[0] -= 1

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_gateway_is_killed_and_seen_gone(platform, lease_for):
    lease = lease_for(GatewayCrash())
    assert (lease.plan.replicas, lease.plan.components) == ((), ("gateway",))
    GatewayCrash.apply(platform, lease)
    assert (
        GatewayCrash.prove(platform, lease) == f"the gateway's process {lease.plan.handles['process']['pid']} is gone"
    )
    GatewayCrash.undo(platform, lease)
    assert platform.signals == [("gateway", None, "kill")]


def test_a_gateway_that_survives_is_not_proven(platform, lease_for, monkeypatch):
    monkeypatch.setattr("sre.chaos.faults.control_plane.GONE_WITHIN_S", 0.1)
    platform.make_stubborn("gateway")
    lease = lease_for(GatewayCrash())
    GatewayCrash.apply(platform, lease)
    with pytest.raises(NotProven, match="gateway: still runs"):
        GatewayCrash.prove(platform, lease)


def test_a_gateway_is_well_when_it_is_ready_not_when_it_answers(platform, lease_for, ready_after):
    platform.gateway_url = ready_after(3)
    lease = lease_for(GatewayCrash())
    began = time.time()
    assert began < GatewayCrash.recovered(platform, lease, timeout_s=5) < began + 2


def test_who_asks_late_learns_when_it_came_back(platform, lease_for, ready_after, clock):
    platform.gateway_url = ready_after(0)
    events = [{"at": clock.at - 50, "event": "gateway_restarted"}, {"at": clock.at + 2, "event": "gateway_restarted"}]
    (platform.state_dir / "events.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    assert GatewayCrash.recovered(platform, lease_for(GatewayCrash()), timeout_s=1) == clock.at + 2


def test_a_gateway_that_stays_away_is_told_after_the_timeout(platform, lease_for):
    with pytest.raises(PlatformError, match=r"not ready after 0.1 s"):
        GatewayCrash.recovered(platform, lease_for(GatewayCrash()), timeout_s=0.1)


@pytest.fixture
def autoscaled(platform):
    platform._start("autoscaler", None)
    return platform


def test_without_an_autoscaler_there_is_nothing_to_stop(platform):
    with pytest.raises(PlatformError, match="autoscaler has no running process"):
        AutoscalerDown().plan(platform)


def test_a_stopped_autoscaler_goes_on_when_undone_as_often_as_you_like(autoscaled, lease_for):
    lease = lease_for(AutoscalerDown())
    assert lease.plan.components == ("autoscaler",)
    AutoscalerDown.apply(autoscaled, lease)
    assert "is stopped and decides nothing" in AutoscalerDown.prove(autoscaled, lease)
    for _ in range(2):
        AutoscalerDown.undo(autoscaled, lease)
        assert autoscaled.condition_of("autoscaler") == "running"


def test_a_killed_autoscaler_is_seen_gone_and_its_successor_left_alone(autoscaled, lease_for, clock):
    lease = lease_for(AutoscalerDown(how="kill"))
    AutoscalerDown.apply(autoscaled, lease)
    assert "is gone" in AutoscalerDown.prove(autoscaled, lease)
    clock.at += 5
    autoscaled.process("autoscaler")
    AutoscalerDown.undo(autoscaled, lease)
    assert autoscaled.signals == [("autoscaler", None, "kill")]


def test_one_that_is_stopped_already_is_not_stopped_again(autoscaled, lease_for):
    AutoscalerDown.apply(autoscaled, lease_for(AutoscalerDown()))
    with pytest.raises(PlatformError, match="the autoscaler is stopped already"):
        lease_for(AutoscalerDown())
    assert lease_for(AutoscalerDown(how="kill"))


def test_one_that_was_not_stopped_is_not_proven(autoscaled, lease_for, monkeypatch):
    monkeypatch.setattr("sre.chaos.faults.control_plane.GONE_WITHIN_S", 0.1)
    with pytest.raises(NotProven, match="it is running, not stopped"):
        AutoscalerDown.prove(autoscaled, lease_for(AutoscalerDown()))


def test_it_is_well_when_its_page_answers(autoscaled, lease_for):
    lease = lease_for(AutoscalerDown())
    with pytest.raises(PlatformError, match="does not answer"):
        AutoscalerDown.recovered(autoscaled, lease, timeout_s=0.1)
    autoscaled.metrics[("autoscaler", "sre_autoscaler_desired_replicas")] = 3
    assert AutoscalerDown.recovered(autoscaled, lease, timeout_s=0.1) > 0
