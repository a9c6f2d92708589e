"""The running local platform, seen through its state file and the process table. Real processes, no server."""

import http.server
import json
import subprocess
import threading
import time

import psutil
import pytest

from sre.errors import PlatformError
from sre.platforms.local import LocalPlatform
from sre.platforms.state import NotUp


def until(seen, within_s=5.0):
    deadline = time.monotonic() + within_s
    while not seen():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


class World:
    """A state directory whose supervisor is this test and whose replicas are sleepers."""

    def __init__(self, root):
        self.root = root
        self.children = []
        me = psutil.Process()
        self.state = {
            "platform_id": "abc12345",
            "phase": "ready",
            "error": None,
            "started_at": 1.0,
            "supervisor": {"pid": me.pid, "created": me.create_time()},
            "gateway": {"pid": None, "created": None, "url": "http://127.0.0.1:9"},
            "replicas": [],
        }
        self.save()

    def add(self, name, **changes):
        child = subprocess.Popen(["/bin/sleep", "600"])
        self.children.append(child)
        entry = {"name": name, "state": "ready", "metrics_url": "", "restarts": 0, "ready_at": 5.0, "pid": child.pid}
        self.state["replicas"].append({**entry, "created": psutil.Process(child.pid).create_time(), **changes})
        self.save()
        return child

    def save(self):
        temporary = self.root / ".state"
        temporary.write_text(json.dumps(self.state))
        temporary.replace(self.root / "state.json")

    def close(self):
        for child in self.children:
            child.kill()
            child.wait()


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.close()


@pytest.fixture
def platform(world):
    return LocalPlatform(world.root)


def test_a_dead_supervisor_means_not_up_whatever_its_file_says(world, platform):
    world.state["supervisor"]["created"] -= 3600
    world.save()
    with pytest.raises(NotUp, match="supervisor is gone"):
        platform.replicas()


def test_a_failed_platform_says_why(world, platform):
    world.state.update(phase="failed", error="gateway exited with 1")
    world.save()
    with pytest.raises(NotUp, match="gateway exited with 1"):
        platform.replicas()


def test_a_replica_whose_process_died_is_not_called_ready(world, platform):
    child = world.add("llm-0")
    assert platform.replicas()[0].state == "ready"
    child.kill()
    child.wait()
    assert (platform.replicas()[0].state, platform.replicas()[0].pid) == ("stopped", None)


def test_a_signal_kills_the_process_of_its_handle_and_says_so(world, platform):
    child = world.add("llm-0")
    world.add("llm-1")
    handle = platform.process("server", "llm-0")
    assert platform.signal(handle, "kill") is True
    assert child.wait() == -9
    assert (platform.condition(handle), platform.signal(handle, "kill")) == ("gone", False)
    assert [r.state for r in platform.replicas()] == ["stopped", "ready"]


def test_a_frozen_process_is_stopped_until_it_is_continued(world, platform):
    world.add("llm-0")
    handle = platform.process("server", "llm-0")
    for signal, condition in (("stop", "stopped"), ("continue", "running")):
        platform.signal(handle, signal)
        assert until(lambda condition=condition: platform.condition(handle) == condition)


def test_a_recycled_pid_gets_no_signal(world, platform):
    child = world.add("llm-0")
    handle = {**platform.process("server", "llm-0"), "created": 1.0, "born": "another-boot:1"}
    assert (platform.signal(handle, "kill"), platform.condition(handle)) == (False, "gone")
    assert child.poll() is None


def test_a_replica_that_is_gone_has_no_process_to_name(world, platform):
    world.add("llm-0")
    world.state["replicas"][0]["created"] -= 3600
    world.save()
    with pytest.raises(PlatformError, match="llm-0 has no running process"):
        platform.process("server", "llm-0")


def test_an_unknown_replica_lists_the_known_ones(world, platform):
    world.add("llm-0")
    with pytest.raises(PlatformError, match="use one of llm-0"):
        platform.process("server", "llm-7")


