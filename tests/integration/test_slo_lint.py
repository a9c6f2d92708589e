"""The live rules of `sre slo lint` against the real Prometheus, each triggered and not triggered.

One server holds 45 days of written history (promtool) beside what it scrapes from three vLLM-like pages: one with the
old metric names, one with the new ones, one with both. A second server keeps Prometheus's default of 15 days.
"""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from serving.fleet import observers
from serving.fleet.ports import free_ports
from sre.metrics.catalogue import AliasedSamples, Catalogue
from sre.metrics.opening import SourceSpec, open_source
from sre.metrics.selector import parse_selector
from sre.slo.lint import lint
from sre.slo.openslo import load_documents

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(observers.find_prometheus() is None, reason="Prometheus is absent: install Debian's package"),
]

DAY = 86400
OLD, NEW = "vllm:time_per_output_token_seconds", "vllm:inter_token_latency_seconds"
OLD_KV, NEW_KV = "vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"


def page(*, old, new, began):
    """A vLLM server's page: 100 gaps a second, 80 % within 0.1 s, 95 % within 0.2 s."""
    events = int(100 * (time.time() - began))
    lines = [
        "# TYPE engine_heat gauge",
        "engine_heat 3",
        "# TYPE vllm:request_success_total counter",
        f'vllm:request_success_total{{finished_reason="stop",model_name="tiny"}} {events}',
    ]
    for family, there in ((OLD, old), (NEW, new)):
        if there:
            lines.append(f"# TYPE {family} histogram")
            for bound, share in (("0.1", 0.8), ("0.2", 0.95), ("1.0", 0.99), ("+Inf", 1.0)):
                lines.append(f'{family}_bucket{{le="{bound}",model_name="tiny"}} {int(events * share)}')
            lines.append(f'{family}_count{{model_name="tiny"}} {events}')
            lines.append(f'{family}_sum{{model_name="tiny"}} {events * 0.07}')
    for name, there in ((OLD_KV, old), (NEW_KV, new)):
        if there:
            lines += [f"# TYPE {name} gauge", f'{name}{{model_name="tiny"}} 0.4']
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def exporting(**names):
    began = time.time()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = page(began=began, **names).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def counter(name, labels, per_hour, *, now, days=45.0, step_s=60.0):
    """OpenMetrics lines of a counter that grows evenly until now: every `step_s` for a day, every 2 h before."""
    recent = np.arange(now - min(days, 1) * DAY, now, step_s)
    older = np.arange(now - days * DAY, now - DAY, 7200.0) if days > 1 else np.empty(0)
    times = np.concatenate([older, recent])
    values = np.floor((times - times[0]) / 3600 * per_hour)
    return [f"{name}{{{labels}}} {value:.0f} {at:.0f}" for at, value in zip(times, values, strict=True)]


def history(now):
    """Counters of a busy, a quiet, a young and a rarely scraped service, and a histogram of the busy one."""
    one = 'job="app",instance="a:1"'
    families = {
        "busy": [('code="200"', 4e5, {}), ('code="500"', 40, {})],
        "quiet": [('code="200"', 60, {}), ('code="500"', 1, {})],
        "young": [('code="200"', 4e5, {"days": 2.0}), ('code="500"', 40, {"days": 2.0})],
        "rare": [('code="200"', 4e5, {"step_s": 400.0}), ('code="500"', 40, {"step_s": 400.0})],
    }
    for name, series in families.items():
        yield f"# TYPE {name} counter"
        for labels, per_hour, how in series:
            yield from counter(f"{name}_total", f"{one},{labels}", per_hour, now=now, **how)
    yield "# TYPE busy_seconds histogram"
    for bound, share in (("0.5", 0.90), ("2.0", 0.97), ("+Inf", 1.0)):
        yield from counter("busy_seconds_bucket", f'{one},le="{bound}"', 4e5 * share, now=now)
    yield from counter("busy_seconds_count", one, 4e5, now=now)
    yield from counter("busy_seconds_sum", one, 2e5, now=now)
    yield "# EOF"


