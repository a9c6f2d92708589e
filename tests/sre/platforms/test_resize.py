"""Drain, undrain and scale are asked of the supervisor and waited for; it is played by a page and a state file."""

import http.server
import json
import threading

import psutil
import pytest

from serving.fleet.model import PlatformSpec
from sre.errors import PlatformError, SreError
from sre.platforms.local import LocalPlatform, drain, resize, scale, undrain
from sre.platforms.state import NotUp

TOKEN = "s" * 32


class World:
    """Takes orders as the supervisor does; `obey(path, body)` changes the state. Its replicas' process is this one."""

    def __init__(self, root):
        self.root = root
        self.orders = []
        self.answer = (202, {})
        self.obey = lambda path, body: None
        me = psutil.Process()
        self.process = {"pid": me.pid, "created": me.create_time()}
        spec = PlatformSpec(replicas=2, max_replicas=4)
        (root / "spec.json").write_text(spec.to_json())
        self.state = {
            "platform_id": "abc12345",
            "phase": "ready",
            "error": None,
            "started_at": 1.0,
            "supervisor": self.process,
            "gateway": {"pid": None, "created": None, "url": "http://127.0.0.1:9"},
            "replicas": [self.replica("llm-0"), self.replica("llm-1")],
            "desired_replicas": 2,
            "spec": json.loads(spec.to_json()),
        }
        self.save()

    def replica(self, name, **changes):
        entry = {"name": name, "state": "ready", "metrics_url": "", "restarts": 0, "ready_at": 5.0, "serving": True}
        return {**entry, "rotation": "up", **self.process, **changes}

    def save(self, **replicas):
        """Write the state; keywords change a replica: `llm_1={"state": "drained"}`."""
        for entry in self.state["replicas"]:
            entry.update(replicas.get(entry["name"].replace("-", "_"), {}))
        temporary = self.root / ".state"
        temporary.write_text(json.dumps(self.state))
        temporary.replace(self.root / "state.json")

    def event(self, name, replica, **detail):
        with (self.root / "events.jsonl").open("a") as file:
            file.write(json.dumps({"at": 1.0, "event": name, "replica": replica, "detail": detail}) + "\n")

    def drained(self, name, **detail):
        self.event("replica_drained", name, **detail)
        self.save(**{name.replace("-", "_"): {"state": "drained", "pid": None, "created": None, "serving": False}})


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.headers["Authorization"] == f"Bearer {TOKEN}"
            made.orders.append((self.path, body))
            status, said = made.answer
            if status < 400:
                made.obey(self.path, body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    (tmp_path / "control.json").write_text(
        json.dumps({"url": f"http://127.0.0.1:{server.server_port}", "token": TOKEN})
    )
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def platform(world):
    return LocalPlatform(world.root)


def test_a_drain_is_waited_for_and_says_what_was_moved(world, platform):
    world.event("replica_drained", "llm-1", inflight_left=7, seconds=9.0)  # an earlier one
    world.obey = lambda *_: world.drained("llm-1", inflight_left=2, seconds=1.5)
    said = drain(platform, "llm-1", grace_s=3)
    assert (said.replica, said.seconds, said.inflight_left) == ("llm-1", 1.5, 2)
    assert world.orders == [("/replicas/llm-1/drain", {"grace_s": 3, "restart": False, "force": False})]


def test_a_drain_with_restart_is_done_when_the_replica_serves_again(world, platform):
    def obey(*_):
        world.drained("llm-1", inflight_left=0, seconds=1.0)
        threading.Timer(0.2, lambda: world.save(llm_1={"state": "ready", "serving": True, **world.process})).start()

    world.obey = obey
    told = []
    drain(platform, "llm-1", restart=True, on_progress=told.append)
    assert told[-1] == "llm-1 serving"


def test_a_drain_that_does_not_come_about_is_an_error(world, platform, monkeypatch):
    monkeypatch.setattr(resize, "STOP_S", 0.0)
    monkeypatch.setattr(resize, "DRAIN_MARGIN_S", 0.1)
    with pytest.raises(PlatformError, match="llm-1 is ready, not drained"):
        drain(platform, "llm-1", grace_s=0)


def test_draining_a_drained_replica_is_done_at_once(world, platform):
    world.drained("llm-1")
    assert drain(platform, "llm-1").inflight_left == 0


def test_a_drained_replica_is_restarted_without_waiting_for_another_drain(world, platform, monkeypatch):
    monkeypatch.setattr(resize, "STOP_S", 0.0)
    monkeypatch.setattr(resize, "DRAIN_MARGIN_S", 0.1)
    world.drained("llm-1")

    def obey(*_):
        world.save(llm_1={"state": "starting", **world.process})
        threading.Timer(0.4, lambda: world.save(llm_1={"state": "ready", "serving": True})).start()

    world.obey = obey
    assert drain(platform, "llm-1", grace_s=0, restart=True).inflight_left == 0


def test_an_undrained_replica_is_waited_for_until_the_gateway_uses_it(world, platform):
    world.save(llm_1={"serving": False, "rotation": "down"})
    world.obey = lambda *_: threading.Timer(0.2, lambda: world.save(llm_1={"serving": True})).start()
    told = []
    undrain(platform, "llm-1", on_progress=told.append)
    assert told == ["llm-1 ready", "llm-1 serving"]


def test_scaling_out_is_waited_for(world, platform):
    def obey(_path, body):
        world.state["desired_replicas"] = body["replicas"]
        world.state["replicas"].append(world.replica("llm-2", state="starting", serving=False))
        world.save()
        threading.Timer(0.2, lambda: world.save(llm_2={"state": "ready", "serving": True})).start()

    world.obey = obey
    told = []
    assert [r.name for r in scale(platform, 3, reason="load", on_progress=told.append)] == ["llm-0", "llm-1", "llm-2"]
    assert world.orders == [("/scale", {"replicas": 3, "reason": "load"})]
    assert told[-2:] == ["llm-2 starting", "llm-2 serving"]


def test_scaling_in_is_waited_for_until_the_replica_is_gone(world, platform):
    def leave():
        world.state["replicas"].pop()
        world.save()

    def obey(_path, body):
        world.state["desired_replicas"] = body["replicas"]
        world.save(llm_1={"state": "draining"})
        threading.Timer(0.2, leave).start()

    world.obey = obey
    told = []
    assert [r.name for r in scale(platform, 1, on_progress=told.append)] == ["llm-0"]
    assert told[-2:] == ["llm-1 draining", "llm-1 gone"]


def test_another_order_meanwhile_ends_the_wait(world, platform):
    def obey(*_):
        world.state["desired_replicas"] = 4
        world.save()

    world.obey = obey
    with pytest.raises(PlatformError, match="somebody asked for 4 replicas meanwhile"):
        scale(platform, 3)


@pytest.mark.parametrize("wanted", [0, 5])
def test_a_size_the_platform_may_not_have_is_refused_before_it_is_asked(world, platform, wanted):
    with pytest.raises(PlatformError, match="runs 1 to 4"):
        scale(platform, wanted)
    assert world.orders == []


def test_a_refusal_is_passed_on_in_the_supervisors_words(world, platform):
    world.answer = (409, {"error": "replica llm-1 is the last one that serves"})
    with pytest.raises(PlatformError, match="the last one that serves") as caught:
        drain(platform, "llm-1")
    assert caught.value.exit_code == 3


def test_wrong_use_is_wrong_use(world, platform):
    world.answer = (400, {"error": "grace_s: too long"})
    with pytest.raises(SreError, match="grace_s") as caught:
        platform.drain("llm-1", grace_s=1e9)
    assert caught.value.exit_code == 2


def test_an_answer_that_is_none_is_told_with_its_status(world, platform):
    world.answer = (500, ["?"])
    with pytest.raises(PlatformError, match="HTTP 500"):
        platform.undrain("llm-1")


def test_an_unknown_replica_lists_the_known_ones(world, platform):
    for call in (platform.drain, platform.undrain):
        with pytest.raises(PlatformError, match="use one of llm-0, llm-1"):
            call("llm-9")
    assert world.orders == []


def test_without_a_control_file_the_error_says_where_it_should_be(world, platform):
    (world.root / "control.json").unlink()
    with pytest.raises(PlatformError, match=r"control\.json: the supervisor takes no orders"):
        platform.drain("llm-1")


def test_a_platform_that_ended_meanwhile_is_told(world, platform):
    def obey(*_):
        world.state["supervisor"] = {"pid": 2**22, "created": 1.0}
        world.save()

    world.obey = obey
    with pytest.raises(NotUp):
        scale(platform, 3)
