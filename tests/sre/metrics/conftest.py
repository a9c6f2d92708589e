"""A small real HTTP server that plays Prometheus, well behaved or not, as a fixture: test folders are no packages."""

from __future__ import annotations

import json
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest


class FakePrometheus:
    """Answers instant range queries from `series` and `histograms` as Prometheus 2 does, both ends included.

    `script` holds what to do with the next requests instead: (status, body), or a callable given the handler.
    `answer` is what to do with every request.
    """

    def __init__(self, tls=None):
        self.series, self.histograms, self.pages = [], [], {}
        self.queries, self.headers, self.script = [], [], []
        self.answer = None
        self.extra = {}
        handler = type("Handler", (_Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._server.daemon_threads = True
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def page(self, path, query):
        if path == "/api/v1/query":
            return {"resultType": "matrix", "result": self.result(query["query"], float(query["time"]))}
        return self.pages.get(path)

    def result(self, query, at):
        width_s = int(query.rpartition("[")[2].removesuffix("ms]")) / 1000
        found = []
        for kind, held in (("values", self.series), ("histograms", self.histograms)):
            for metric, samples in held:
                inside = [[t, v] for t, v in samples if at - width_s <= t <= at]
                if inside:
                    found.append({"metric": metric, kind: inside})
        return found


class _Handler(BaseHTTPRequestHandler):
    fake: FakePrometheus
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        self.fake.queries.append(query)
        self.fake.headers.append(dict(self.headers))
        self.close_connection = True
        order = self.fake.script.pop(0) if self.fake.script else self.fake.answer
        if callable(order):
            order(self)
            return
        status, body = order or (200, None)
        if body is None:
            data = self.fake.page(parts.path, query)
            if data is None:
                self.send(404, "404 page not found")
                return
            body = json.dumps({"status": "success", "data": data, **self.fake.extra})
        self.send(status, body)

    def send(self, status, body, **headers):
        raw = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(raw)

    def reset(self):
        """Close so that the client gets a TCP reset."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def finish(self):
        try:
            super().finish()
        except (OSError, ValueError):  # the client left, or `reset` did
            return

    def log_message(self, *_):
        pass


@pytest.fixture
def fake():
    server = FakePrometheus()
    yield server
    server.stop()


@pytest.fixture
def fake_prometheus():
    """The class, for tests that start one with TLS."""
    return FakePrometheus
