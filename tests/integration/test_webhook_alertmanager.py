"""A rule fires in a real Prometheus, two real Alertmanagers send it, `sre serve` opens one incident with its runbook.

The Alertmanagers do not know of each other, which is the worst a pair can do: each sends everything, and every second.
Their configuration is what `sre serve --print-alertmanager-config` prints, with shorter intervals.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from serving.fleet.ports import free_ports
from sre.incidents.store import open_store

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is absent: install Debian's prometheus"),
    pytest.mark.skipif(
        ALERTMANAGER is None, reason="Alertmanager is absent: install Debian's package prometheus-alertmanager"
    ),
]
SRE = Path(sys.executable).parent / "sre"
ALERT = "AvailabilityErrorBudgetBurn"
SECRET = "integration-test-0123456789"  # noqa: S105  (made up)
DEADLINE_S = 20.0
INTERVAL = "300ms"


class Page:
    """What Prometheus scrapes: one gauge that the test sets."""

    def __init__(self):
        self.value = 0
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.end_headers()
                self.wfile.write(f"# TYPE burning gauge\nburning {page.value}\n".encode())

            def log_message(self, *_):
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def address(self):
        return f"127.0.0.1:{self.server.server_address[1]}"


@contextlib.contextmanager
def running(command, log, **options):
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, **options)
        try:
            yield process
        finally:
            process.terminate()
            process.wait(10)


def until(found, what, *, deadline_s=DEADLINE_S):
    """What `found` gives once it is true."""
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if got := found():
                return got
        time.sleep(0.03)
    pytest.fail(f"not in {deadline_s:g} s: {what() if callable(what) else what}")


def get(url, *, token=None):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310
    with urllib.request.urlopen(request, timeout=2) as answer:  # noqa: S310  (loopback)
        return answer.read().decode()


def sre(*arguments):
    return [str(SRE), *map(str, arguments)]


def alertmanager_config(folder, port):
    printed = subprocess.run(
        sre("serve", "--print-alertmanager-config", "--port", port, "--token-file", folder / "token"),
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    config = yaml.safe_load(printed)
    config["route"] |= {"group_wait": "0s", "group_interval": INTERVAL, "repeat_interval": INTERVAL}
    file = folder / "alertmanager.yml"
    file.write_text(yaml.safe_dump(config))
    return file


def prometheus_config(folder, page, alertmanagers):
    rule = {
        "alert": ALERT,
        "expr": "burning > 0",
        "labels": {"severity": "page", "slo": "availability", "service": "llm-gateway"},
        "annotations": {
            "summary": "availability burns",
            "runbook_url": "runbooks/replica-crash.md",
            "query": "burning",
        },
    }
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "test", "rules": [rule]}]}))
    config = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
        "scrape_configs": [{"job_name": "page", "static_configs": [{"targets": [page.address]}]}],
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(alertmanagers)}]}]},
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.fixture
def pair(tmp_path):
    """Everything running: the page, `sre serve`, two Alertmanagers, Prometheus that knows both."""
    folder = tmp_path
    (folder / "token").write_text(SECRET)
    (folder / "token").chmod(0o600)
    (folder / "runbooks").mkdir()
    (folder / "runbooks" / f"{ALERT}.md").write_text("# What to do\n")
    port, web, *ams = free_ports(4)
    config = alertmanager_config(folder, port)
    served = sre("serve", "--port", port, "--token-file", folder / "token", "--workspace", folder, "--json")
    with contextlib.ExitStack() as stack:
        page = stack.enter_context(Page())
        server = stack.enter_context(running(served, folder / "serve.log"))
        for am in ams:
            command = [ALERTMANAGER, f"--config.file={config}", f"--storage.path={folder / str(am)}"]
            command += [f"--web.listen-address=127.0.0.1:{am}", "--cluster.listen-address="]
            stack.enter_context(running(command, folder / f"alertmanager-{am}.log"))
        started = prometheus_config(folder, page, [f"127.0.0.1:{am}" for am in ams])
        command = ["prometheus", f"--config.file={started}", f"--storage.tsdb.path={folder / 'tsdb'}"]
        command += [f"--web.listen-address=127.0.0.1:{web}", "--rules.alert.resend-delay=500ms"]
        stack.enter_context(running(command, folder / "prometheus.log"))
        until(lambda: get(f"http://127.0.0.1:{port}/health"), lambda: (folder / "serve.log").read_text())
        # an alert that fires before Prometheus knows its Alertmanagers is lost until it is sent again
        known = f"http://127.0.0.1:{web}/api/v1/alertmanagers"
        until(lambda: len(json.loads(get(known))["data"]["activeAlertmanagers"]) == 2, "two Alertmanagers are known")
        yield page, f"http://127.0.0.1:{port}", server, folder


def incidents(url):
    return json.loads(get(f"{url}/incidents", token=SECRET))["incidents"]


def counter(url, name):
    return next(float(line.split()[-1]) for line in get(f"{url}/metrics").splitlines() if line.startswith(name))


def test_a_rule_that_fires_is_one_incident_from_its_page_to_its_end(pair):
    page, url, server, folder = pair
    duplicates = 'sre_webhook_notifications_total{result="duplicate"}'
    page.value = 1
    (opened,) = until(lambda: incidents(url), lambda: (folder / "serve.log").read_text())
    assert (opened["status"], opened["severity"], opened["origin"]) == ("open", "SEV2", "alertmanager")

    until(lambda: counter(url, duplicates) >= 4, "resends of both Alertmanagers")
    (same,) = incidents(url)
    assert same["events"] == opened["events"], "resends add nothing"

    page.value = 0
    until(lambda: incidents(url)[0]["status"] == "mitigated", "the end of the alert")
    (over,) = incidents(url)
    assert over["milestones"]["alerted"] < over["milestones"]["alert_reset"]

    server.send_signal(signal.SIGTERM)
    assert server.wait(10) == 0
    store = open_store(os.fspath(folder / "incidents.sqlite"))
    with contextlib.closing(store):
        case = store.case(opened["id"])
        assert not store.verify().problems
    assert [seen.state for seen in case.alerts] == ["firing", "resolved"]
    assert ("runbook", "runbooks/replica-crash.md") in {(link.rel, link.target) for link in case.links}
    assert ("runbook", f"runbooks/{ALERT}.md") in {(link.rel, link.target) for link in case.links}
    log = Path(folder / "serve.log").read_text()
    assert "POST /webhook 200" in log
    assert SECRET not in log
