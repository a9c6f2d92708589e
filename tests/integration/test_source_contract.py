"""One set of samples held by every kind of source: each must give the same answers, the real Prometheus included.

Prometheus 2 and 3 differ in the ends of a range. The 3.x binary is looked for in $SRE_PROMETHEUS3 and as `prometheus3`.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import subprocess
import threading
import time
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from struct import pack

import numpy as np
import pytest

from serving.fleet.observers import find_prometheus
from serving.fleet.ports import free_ports
from sre.metrics.compaction import Compactor
from sre.metrics.export import write_csv, write_openmetrics, write_parquet
from sre.metrics.exposition import SampleId
from sre.metrics.model import Series, SeriesId, SourceFacts
from sre.metrics.opening import SourceSpec, open_source
from sre.metrics.segments import SegmentWriter
from sre.metrics.selector import parse_selector, series_filter
from sre.metrics.targets import Target
from sre.slo.counters import event_curve

pytestmark = pytest.mark.integration

T0 = 1_700_000_000.0
LONG = 12_500
WEIRD = 'a b\\c"d\ne,f{g}="\u00e9\u4e16"}'


@dataclass(frozen=True)
class Held:
    """A series of one target; `target` is its number."""

    name: str
    labels: dict[str, str]
    target: int
    times: list[float]
    values: list[float]

    @property
    def id(self):
        own = {**self.labels, "job": "gateway", "instance": f"127.0.0.1:{self.target}"}
        return SeriesId(self.name, tuple(sorted(own.items())))


def grid(count, step, start=0.0):
    return [T0 + start + step * k for k in range(count)]


def counted(name, target, times, **labels):
    return Held(name, labels, target, times, [float(k) for k in range(len(times))])


MINUTES = grid(40, 30)
OUTAGE = [t for t in MINUTES if not T0 + 300 <= t < T0 + 600]
HELD = (
    Held("reset_total", {}, 1, MINUTES, [float(k % 17) for k in range(40)]),
    Held("born_total", {"outcome": "ok"}, 1, MINUTES, [5.0 * k for k in range(40)]),
    Held("born_total", {"outcome": "error"}, 1, MINUTES[20:], [3.0 + k for k in range(20)]),
    Held("nan_total", {}, 1, MINUTES[:5], [1.0, 2.0, math.nan, math.inf, 5.0]),
    Held("leaves", {}, 1, MINUTES[:8] + MINUTES[30:], [1.0] * 18),
    Held("fraction", {}, 1, MINUTES[:4], [0.1, 1e-9, -2.5e20, 123456789.125]),
    counted("outage_total", 2, OUTAGE),
    counted("long_total", 3, grid(LONG, 5)),
    counted("two_total", 4, grid(50, 15), side="left"),
    counted("two_total", 5, grid(50, 20, 7.5), side="right"),
    *(counted("m", 6, grid(3, 60), **labels) for labels in ({"a": "x"}, {"a": "xy"}, {"b": "x"}, {"a": "x", "b": "y"})),
    counted("weird", 6, grid(3, 60), path=WEIRD),
    *(counted("h_seconds_bucket", 6, grid(3, 60), le=le) for le in ("0.5", "1", "2.5", "1e+06", "+Inf")),
)
SCRAPED = {
    number: sorted(
        {t for one in HELD if one.target == number for t in one.times} | (set(MINUTES) if number == 2 else set())
    )
    for number in range(1, 7)
}
UP = tuple(
    Held("up", {}, number, times, [0.0 if number == 2 and t not in OUTAGE else 1.0 for t in times])
    for number, times in SCRAPED.items()
)
ALL = tuple(Series(one.id, np.array(one.times), np.array(one.values)) for one in (*HELD, *UP))


class InMemory:
    """The obvious source: a list, looked through."""

    name = "memory"

    def series(self, selector, *, start, end):
        wanted = series_filter(selector)
        found = []
        for one in ALL:
            kept = (one.times > start) & (one.times <= end) & np.isfinite(one.values)
            if wanted(one.id) and kept.any():
                found.append(Series(one.id, one.times[kept], one.values[kept]))
        return sorted(found, key=lambda one: (one.id.name, one.id.labels))


def record(folder):
    """What the recorder would have written."""
    targets = [Target("gateway", f"http://127.0.0.1:{number}/metrics") for number in SCRAPED]
    pages = defaultdict(dict)
    for one in HELD:
        for at, value in zip(one.times, one.values, strict=True):
            pages[at, one.target][SampleId(one.name, tuple(sorted(one.labels.items())))] = value
    writer = SegmentWriter(folder, targets, interval_s=5, segment_s=600, retention_s=86400)
    for at, number in sorted((at, number) for number, times in SCRAPED.items() for at in times):
        writer.advance(at)
        if (at, number) in pages:
            writer.scraped(at, number - 1, pages[at, number])
        else:
            writer.failed(at, number - 1, "refused")
    writer.close()
    return folder


@contextlib.contextmanager
def memory(folder):
    yield InMemory()


@contextlib.contextmanager
def recorder(folder):
    with open_source(SourceSpec(path=record(folder / "samples"))) as source:
        yield source


@contextlib.contextmanager
def recorder_blocks(folder):
    samples = record(folder / "samples")
    Compactor(samples, interval_s=1).run(T0 + 40_000)
    assert len(list(samples.glob("*.block"))) > 5
    assert len(list(samples.glob("*.jsonl"))) > 5
    with open_source(SourceSpec(path=samples)) as source:
        yield source


@contextlib.contextmanager
def extract(folder):
    with recorder_blocks(folder) as source:
        source.extract(folder / "samples.jsonl", start=T0, end=T0 + 5 * LONG)
    with open_source(SourceSpec(path=folder / "samples.jsonl")) as source:
        yield source


def written(write, name):
    @contextlib.contextmanager
    def opened(folder):
        write(ALL, folder / name)
        with open_source(SourceSpec(path=folder / name)) as source:
            yield source

    return opened


@contextlib.contextmanager
def parquet_folder(folder):
    for name in {one.id.name for one in ALL}:
        write_parquet([one for one in ALL if one.id.name == name], folder / f"{name}.parquet")
    with open_source(SourceSpec(path=folder)) as source:
        yield source


def binary_of(version):
    if version == 2:
        return find_prometheus()
    return os.environ.get("SRE_PROMETHEUS3") or shutil.which("prometheus3")


def need(version):
    binary = binary_of(version)
    if binary is None:
        package = "Debian's prometheus" if version == 2 else "Debian sid's prometheus 3.x, see $SRE_PROMETHEUS3"
        pytest.skip(f"Prometheus {version} is absent: install {package}")
    return str(binary)


@contextlib.contextmanager
def serving(version, folder, *, config="global: {}\n", data=None, features=()):
    (port,) = free_ports(1)
    (folder / "prometheus.yml").write_text(config)
    command = [need(version), f"--config.file={folder / 'prometheus.yml'}", f"--web.listen-address=127.0.0.1:{port}"]
    command += [f"--storage.tsdb.path={data or folder / 'data'}", "--storage.tsdb.retention.time=100y", *features]
    with (folder / "prometheus.log").open("wb") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_for(lambda: is_ready(f"http://127.0.0.1:{port}"), what=(folder / "prometheus.log").read_text)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        try:
            child.wait(20)
        finally:
            child.kill()


def wait_for(condition, seconds=30.0, what=lambda: "the component did not come up"):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.05)


def is_ready(url):
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:  # noqa: S310  (loopback)
            return answer.status == 200
    except OSError:
        return False


def prometheus(version):
    @contextlib.contextmanager
    def opened(folder):
        need(version)
        promtool = shutil.which("promtool")
        if promtool is None:
            pytest.skip("promtool is absent: install Debian's prometheus")
        write_openmetrics(ALL, folder / "history.om")
        command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=720h", "-q"]
        subprocess.run([*command, str(folder / "history.om"), str(folder / "data")], check=True, capture_output=True)
        with serving(version, folder) as url, open_source(SourceSpec(prometheus=url)) as source:
            yield source

    return opened


KINDS = {
    "memory": memory,
    "recorder": recorder,
    "recorder-blocks": recorder_blocks,
    "extract": extract,
    "openmetrics": written(write_openmetrics, "history.om"),
    "openmetrics-gz": written(write_openmetrics, "history.om.gz"),
    "csv": written(write_csv, "history.csv"),
    "csv-gz": written(write_csv, "history.csv.gz"),
    "parquet": written(write_parquet, "history.parquet"),
    "parquet-folder": parquet_folder,
    "prometheus2": prometheus(2),
    "prometheus3": prometheus(3),
}


@pytest.fixture(scope="module", params=KINDS)
def source(request, tmp_path_factory):
    with KINDS[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        yield opened


def ask(source, selector, start=-1.0, end=5.0 * LONG):
    return source.series(parse_selector(selector), start=T0 + start, end=T0 + end)


def only(source, selector, start=-1.0, end=5.0 * LONG):
    (one,) = ask(source, selector, start, end)
    return one


def assert_same(found, expected):
    assert [one.id for one in found] == [one.id for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.times.dtype == one.values.dtype == np.float64
        np.testing.assert_array_equal(one.times, other.times)
        np.testing.assert_array_equal(one.values, other.values)


def held(name, **labels):
    (one,) = (one for one in ALL if one.id.name == name and labels.items() <= dict(one.id.labels).items())
    return one


SELECTORS = [
    "reset_total",
    "born_total",
    'born_total{outcome="error"}',
    "nan_total",
    "leaves",
    "fraction",
    "outage_total",
    "two_total",
    "up",
    "weird",
    "nothing_total",
    'm{a="x"}',
    'm{a!="x"}',
    'm{a=~"x.*"}',
    'm{a!~"xy?"}',
    'm{a=""}',
    'm{a!="",b=""}',
    'm{a=~"x|",b=~".+"}',
    'm{a="nothing"}',
    'm{instance="127.0.0.1:6",absent!="x"}',
    'h_seconds_bucket{le=~"0.5|2.5"}',
]


@pytest.mark.parametrize("selector", SELECTORS)
def test_every_source_answers_as_the_obvious_one(source, selector):
    assert_same(ask(source, selector), ask(InMemory(), selector))


RANGES = [
    (0, 300),
    (-0.001, 300),
    (0.001, 299.999),
    (29.9995, 30.0004),
    (30, 30),
    (60, 30),
    (99, 99.5),
    (-9e8, -8e8),
    (9e5, 9.1e5),
]


@pytest.mark.parametrize(("start", "end"), RANGES)
def test_ranges_are_open_on_the_left_and_closed_on_the_right(source, start, end):
    for selector in ("reset_total", "two_total", "up"):
        assert_same(ask(source, selector, start, end), ask(InMemory(), selector, start, end))


def test_more_points_than_query_range_gives_and_none_twice_at_a_seam(source):
    one = only(source, "long_total")
    assert one.times.size == LONG > 11_000
    assert np.all(np.diff(one.times) == 5)
    assert one.values.tolist() == list(range(LONG))


@pytest.mark.parametrize("width", [3600, 7200, 5400])
def test_neighbouring_ranges_add_up(source, width):
    """Edges that fall on samples, and on the seams of chunks, segments and blocks."""
    parts = [ask(source, "long_total", start, start + width) for start in range(0, 5 * LONG, width)]
    times = np.concatenate([one.times for part in parts for one in part])
    np.testing.assert_array_equal(times, held("long_total").times[1:])


def test_a_restart_and_a_birth_count_the_same(source):
    up = ask(source, 'up{instance="127.0.0.1:1"}')
    assert event_curve(ask(source, "reset_total"), up=up).counts[-1] == 16 * 2 + 5
    assert event_curve(ask(source, 'born_total{outcome="error"}'), up=up).counts[-1] == 22


def test_a_failed_scrape_is_a_gap_and_up_says_so(source):
    one, up = only(source, "outage_total"), only(source, 'up{instance="127.0.0.1:2"}')
    assert not np.any((one.times >= T0 + 300) & (one.times < T0 + 600))
    assert up.times[up.values == 0].tolist() == [t for t in MINUTES if T0 + 300 <= t < T0 + 600]


def test_a_series_that_left_is_not_carried_on(source):
    assert only(source, "leaves").times.tolist() == MINUTES[:8] + MINUTES[30:]
    assert ask(source, "leaves", 241, 899) == []


def test_labels_keep_every_character(source):
    assert only(source, "weird").id.label("path") == WEIRD
    literal = parse_selector("weird").name
    assert only(source, f"{literal}{{path={quoted(WEIRD)}}}").times.size == 3


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@pytest.mark.parametrize("spelling", ["1", "1.0", "1.00", "1e0"])
def test_a_bucket_bound_is_a_number(source, spelling):
    if source.name == "memory":
        pytest.skip("the obvious source keeps labels as they are")
    assert only(source, f'h_seconds_bucket{{le="{spelling}"}}').id.label("le") == "1.0"
    others = ask(source, f'h_seconds_bucket{{le!="{spelling}"}}')
    assert [one.id.label("le") for one in others] == ["+Inf", "0.5", "1e+06", "2.5"]


def test_it_knows_what_it_holds(source):
    if source.name == "memory":
        pytest.skip("the obvious source knows nothing of itself")
    assert isinstance(source, SourceFacts)
    assert source.metric_names() == {one.id.name for one in ALL}
    assert source.bucket_bounds("h_seconds") == (0.5, 1.0, 2.5, 1e6)
    assert source.bucket_bounds("long") == ()
    assert source.label_values("m", "a") == {"x", "xy"}
    assert source.label_values("m", "absent") == source.label_values("absent", "a") == frozenset()
    assert source.retention_s() >= 5 * (LONG - 1)
    version = source.version()
    assert version is None if source.name != "prometheus" else version[0] in "23"


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """One protobuf field: an int as varint, a float as double, anything else length-delimited."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 1) + pack("<d", value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def zigzag(number):
    return number * 2 if number >= 0 else -number * 2 - 1