@contextlib.contextmanager
def prometheus(folder, *arguments, targets=()):
    (port,) = free_ports(1)
    pages = "".join(f"      - targets: [{target!r}]\n" for target in targets)
    jobs = f"scrape_configs:\n  - job_name: vllm\n    static_configs:\n{pages}" if targets else ""
    (folder / "prometheus.yml").write_text(f"global: {{scrape_interval: 500ms, scrape_timeout: 400ms}}\n{jobs}")
    command = [
        *(observers.find_prometheus(), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--log.level=error", *arguments),
    ]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(lambda: is_ready(url))
        yield url
    finally:
        child.terminate()
        try:
            child.wait(20)
        finally:
            child.kill()


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the component did not come up"
        time.sleep(0.05)


def is_ready(url):
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:  # noqa: S310  (loopback)
            return answer.status == 200
    except OSError:
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of the server with history and three scraped pages, after some scrapes."""
    folder = tmp_path_factory.mktemp("history")
    text = folder / "history.om"
    text.write_text("\n".join(history(time.time())) + "\n")
    load = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=720h", str(text)]
    subprocess.run([*load, str(folder / "data")], check=True, stdout=subprocess.DEVNULL)
    with contextlib.ExitStack() as stack:
        kinds = ({"old": True, "new": False}, {"old": False, "new": True}, {"old": True, "new": True})
        targets = [stack.enter_context(exporting(**kind)) for kind in kinds]
        url = stack.enter_context(prometheus(folder, "--storage.tsdb.retention.time=100d", targets=targets))
        with open_source(SourceSpec(prometheus=url)) as source:
            old, new = parse_selector(f"{OLD}_count"), parse_selector(f"{NEW}_count")
            wait_for(lambda: min(scrapes(source, old), scrapes(source, new)) >= 4)
        yield url


def scrapes(source, selector):
    found = source.series(selector, start=time.time() - 60, end=time.time())
    return min((one.times.size for one in found), default=0) if len(found) == 2 else 0


@pytest.fixture
def source(server):
    with open_source(SourceSpec(prometheus=server)) as opened:
        yield opened


DOCUMENT = """\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: one, annotations: {{sre/runbook: "https://example.org/r"{annotations}}}}}
spec:
  service: llm
  indicator:
    metadata: {{name: sli}}
    spec:
      {measure}
  timeWindow: [{{duration: {period}, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives: [{{displayName: x, target: {target}{objective}}}]
"""


def metric(query):
    return f"{{metricSource: {{type: Prometheus, spec: {{query: '{query}'}}}}}}"


def ratio(total, *, good=None, bad=None, **words):
    side = f"good: {metric(good)}" if good else f"bad: {metric(bad)}"
    return {"measure": f"ratioMetric: {{counter: true, {side}, total: {metric(total)}}}", **words}


def level(query, **words):
    return {"measure": f"thresholdMetric: {metric(query)}", "objective": ", op: lte, value: 0.9", **words}


def app(name, **words):
    return ratio(f"{name}_total", bad=f'{name}_total{{code="500"}}', **words)


def latency(family, le, **words):
    return ratio(f"{family}_count", good=f'{family}_bucket{{le="{le}"}}', target=0.95, **words)


def findings(source, tmp_path, measure, *, target=0.999, period="30d", annotations="", objective=""):
    path = tmp_path / "one.yaml"
    text = DOCUMENT.format(measure=measure, target=target, period=period, annotations=annotations, objective=objective)
    path.write_text(text)
    return lint(load_documents([path]), source=source)


OFF = ', sre/min-bad-events: "1"'
CASES = [
    ("SLO003", app("rare"), app("busy")),
    ("SLO010", latency("busy_seconds", "1.0"), latency("busy_seconds", "2.0")),
    ("SLO010", latency(NEW, "0.15"), latency(NEW, "0.2")),
    ("SLO011", latency("busy_seconds", "2"), latency("busy_seconds", "2.0")),
    ("SLO020", app("bussy"), app("busy")),
    ("SLO022", level(OLD_KV), level(NEW_KV)),
    ("SLO023", ratio("busy_seconds_sum", bad='busy_seconds_count{job="app"}'), latency("busy_seconds", "0.5")),
    ("SLO023", ratio("busy_seconds", good='busy_seconds_bucket{le="0.5"}'), latency("busy_seconds", "0.5")),
    ("SLO023", ratio("engine_heat", bad='engine_heat{job="vllm"}'), app("busy")),
    ("SLO024", ratio("busy", bad='busy_total{code="500"}'), app("busy")),
    (
        "SLO030",
        ratio("vllm:request_success_total", bad='vllm:request_success_total{finished_reason="error"}'),
        app("busy"),
    ),
    ("SLO032", ratio("busy_total", bad='busy_total{status="500"}'), app("busy")),
    ("SLO033", ratio("busy_total", bad='busy_total{code="503"}'), ratio("busy_total", bad='busy_total{code=~"5.."}')),
    ("SLO050", app("busy", period="120d"), app("busy", period="90d")),
    ("SLO051", app("young"), app("busy")),
    ("SLO060", app("quiet"), app("busy")),
    ("SLO061", app("quiet", annotations=OFF), app("busy", annotations=OFF)),
]


@pytest.mark.parametrize(("rule", "wrong", "right"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
def test_each_live_rule_finds_what_it_is_for_and_nothing_else(source, tmp_path, rule, wrong, right):
    assert rule in {one.rule for one in findings(source, tmp_path, **wrong)}
    assert rule not in {one.rule for one in findings(source, tmp_path, **right)}


def test_what_works_has_no_findings(source, tmp_path):
    assert findings(source, tmp_path, **app("busy")) == ()
    assert findings(source, tmp_path, **latency("busy_seconds", "2.0")) == ()


def test_the_band_is_measured_from_the_servers_samples(source, tmp_path):
    (found,) = [one for one in findings(source, tmp_path, **latency("busy_seconds", "1.0")) if one.rule == "SLO010"]
    assert "between the source's bounds 0.5 and 2" in found.what
    assert "7.00% of the last 6 h's events lie there" in found.what


def test_the_default_retention_is_too_short_for_a_month(tmp_path):
    with prometheus(tmp_path) as url, open_source(SourceSpec(prometheus=url)) as young:
        found = {one.what for one in findings(young, tmp_path, **app("busy")) if one.rule == "SLO050"}
        assert found == {"the period is 30 d; the source keeps 15 d"}
        assert "SLO050" not in {one.rule for one in findings(young, tmp_path, **app("busy", period="14d"))}


def test_a_rolling_upgrade_counts_every_instance_once(source):
    """Three instances: old names, new names, both. Each shows about 100 gaps a second, whichever name is asked for."""
    aliased = AliasedSamples(source, Catalogue.shipped())
    end = time.time()
    for name in (OLD, NEW):
        found = aliased.series(parse_selector(f"{name}_count"), start=end - 30, end=end)
        assert len({one.id.label("instance") for one in found}) == len(found) == 3
        assert {one.id.name for one in found} == {f"{name}_count"}
        assert all(np.all(np.diff(one.times) > 0) and np.all(np.diff(one.values) >= 0) for one in found)
    assert aliased.label_values(f"{NEW}_bucket", "le") == source.label_values(f"{OLD}_bucket", "le")
