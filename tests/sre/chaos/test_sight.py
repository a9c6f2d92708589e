"""Where probes, guard and gate see: the recorder, or a Prometheus that scrapes less often."""

import http.server
import json
import threading

import pytest

from sre.chaos import probes
from sre.chaos.sight import Sight, sight_of
from sre.errors import NoData, PlatformError, SreError


@pytest.fixture
def prometheus():
    """Answers every query with `answer.result`, as /api/v1/query_range and /query do."""

    class Answer(http.server.BaseHTTPRequestHandler):
        result: list = []  # noqa: RUF012  (one server a test)

        def do_GET(self):
            kind = "vector" if self.path.startswith("/api/v1/query?") else "matrix"
            body = json.dumps({"status": "success", "data": {"resultType": kind, "result": type(self).result}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    Answer.url = f"http://127.0.0.1:{server.server_port}"
    yield Answer
    server.shutdown()
    server.server_close()
    thread.join()


def test_without_a_word_the_recorder_is_read(tmp_path, monkeypatch):
    monkeypatch.delenv("SRE_PROMETHEUS_URL", raising=False)
    assert sight_of({"state_dir": str(tmp_path)}) == Sight(tmp_path / "samples")
    assert sight_of({}, state_dir=tmp_path).stale_s == 5.0


def test_the_experiment_or_the_environment_names_a_prometheus(tmp_path, monkeypatch):
    sight = sight_of({"prometheus_url": "http://127.0.0.1:9090", "scrape_interval_s": 30}, state_dir=tmp_path)
    assert (sight.prometheus, sight.interval_s, sight.stale_s) == ("http://127.0.0.1:9090", 30.0, 90.0)
    monkeypatch.setenv("SRE_PROMETHEUS_URL", "https://prometheus.example")
    assert sight_of({}, state_dir=tmp_path).interval_s == 15.0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"prometheus_url": "127.0.0.1:9090"}, "write http://"),
        ({"prometheus_url": "http://h", "scrape_interval_s": "often"}, "write seconds"),
        ({"prometheus_url": "http://h", "scrape_interval_s": "nan"}, "write seconds"),
        ({"prometheus_url": "http://h", "scrape_interval_s": -1}, "write seconds"),
    ],
)
def test_a_wrong_word_is_one_line(given, says, tmp_path):
    with pytest.raises(SreError, match=says):
        sight_of(given, state_dir=tmp_path)


def test_a_platform_that_was_never_watched_is_no_data(tmp_path):
    with pytest.raises(NoData, match="sre up"):
        Sight(tmp_path / "samples").open()


def test_a_prometheus_that_saw_the_gateway_lately_is_sight_enough(prometheus, tmp_path):
    sight = Sight(tmp_path, prometheus.url, 15.0)
    prometheus.result = [{"metric": {"__name__": "sre_gateway_requests_total"}, "values": [[1000.0, "5"]]}]
    sight.require_fresh(now=1010.0)


def test_a_prometheus_without_the_gateway_refuses(prometheus, tmp_path):
    with pytest.raises(PlatformError, match="no sample of sre_gateway_requests_total"):
        Sight(tmp_path, prometheus.url, 15.0).require_fresh(now=1010.0)


def test_a_prometheus_that_is_down_refuses(tmp_path):
    with pytest.raises(PlatformError, match=r"http://127.0.0.1:9: the steady state could not be judged"):
        Sight(tmp_path, "http://127.0.0.1:9", 15.0).require_fresh(now=1010.0)


def test_a_probe_reads_the_prometheus_that_is_named(prometheus, tmp_path, monkeypatch):
    monkeypatch.setattr(probes.time, "time", lambda: 1010.0)
    labels = {"__name__": "sre_gateway_ttft_seconds_bucket"}
    prometheus.result = [
        {"metric": {**labels, "le": le}, "values": [[990.0, "0"], [1005.0, count]]}
        for le, count in (("0.5", "90"), ("1.0", "100"), ("+Inf", "100"))
    ]
    given = {"prometheus_url": prometheus.url, "state_dir": str(tmp_path)}
    read = probes.latency_quantile(signal="ttft", quantile=0.95, window_s=20, configuration=given)
    assert read == pytest.approx(0.75)
