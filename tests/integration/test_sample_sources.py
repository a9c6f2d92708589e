"""One script of counters, watched by our recorder and by the real Prometheus at once: both must tell the same story.

The script holds what real platforms do: a labelled series born with the first error, a restart from zero, an outage of
the exporter. Configurations are those the platform's supervisor writes.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from serving.fleet import observers
from serving.fleet.observers import ScrapeTarget
from serving.fleet.ports import free_ports
from sre.metrics.files import RecordedSamples
from sre.metrics.prometheus import PrometheusSamples
from sre.metrics.selector import parse_selector, parse_sum
from sre.slo.counters import event_curve
from sre.slo.evaluate import evaluate
from sre.slo.model import DrillClock, RatioSli, Slo
from sre.slo.sli import quantile_over, ratio_over

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(observers.find_prometheus() is None, reason="Prometheus is absent: install Debian's package"),
]

INTERVAL_S = 0.5
RATE, ERROR_RATE = 40, 20  # events a second
ERRORS_FROM_S, ERRORS_UNTIL_S, RESTART_S, DARK_FROM_S, DARK_UNTIL_S, END_S = 2.2, 4.2, 5.7, 7.1, 9.1, 11.0
STEP = INTERVAL_S + 0.25  # a scrape interval, and what a busy machine may add to it


@dataclass
class Script:
    """Counters as a function of time since `started`; before that they stand at 0."""

    started: float

    def page(self, now: float) -> str | None:
        t = max(now - self.started, 0.0)
        if DARK_FROM_S <= t < DARK_UNTIL_S:
            return None
        since = RESTART_S if t >= RESTART_S else 0.0
        ok, errors = int(RATE * (t - since)), self.errors(t)
        lines = [f'sre_gateway_requests_total{{outcome="ok"}} {ok}']
        if errors and t < RESTART_S:
            lines.append(f'sre_gateway_requests_total{{outcome="error"}} {errors}')
        for bound, share in (("0.1", 0.5), ("1.0", 0.9), ("+Inf", 1.0)):
            lines.append(f'sre_gateway_ttft_seconds_bucket{{le="{bound}"}} {int(ok * share)}')
        return "# TYPE sre_gateway_requests_total counter\n" + "\n".join(lines) + "\nignored_total 1\n"

    @staticmethod
    def errors(t: float) -> int:
        return int(ERROR_RATE * (min(t, ERRORS_UNTIL_S) - ERRORS_FROM_S)) if t > ERRORS_FROM_S else 0


@contextlib.contextmanager
def exporting(script):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            page = script.page(time.time())
            self.send_response(503 if page is None else 200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write((page or "").encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/metrics"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def process(command):
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield child
    finally:
        child.terminate()
        try:
            child.wait(20)
        finally:
            child.kill()


def wait_for(condition, seconds=30.0):
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


@dataclass
class Recording:
    started: float
    sources: dict


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Runs the whole script once, watched by both."""
    folder = tmp_path_factory.mktemp("watch")
    samples, (port,) = folder / "samples", free_ports(1)
    url = f"http://127.0.0.1:{port}"
    script = Script(started=time.time() + 3600)
    with exporting(script) as page:
        targets = [ScrapeTarget("gateway", page, (("replica", "llm-0"),))]
        (folder / "prometheus.yml").write_text(observers.prometheus_config(interval_s=INTERVAL_S))
        (folder / observers.TARGETS_FILE).write_text(observers.prometheus_targets(targets))
        config = folder / "recorder.json"
        config.write_text(observers.recorder_config(targets, directory=samples, interval_s=INTERVAL_S))
        recorder = [sys.executable, "-m", "sre.metrics.recorder", "--config", str(config)]
        prometheus = observers.prometheus_argv(observers.find_prometheus(), directory=folder, port=port)
        with process(recorder), process(prometheus):
            wait_for(lambda: is_ready(url))
            sources = {"scraper": RecordedSamples(samples), "prometheus": PrometheusSamples(url)}
            up = parse_selector("up")
            wait_for(samples.is_dir)
            wait_for(lambda: all(s.series(up, start=time.time() - 60, end=time.time()) for s in sources.values()))
            script.started = time.time() + 1.0
            time.sleep(1.0 + END_S + 2 * INTERVAL_S)
            yield Recording(script.started, sources)
            sources["prometheus"].close()


@pytest.fixture(params=["scraper", "prometheus"])
def source(recording, request):
    return recording.sources[request.param]


def read(source, recording, selector, start=-0.5, end=END_S):
    found = source.series(parse_selector(selector), start=recording.started + start, end=recording.started + end)
    return found, [one.times - recording.started for one in found]


def increase(source, recording, selector, start, end):
    series, _ = read(source, recording, selector, start=-0.9)
    up, _ = read(source, recording, "up", start=-0.9)
    curve = event_curve(series, up=up)
    return curve.between(recording.started + start, recording.started + end)


def test_series_carry_the_same_labels(recording):
    everything = parse_selector('sre_gateway_requests_total{outcome=~"ok|error"}')
    seen = {
        name: [one.id for one in source.series(everything, start=recording.started, end=recording.started + END_S)]
        for name, source in recording.sources.items()
    }
    assert seen["scraper"] == seen["prometheus"]
    assert [dict(one.labels)["outcome"] for one in seen["scraper"]] == ["error", "ok"]