def test_waiting_ends_when_the_replicas_next_life_is_ready(world, platform):
    world.add("llm-0").kill()
    world.children[0].wait()

    def restart():
        time.sleep(0.1)
        world.state["replicas"].clear()
        world.add("llm-0", ready_at=77.0, restarts=1)

    thread = threading.Thread(target=restart)
    thread.start()
    assert platform.wait_ready("llm-0", timeout_s=10) == 77.0
    thread.join()


def test_a_dead_process_is_not_waited_for_as_if_it_served(world, platform):
    world.add("llm-0").kill()
    world.children[0].wait()
    with pytest.raises(PlatformError, match=r"llm-0 does not serve after 0.1 s .*logs/llm-0.log"):
        platform.wait_ready("llm-0", timeout_s=0.1)


def test_inflight_is_read_from_the_gateways_metrics(world, platform, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    page = (
        b'# TYPE sre_gateway_replica_inflight gauge\nsre_gateway_replica_inflight{replica="llm-0"} 3.0\n'
        b'sre_gateway_replica_inflight{replica="llm-1"} 0.0\nother 1\n'
    )
    with serving(page) as url:
        world.state["gateway"]["url"] = url
        world.save()
        assert platform.inflight() == {"llm-0": 3.0, "llm-1": 0.0}


def test_a_gateway_without_that_metric_is_an_error(world, platform):
    with serving(b"other 1\n") as url:
        world.state["gateway"]["url"] = url
        world.save()
        with pytest.raises(PlatformError, match="sre_gateway_replica_inflight"):
            platform.inflight()


def test_the_queue_is_read_from_the_gateways_metrics(world, platform):
    with serving(b"# TYPE sre_gateway_queue_depth gauge\nsre_gateway_queue_depth 7.0\n") as url:
        world.state["gateway"]["url"] = url
        world.save()
        assert platform.queue_depth() == 7.0


def test_a_gateway_without_a_queue_has_no_depth(world, platform):
    with serving(b"other 1\n") as url:
        world.state["gateway"]["url"] = url
        world.save()
        assert platform.queue_depth() is None


def test_a_dead_process_does_not_serve_whatever_the_gateway_last_said(world, platform):
    child = world.add("llm-0", serving=True, rotation="up")
    assert platform.replicas()[0].serving is True
    child.kill()
    child.wait()
    assert platform.replicas()[0].serving is False


def test_a_silent_gateway_is_an_error(platform):
    with pytest.raises(PlatformError, match="does not answer"):
        platform.inflight()


class serving:  # noqa: N801  (reads as a context: "with serving(page)")
    """One page on a free loopback port."""

    def __init__(self, page):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self):
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Triton(http.server.BaseHTTPRequestHandler):
    """Speaks as the model `llm` does: an event a token, an error for what holds the word `bad`."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        tokens = json.loads(request["sampling_parameters"])["max_tokens"]
        self.send_response(500 if "bad" in request["text_input"] else 200)
        self.end_headers()
        if "bad" in request["text_input"]:
            self.wfile.write(b'{"error": "Stub process is not healthy."}')
            return
        for number in range(tokens):
            time.sleep(0.05)
            self.wfile.write(f'data: {{"text_output": "{" " if number else ""}word"}}\n\n'.encode())

    def log_message(self, *arguments):
        pass


@pytest.fixture
def engine(world):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Triton)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    world.add("llm-0", http_url=f"http://127.0.0.1:{server.server_port}")
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("engine")
def test_an_inference_past_the_gateway_gives_text_and_time_or_the_engines_error(platform):
    answer = platform.infer("llm-0", "are you well", max_tokens=3)
    assert (answer.text, answer.error) == ("word word word", None)
    assert answer.seconds >= 0.15
    assert platform.infer("llm-0", "bad").error == "Stub process is not healthy."


@pytest.mark.usefixtures("engine")
def test_an_inference_that_takes_too_long_is_given_up(platform):
    with pytest.raises(PlatformError, match="does not answer"):
        platform.infer("llm-0", "are you well", max_tokens=100, timeout_s=0.2)