def native_page(count):
    """io.prometheus.client.MetricFamily with one native histogram: a scrape adds 1 near 0, 2 in (1, 2], 1 in (4, 8]."""
    spans = field(12, field(1, zigzag(1)) + field(2, 1)) + field(12, field(1, zigzag(1)) + field(2, 1))
    deltas = field(13, zigzag(2 * count)) + field(13, zigzag(count - 2 * count))
    shape = field(5, zigzag(0)) + field(6, 0.001) + field(7, count)
    histogram = field(1, 4 * count) + field(2, 9.0 * count) + shape + spans + deltas
    family = field(1, "native_seconds") + field(3, 4) + field(4, field(7, histogram))
    return varint(len(family)) + family


@contextlib.contextmanager
def exporting_native():
    scrapes = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            scrapes.append(1)
            self.send_response(200)
            kind = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(native_page(len(scrapes)))

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("version", [2, 3])
def test_native_histograms_of_the_real_server(version, tmp_path):
    need(version)
    with exporting_native() as port:
        config = (
            "global: {scrape_interval: 500ms, scrape_timeout: 400ms}\n"
            f"scrape_configs: [{{job_name: native, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
        )
        features = ("--enable-feature=native-histograms",)
        with (
            serving(version, tmp_path, config=config, features=features) as url,
            open_source(SourceSpec(prometheus=url)) as source,
        ):
            selector, since = parse_selector('native_seconds{job="native"}'), time.time() - 60

            def histograms():
                return source.histograms(selector, start=since, end=time.time())

            wait_for(lambda: histograms() and histograms()[0].times.size >= 3)
            (found,) = histograms()
            assert source.series(selector, start=since, end=time.time()) == []
    counts = found.totals / 4
    assert np.all(np.diff(counts) == 1)
    for i, count in enumerate(counts):
        assert found.bounds[i].tolist() == [0.001, 2, 8]
        assert found.lowers[i].tolist() == [-0.001, 1, 4]
        assert found.counts[i].tolist() == [count, 2 * count, count]
    assert found.id.label("job") == "native"
