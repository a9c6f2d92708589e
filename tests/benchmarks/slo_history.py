"""A made-up history of counters with everything real ones do, and a real Prometheus that holds it.

Five services of two instances; each instance counts `outcome="ok"` and `outcome="error"`: 20 series. In them: restarts,
scrapes lost one by one, outages of an hour, error series born at the first error and with a value, a service with few
requests, incidents that every tier can see. Scrapes are a constant interval apart with some milliseconds of jitter.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np

from sre.metrics.model import Matcher, Selector, Series, SeriesId
from sre.slo.backtest.model import Label
from sre.slo.model import RatioSli, Slo

DAY_S = 86400
START = 1_760_000_040.0  # a whole minute
METRIC = "http_requests_total"
SERVICES = (("chat", 40.0), ("embed", 12.0), ("search", 3.0), ("batch", 0.4), ("admin", 0.02))  # requests a second


def prometheus_3():
    """The binary of a Prometheus 3, or None: named by SRE_PROMETHEUS3, or `prometheus3` on the path."""
    return os.environ.get("SRE_PROMETHEUS3") or shutil.which("prometheus3")


def slo_of(service, *, target=0.999, period_s=30 * DAY_S):
    job = Matcher("service", "=", service)
    total = (Selector(METRIC, (job,)),)
    bad = (Selector(METRIC, (job, Matcher("outcome", "=", "error"))),)
    return Slo(
        name=f"{service}-availability",
        title=f"{service} answers",
        description="",
        service=service,
        target=target,
        period_s=period_s,
        sli=RatioSli(total=total, bad=bad),
        path="generated",
    )


def history(*, days, step_s=30.0, seed=7, services=SERVICES):
    """The series of every service over (START, START + days], by service and instance."""
    return labelled_history(days=days, step_s=step_s, seed=seed, services=services)[0]


def labelled_history(*, days, step_s=30.0, seed=7, services=SERVICES):
    """(series, labels of the incidents in them)."""
    random = np.random.default_rng(seed)
    found, labels = [], []
    for service, rate in services:
        incidents = _incidents(random, days)
        labels += [
            Label(START + at, START + at + length, f"{share:.1%} errors", slo_of(service).name, _severity(share))
            for at, length, share in incidents
        ]
        for instance in ("a", "b"):
            found += _instance(random, service, instance, rate / 2, incidents, days * DAY_S, step_s)
    return found, labels


def _severity(share):
    return "page" if share > 0.01 else "ticket"


def _incidents(random, days):
    """(start, length, error ratio): one every two days or so, from a blip to a slow burn."""
    kinds = ((300.0, 0.6), (1800.0, 0.05), (4 * 3600.0, 0.012), (20 * 3600.0, 0.004))
    count = max(3, days // 2)
    starts = np.sort(random.uniform(0.05, 0.9, count)) * days * DAY_S
    return [(at, *kinds[i % len(kinds)]) for i, at in enumerate(starts)]


def _instance(random, service, instance, rate, incidents, span_s, step_s):
    count = int(span_s / step_s)
    at = START + random.uniform(0, step_s) + step_s * np.arange(count) + random.integers(-4, 5, count) / 1000
    at = np.round(at, 3)
    ratio = np.full(count, 0.0003)
    for begin, length, share in incidents:
        ratio[(at > START + begin) & (at <= START + begin + length)] = share
    daily = 1 + 0.6 * np.sin(2 * np.pi * (at - START) / DAY_S)
    requests = random.poisson(rate * step_s * daily)
    errors = random.binomial(requests, ratio)
    restarts = np.sort(random.choice(count, max(1, int(span_s / DAY_S / 3)), replace=False))
    scraped = random.random(count) > 0.002
    for gap in random.choice(count, max(1, int(span_s / DAY_S / 10)), replace=False):
        scraped[gap : gap + int(3600 / step_s)] = False
    made = []
    for outcome, events in (("error", errors), ("ok", requests - errors)):
        values = _counter(events, restarts)
        shown = scraped & (
            values > 0 if outcome == "error" else True
        )  # born with its first error, again after a restart
        labels = (("instance", instance), ("outcome", outcome), ("service", service))
        made.append(Series(SeriesId(METRIC, labels), at[shown], values[shown]))
    return made


def _counter(events, restarts):
    counted = np.cumsum(events).astype(np.float64)
    for restart in restarts:
        counted[restart:] -= counted[restart - 1] if restart else 0.0
    return counted


class Memory:
    """A SampleSource over a history."""

    name = "memory"

    def __init__(self, series):
        self.all = series

    def series(self, selector, *, start, end):
        from sre.metrics.selector import series_filter

        wanted = series_filter(selector)
        found = []
        for one in self.all:
            if wanted(one.id):
                inside = (one.times > start) & (one.times <= end)
                if inside.any():
                    found.append(Series(one.id, one.times[inside], one.values[inside]))
        return found


def write_openmetrics(series, path):
    with path.open("w") as out:
        out.write(f"# TYPE {METRIC.removesuffix('_total')} counter\n")
        for one in series:
            labels = ",".join(f'{name}="{value}"' for name, value in one.id.labels)
            head = f"{METRIC}{{{labels}}} "
            out.writelines(
                f"{head}{value:.0f} {at:.3f}\n"
                for at, value in zip(one.times.tolist(), one.values.tolist(), strict=True)
            )
        out.write("# EOF\n")


@contextlib.contextmanager
def prometheus_with(series, folder, *, binary="prometheus"):
    """The URL of a Prometheus that holds the series, for as long as the block lasts."""
    from serving.fleet.ports import free_ports

    folder.mkdir(parents=True, exist_ok=True)
    write_openmetrics(series, folder / "history.txt")
    blocks = folder / "data"
    promtool = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=720h"]
    subprocess.run([*promtool, str(folder / "history.txt"), str(blocks)], check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("global: {}\n")
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    command = [
        binary,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={blocks}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        "--query.max-samples=500000000",
    ]
    with (folder / "log").open("w") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(url, child)
        yield url, child.pid
    finally:
        child.terminate()
        child.wait(30)


def _wait(url, child):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert child.poll() is None, "Prometheus ended at once"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:  # noqa: S310
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise AssertionError("Prometheus did not come up")


def query_range(url, query, times):
    """The one series the query has at `times` (evenly spaced); NaN where it has no sample."""
    values = np.full(times.size, np.nan)
    step = float(times[1] - times[0])
    for begin in range(0, times.size, 10_000):  # it refuses more than 11,000 points
        part = times[begin : begin + 10_000]
        form = {"query": query, "start": part[0], "end": part[-1], "step": step}
        with urllib.request.urlopen(f"{url}/api/v1/query_range", urllib.parse.urlencode(form).encode()) as answer:  # noqa: S310
            result = json.load(answer)["data"]["result"]
        assert len(result) <= 1
        for at, text in result[0]["values"] if result else ():
            values[round((float(at) - times[0]) / step)] = float(text)
    return values


def condition(service, factor, long_s, short_s, *, budget=0.001):
    """A two-window condition as a rule would have it: its samples are the minutes in which it holds."""

    def ratio(window_s):
        bad = f'sum(increase({METRIC}{{service="{service}",outcome="error"}}[{window_s:.0f}s]))'
        return f'{bad} / sum(increase({METRIC}{{service="{service}"}}[{window_s:.0f}s]))'

    threshold = repr(factor * budget * (1 - 1e-9))
    return f"({ratio(long_s)} >= {threshold}) and ({ratio(short_s)} >= {threshold})"


def folder_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def write_service(name, folder, seed, days):
    """One service's month as a Parquet file: an instance that counts errors and successes."""
    from sre.metrics.export import write_parquet

    rate = float(np.random.default_rng(seed).choice([0.05, 1.0, 20.0, 200.0]))
    series = history(days=days, seed=seed, services=((name, rate),))
    write_parquet([one for one in series if one.id.label("instance") == "a"], folder / f"{name}.parquet")