def test_scrapes_follow_the_interval(source, recording):
    _, (times,) = read(source, recording, "up")
    assert abs(len(times) - (END_S + 0.5) / INTERVAL_S) <= 3
    assert np.median(np.diff(times)) == pytest.approx(INTERVAL_S, abs=0.05)


def test_values_are_those_the_exporter_showed(source, recording):
    (series,), (times,) = read(source, recording, 'sre_gateway_requests_total{outcome="ok"}', start=0, end=RESTART_S)
    shown = RATE * times
    assert np.all(series.values >= shown - 2)
    assert np.all(series.values <= shown + RATE * 0.4)


def test_an_outage_leaves_a_gap_and_up_says_so(source, recording):
    (up,), (times,) = read(source, recording, "up")
    dark = (times > DARK_FROM_S + 0.1) & (times < DARK_UNTIL_S - 0.1)
    assert dark.any()
    assert set(up.values[dark]) == {0}
    assert set(up.values[times < DARK_FROM_S - 0.4]) == {1}
    assert read(source, recording, "sre_gateway_requests_total", DARK_FROM_S + 0.4, DARK_UNTIL_S)[0] == []


def test_ranges_are_open_on_the_left_and_closed_on_the_right(source, recording):
    (whole,), _ = read(source, recording, "up")
    first, last = whole.times[2], whole.times[6]
    (part,) = source.series(parse_selector("up"), start=first, end=last)
    assert part.times.tolist() == whole.times[3:7].tolist()


def test_nothing_matching_is_an_empty_list(source, recording):
    assert read(source, recording, 'sre_gateway_requests_total{outcome="cancelled"}')[0] == []
    assert read(source, recording, "no_such_metric")[0] == []


@pytest.mark.parametrize("window", [(0, 2), (1, 5), (0, RESTART_S - 0.1), (DARK_UNTIL_S + STEP, 10.8)])
def test_increases_are_the_scripts_within_one_scrape(source, recording, window):
    start, end = window
    seen = increase(source, recording, 'sre_gateway_requests_total{outcome="ok"}', start, end)
    assert seen == pytest.approx(RATE * (end - start), abs=RATE * STEP)


def test_a_restart_loses_at_most_one_scrape(source, recording):
    seen = increase(source, recording, 'sre_gateway_requests_total{outcome="ok"}', 0, 7)
    assert RATE * (7 - 2 * STEP) <= seen <= RATE * (7 + STEP)


def test_an_outage_of_the_exporter_loses_nothing(source, recording):
    seen = increase(source, recording, 'sre_gateway_requests_total{outcome="ok"}', 6.5, 10.5)
    assert seen == pytest.approx(RATE * 4, abs=RATE * STEP)


def test_errors_are_counted_from_the_first(source, recording):
    seen = increase(source, recording, 'sre_gateway_requests_total{outcome="error"}', 0, RESTART_S)
    assert seen == int(ERROR_RATE * (ERRORS_UNTIL_S - ERRORS_FROM_S))


def test_the_sources_agree_on_every_window(recording):
    for start in np.arange(0, 9, 0.7):
        for width in (1.0, 2.5):
            ours, theirs = (
                increase(source, recording, "sre_gateway_requests_total", start, start + width)
                for source in recording.sources.values()
            )
            resets = start < RESTART_S + STEP and start + width > RESTART_S - STEP
            # in the dark a window holds what the next good scrape brings, all or nothing
            dark = start < DARK_UNTIL_S + STEP and start + width > DARK_FROM_S - STEP
            if not dark:
                assert abs(ours - theirs) <= (RATE + ERROR_RATE) * STEP * (2 if resets else 1), (start, width)


def test_an_slo_is_judged_the_same_through_both(recording):
    sli = RatioSli(
        total=parse_sum('sre_gateway_requests_total{outcome=~"ok|error"}'),
        bad=parse_sum('sre_gateway_requests_total{outcome="error"}'),
    )
    slo = Slo("a", "A", "", "gateway", 0.999, 28 * 86400.0, sli, "slo/a.yaml")
    ours, theirs = (
        evaluate(
            slo,
            source,
            start=recording.started,
            end=recording.started + RESTART_S,
            clock=DrillClock(60),
            step_s=INTERVAL_S,
        )
        for source in recording.sources.values()
    )
    assert ours.total - ours.good == theirs.total - theirs.good == 40
    assert ours.error_ratio == pytest.approx(theirs.error_ratio, rel=STEP / RESTART_S)
    assert [a.tier for a in ours.alerts] == [a.tier for a in theirs.alerts] != []
    for mine, other in zip(ours.alerts, theirs.alerts, strict=True):
        assert mine.fired_at == pytest.approx(other.fired_at, abs=STEP)


def test_current_values_agree(recording):
    sli = RatioSli(
        total=parse_sum("sre_gateway_requests_total"), bad=parse_sum('sre_gateway_requests_total{outcome="error"}')
    )
    end = recording.started + 5
    for source in recording.sources.values():
        good, total = ratio_over(source, sli, end=end, window_s=4.9)
        assert total - good == 40
        median = quantile_over(source, "sre_gateway_ttft_seconds", 0.5, end=end, window_s=4)
        assert median == pytest.approx(0.1, abs=0.02)
