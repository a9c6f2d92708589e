"""PrometheusSamples against a server that answers what we tell it: ranges normalised, failures told in one line."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from sre.errors import EnvironmentLacks, NoData
from sre.metrics import prometheus
from sre.metrics.prometheus import PrometheusSamples
from sre.metrics.selector import parse_selector


class FakePrometheus:
    """Answers instant range queries from `series` as Prometheus 2 does, with both ends of the range included."""

    def __init__(self):
        self.series = []
        self.queries = []
        self.answer = None
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def result(self, query, at):
        width_s = int(query.rpartition("[")[2].removesuffix("ms]")) / 1000
        found = []
        for metric, samples in self.series:
            values = [[t, v] for t, v in samples if at - width_s <= t <= at]
            if values:
                found.append({"metric": metric, "values": values})
        return found


class _Handler(BaseHTTPRequestHandler):
    fake: FakePrometheus

    def do_GET(self):
        query = {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()}
        self.fake.queries.append(query)
        status, body = self.fake.answer or (200, None)
        if body is None:
            data = {"resultType": "matrix", "result": self.fake.result(query["query"], float(query["time"]))}
            body = json.dumps({"status": "success", "data": data})
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def fake():
    server = FakePrometheus()
    yield server
    server.stop()


@pytest.fixture
def source(fake):
    samples = PrometheusSamples(fake.url, timeout_s=5)
    yield samples
    samples.close()


SELECTOR = parse_selector('req{outcome="ok"}')
METRIC = {"__name__": "req", "outcome": "ok", "job": "g"}


def points(series):
    return list(zip(series.times.tolist(), series.values.tolist(), strict=True))


def test_the_range_is_open_on_the_left_and_closed_on_the_right(fake, source):
    fake.series = [(METRIC, [[10.5, "1"], [11.5, "2"], [12.5, "3"], [13.5, "4"]])]
    (series,) = source.series(SELECTOR, start=10.5, end=12.5)
    assert points(series) == [(11.5, 2), (12.5, 3)]
    assert (series.id.name, series.id.labels) == ("req", (("job", "g"), ("outcome", "ok")))


def test_raw_samples_are_asked_for(fake, source):
    source.series(SELECTOR, start=1700000000.2504, end=1700000010.25)
    (query,) = fake.queries
    assert query == {"query": 'req{outcome="ok"}[10001ms]', "time": "1700000010.250"}


def test_a_long_range_is_asked_in_parts_that_do_not_overlap(fake, source, monkeypatch):
    monkeypatch.setattr(prometheus, "CHUNK_S", 10.0)
    fake.series = [(METRIC, [[float(t), str(t)] for t in range(50)])]
    (series,) = source.series(SELECTOR, start=3, end=38)
    assert series.times.tolist() == list(range(4, 39))
    assert len(fake.queries) == 4


def test_values_that_are_not_finite_are_left_out(fake, source):
    fake.series = [(METRIC, [[1, "1"], [2, "NaN"], [3, "+Inf"]]), ({"__name__": "req", "x": "y"}, [[1, "NaN"]])]
    assert [points(one) for one in source.series(SELECTOR, start=0, end=9)] == [[(1, 1)]]


def test_no_series_is_an_empty_list(source):
    assert source.series(SELECTOR, start=0, end=9) == []
    assert source.series(SELECTOR, start=9, end=9) == []


def test_a_refused_query_is_no_data_in_one_line(fake, source):
    fake.answer = (400, '{"status":"error","error":"parse\\nerror"}')
    with pytest.raises(NoData, match="refused") as caught:
        source.series(SELECTOR, start=0, end=9)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("answer", [(200, "<html>hello</html>"), (200, '{"status":"success"}'), (200, "[]")])
def test_something_else_on_the_port_is_told(fake, source, answer):
    fake.answer = answer
    with pytest.raises(EnvironmentLacks, match="API"):
        source.series(SELECTOR, start=0, end=9)


def test_a_server_that_is_gone_is_told(fake):
    fake.stop()
    source = PrometheusSamples(fake.url, timeout_s=1)
    with pytest.raises(EnvironmentLacks, match="does not answer"):
        source.series(SELECTOR, start=0, end=9)


def test_a_server_that_hangs_is_given_up(fake, monkeypatch):
    monkeypatch.setattr(FakePrometheus, "result", lambda *_: time.sleep(2) or [])
    source = PrometheusSamples(fake.url, timeout_s=0.1)
    with pytest.raises(EnvironmentLacks, match="does not answer"):
        source.series(SELECTOR, start=0, end=9)
    source.close()
