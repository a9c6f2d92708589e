"""Generated rules before Prometheus's own judges: promtool, amtool, and a Prometheus that holds a history.

The history is five days of one service: a baseline of errors, an outage, a spike, a slow burn, a restart, scrapes lost,
and a labelled series that is born with its first errors. Our alerts over it are compared with what Sloth's
getting-started example asks (windows and factors of github.com/slok/sloth, examples/getting-started.yml) and with our
own evaluator.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import time
import urllib.parse
import urllib.request
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from serving.fleet.ports import free_ports
from sre.metrics.catalogue import Catalogue
from sre.metrics.model import Series, SeriesId
from sre.metrics.selector import parse_sum, series_filter
from sre.slo.evaluate import evaluate
from sre.slo.model import REAL_TIME, JointSli, RatioSli, RawSli, Slo, ThresholdSli
from sre.slo.openslo import load_slos
from sre.slo.rules import RuleOptions, generate
from sre.slo.rules.build import rule_set
from sre.slo.rules.inline import inlined
from sre.slo.rules.promtool import judge
from sre.slo.tiers import workbook_tiers

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        shutil.which("promtool") is None or shutil.which("prometheus") is None,
        reason="Prometheus with promtool is absent: install Debian's package prometheus",
    ),
]
needs_amtool = pytest.mark.skipif(
    shutil.which("amtool") is None, reason="amtool is absent: install Debian's package prometheus-alertmanager"
)
ROOT = Path(__file__).resolve().parents[2]
DAY_S, HOUR_S, MINUTE_S = 86400, 3600, 60
START = 1_760_000_040.0  # a whole minute
SCRAPE_S = 60
DAYS = 5
METRIC = "http_request_duration_seconds_count"
BAD, TOTAL = f'{METRIC}{{job="myservice",code=~"(5..|429)"}}', f'{METRIC}{{job="myservice"}}'
SLOTH = Slo(
    name="requests-availability",
    title="Requests answered",
    description="",
    service="myservice",
    target=0.999,
    period_s=30 * DAY_S,
    sli=RatioSli(total=parse_sum(TOTAL), bad=parse_sum(BAD)),
    path="getting-started.yaml",
)


def of(sli, **changes):
    return replace(SLOTH, sli=sli, **changes)


KINDS = [
    of(RatioSli(parse_sum("a_total + b_total"), bad=parse_sum("a_err_total + b_err_total")), name="two-metrics"),
    of(RatioSli(parse_sum("a_total"), good=parse_sum("a_ok_total")), name="good-apart"),
    of(
        RatioSli(
            parse_sum("vllm:time_per_output_token_seconds_count"),
            good=parse_sum('vllm:time_per_output_token_seconds_bucket{le="1.0"}'),
        ),
        name="renamed",
        target=0.99,
    ),
    of(RatioSli(parse_sum("d"), bad=parse_sum("d_bad"), counter=False), name="deltas"),
    of(ThresholdSli(parse_sum('kv{job="x"}'), "lte", 0.9), name="threshold", target=0.95),
    of(
        JointSli(
            (
                RatioSli(parse_sum("ttft_count"), good=parse_sum('ttft_bucket{le="1.0"}')),
                RatioSli(parse_sum("tpot_count"), good=parse_sum('tpot_bucket{le="0.05"}')),
                RatioSli(parse_sum("a_total"), bad=parse_sum("a_err_total")),
            )
        ),
        name="joint",
        target=0.95,
    ),
    of(RawSli(parse_sum("ratio")), name="raw-good", target=0.99),
    of(RawSli(parse_sum("ratio + ratio2"), failure=True), name="raw-bad", target=0.99),
    replace(SLOTH, name="slices", target=0.99, method="Timeslices", slice_s=60.0, slice_target=0.95),
    replace(SLOTH, name="ratio-slices", target=0.99, method="RatioTimeslices", slice_s=60.0, no_data="bad"),
    replace(
        SLOTH,
        name="guarded",
        tiers=tuple(replace(tier, for_s=300, min_bad_events=5) for tier in workbook_tiers(30 * DAY_S)),
    ),
]


def refusals(generated, *, test=True):
    return [verdict.text for verdict in judge(generated.files, test=test) if verdict.ok is False]


@pytest.mark.parametrize("document", sorted((ROOT / "slo").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_shipped_documents_rules_pass_promtool_and_amtool(document):
    slos = [slo for slo in load_slos(ROOT / "slo") if Path(slo.path).name == document.name]
    generated = generate(slos, RuleOptions(catalogue=Catalogue.shipped()))
    assert not generated.notes
    assert not refusals(generated)


@pytest.mark.parametrize("slo", KINDS, ids=lambda slo: slo.name)
def test_every_kind_of_indicator_and_method_behaves_as_computed(slo):
    slo = paging(slo)
    generated = generate([slo], RuleOptions(catalogue=Catalogue.shipped(), runbook_base="https://runbooks"))
    assert not generated.notes
    assert not refusals(generated)


def paging(slo):
    """The SLO with its two fastest tiers: the slower ones differ in numbers alone, and promtool takes its time."""
    return replace(slo, tiers=(slo.tiers or workbook_tiers(slo.period_s))[:2])


def test_rules_under_a_drill_clock_pass_too():
    options = RuleOptions(drill_clock(60), scrape_interval_s=1.0)
    assert not refusals(generate([paging(SLOTH)], options))


def drill_clock(factor):
    return replace(REAL_TIME, factor=factor)


def test_promtool_sees_when_a_threshold_is_changed():
    """The tests must be able to fail: half the factor fires where `just below` says nothing does."""
    files = generate([paging(SLOTH)], RuleOptions()).files
    name = "prometheus/requests-availability.yaml"
    broken = {**files, name: files[name].replace(">= 14.4 *", ">= 7.2 *")}
    assert files[name] != broken[name]
    assert refusals(type("Changed", (), {"files": broken}))


@needs_amtool
def test_the_alertmanager_fragment_stands_in_a_whole_configuration(tmp_path):
    fragment = yaml.safe_load(generate(load_slos(ROOT / "slo"), RuleOptions()).files["alertmanager/slo.yaml"])
    whole = {
        "route": {"receiver": "nobody", "routes": fragment["route"]["routes"]},
        "inhibit_rules": fragment["inhibit_rules"],
        "receivers": [{"name": "nobody"}, *({"name": one["receiver"]} for one in fragment["route"]["routes"])],
    }
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(whole))
    command = [str(shutil.which("amtool")), "check-config", str(tmp_path / "alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def history():
    """Samples of the service, `up`, a gauge: the 500s are there from the start, the 429s are born with an incident."""
    random = np.random.default_rng(4)
    count = DAYS * DAY_S // SCRAPE_S
    at = START + SCRAPE_S * np.arange(count) + 7.0  # off the minutes at which rules are evaluated
    since = at - START
    ratio = np.full(count, 0.0002)
    limited = np.zeros(count)
    for begin, length, share in (
        (1.2, 600, 1.0),
        (1.6, 180, 0.3),
        (2.1, 20 * HOUR_S, 0.0035),
        (3.6, 4 * HOUR_S, 0.012),
    ):
        ratio[(since > begin * DAY_S) & (since <= begin * DAY_S + length)] = share
    limited[(since > 4.3 * DAY_S) & (since <= 4.3 * DAY_S + 900)] = 0.2
    requests = random.poisson(50 * SCRAPE_S, count)
    failed, refused = random.binomial(requests, ratio), random.binomial(requests, limited)
    restart = int(2.7 * DAY_S / SCRAPE_S)
    scraped = random.random(count) > 0.003
    made = []
    for code, events in (("200", requests - failed - refused), ("500", failed), ("429", refused)):
        values = np.cumsum(events).astype(np.float64)
        values[restart:] -= values[restart - 1]
        shown = scraped & ((values > 0) if code == "429" else True)
        labels = (("code", code), ("instance", "a:80"), ("job", "myservice"))
        made.append(Series(SeriesId(METRIC, labels), at[shown], values[shown]))
    up = Series(SeriesId("up", (("instance", "a:80"), ("job", "myservice"))), at, scraped.astype(np.float64))
    usage = Series(SeriesId("kv_usage", up.id.labels), at, np.where(ratio > 0.001, 0.97, 0.5))
    return [*made, up, usage]


class Memory:
    name = "memory"

    def __init__(self, series):
        self.all = series

    def series(self, selector, *, start, end):
        wanted = series_filter(selector)
        cut = [(one, (one.times > start) & (one.times <= end)) for one in self.all if wanted(one.id)]
        return [Series(one.id, one.times[inside], one.values[inside]) for one, inside in cut if inside.any()]


def openmetrics(series):
    for kind, name in (("counter", METRIC), ("gauge", "up"), ("gauge", "kv_usage")):
        # a counter's samples would have to end in _total: to the importer, this name's are of no type
        if kind == "gauge":
            yield f"# TYPE {name} gauge\n"
        for one in series:
            if one.id.name == name:
                labels = ",".join(f'{label}="{value}"' for label, value in one.id.labels)
                for at, value in zip(one.times.tolist(), one.values.tolist(), strict=True):
                    yield f"{name}{{{labels}}} {value:.12g} {at:.3f}\n"
    yield "# EOF\n"


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    """The URL of a Prometheus that holds the history."""
    folder = tmp_path_factory.mktemp("prometheus")
    (folder / "history.txt").write_text("".join(openmetrics(history())))
    make = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=720h"]
    subprocess.run([*make, str(folder / "history.txt"), str(folder / "data")], check=True, capture_output=True)
    (folder / "prometheus.yml").write_text("global: {}\n")
    (port,) = free_ports(1)
    command = [
        "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        "--query.max-samples=500000000",
        "--query.timeout=10m",
    ]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", child)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(30)


def wait_until_ready(url, child):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert child.poll() is None, "Prometheus ended at once"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/-/ready", timeout=1) as answer:  # noqa: S310
            if answer.status == 200:
                return
        time.sleep(0.05)
    raise AssertionError("Prometheus did not come up")


def minutes(url, query, *, step_s):
    """The evaluation times at which the query has a value, from the history's first window to its end."""
    form = {"query": query, "start": START + step_s, "end": START + DAYS * DAY_S, "step": step_s}
    body = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen(f"{url}/api/v1/query_range", body, timeout=600) as answer:  # noqa: S310
        result = json.load(answer)["data"]["result"]
    return {float(at) for series in result for at, _ in series["values"]}


def sloth(windows):
    """Sloth's condition for one severity: windows and factors of its example, over the same counters."""

    def ratio(window):
        return f"(sum(rate({BAD}[{window}])) / sum(rate({TOTAL}[{window}])))"

    return " or ".join(
        f"({ratio(short)} > ({factor} * 0.001) and {ratio(long)} > ({factor} * 0.001))"
        for factor, short, long in windows
    )


@pytest.mark.parametrize(
    ("severity", "windows", "step_s"),
    [
        ("page", [(14.4, "5m", "1h"), (6, "30m", "6h")], 60),
        ("ticket", [(3, "2h", "1d"), (1, "6h", "3d")], 600),
    ],
)
def test_our_alerts_fire_in_the_minutes_in_which_sloths_do(prometheus, severity, windows, step_s):
    """Until the 429s are born: Sloth's rate does not see a series' first value."""
    rules = rule_set(SLOTH, RuleOptions())
    ours = set()
    for alert in rules.alerts:
        if alert.tier is not None and alert.tier.severity == severity:
            ours |= minutes(prometheus, inlined(alert.expr, rules), step_s=step_s)
    theirs = minutes(prometheus, sloth(windows), step_s=step_s)
    born = START + 4.3 * DAY_S
    assert {at for at in ours if at < born} == {at for at in theirs if at < born}
    assert len(ours) > 5, "the history must make it fire"


def firing_minutes(prometheus, slo, step_s):
    """(Prometheus's, ours, the edges of ours) for the SLO's one tier."""
    rules = rule_set(slo, RuleOptions())
    theirs = minutes(prometheus, inlined(rules.alerts[0].expr, rules), step_s=step_s)
    end = START + DAYS * DAY_S
    result = evaluate(slo, Memory(history()), start=START, end=end, clock=REAL_TIME, step_s=step_s)
    ours = {
        at for alert in result.alerts for at in np.arange(alert.fired_at, alert.reset_at or end + 1, step_s).tolist()
    }
    return theirs, ours, {edge for alert in result.alerts for edge in (alert.fired_at, alert.reset_at or 0.0)}


@pytest.mark.parametrize("tier", workbook_tiers(30 * DAY_S), ids=lambda tier: tier.name)
def test_prometheus_and_our_evaluator_agree_to_a_scrape(prometheus, tier):
    step_s = 60 if tier.severity == "page" else 300
    theirs, ours, edges = firing_minutes(prometheus, replace(SLOTH, tiers=(tier,)), step_s)
    apart = ours ^ theirs
    assert all(any(abs(at - edge) <= max(step_s, SCRAPE_S) for edge in edges) for at in apart), sorted(apart)
    assert ours


@pytest.mark.parametrize(("method", "target"), [("Timeslices", 0.99), ("RatioTimeslices", 0.999)])
def test_prometheus_and_our_evaluator_agree_to_a_slice(prometheus, method, target):
    tier = workbook_tiers(30 * DAY_S)[1]
    slo = replace(SLOTH, target=target, method=method, slice_s=300.0, slice_target=0.99, tiers=(tier,))
    theirs, ours, edges = firing_minutes(prometheus, slo, 300)
    apart = ours ^ theirs
    assert all(any(abs(at - edge) <= 300 + SCRAPE_S for edge in edges) for at in apart), sorted(apart)
    assert ours


def test_prometheus_and_our_evaluator_agree_on_a_gauge_to_a_scrape(prometheus):
    tier = workbook_tiers(30 * DAY_S)[1]
    slo = of(ThresholdSli(parse_sum("kv_usage"), "lte", 0.9), target=0.95, tiers=(tier,))
    rules = rule_set(slo, RuleOptions(group_interval_s=float(SCRAPE_S)))
    theirs = minutes(prometheus, inlined(rules.alerts[0].expr, rules), step_s=60)
    _, ours, edges = firing_minutes(prometheus, slo, 60)
    assert all(any(abs(at - edge) <= SCRAPE_S for edge in edges) for at in ours ^ theirs), sorted(ours ^ theirs)
    assert ours


JOINT = of(
    JointSli(
        (
            RatioSli(parse_sum(TOTAL), bad=parse_sum(f'{METRIC}{{job="myservice",code=~"5.."}}')),
            RatioSli(parse_sum(f'{METRIC}{{job="myservice",code!~"5.."}}'), bad=parse_sum(f'{METRIC}{{code="429"}}')),
        )
    ),
    name="joint",
)


def test_prometheus_and_our_evaluator_agree_on_the_bound_of_goodput(prometheus):
    """The second criterion does not see the requests that the first finds bad: both ways they count as bad."""
    tier = workbook_tiers(30 * DAY_S)[1]
    theirs, ours, edges = firing_minutes(prometheus, replace(JOINT, tiers=(tier,)), 60)
    assert all(any(abs(at - edge) <= 2 * SCRAPE_S for edge in edges) for at in ours ^ theirs), sorted(ours ^ theirs)
    assert ours


@pytest.mark.parametrize("slo", [SLOTH, JOINT], ids=lambda slo: slo.name)
def test_the_recorded_budget_is_what_the_events_leave(prometheus, slo):
    """Increments over touching windows, summed: only what births and scrape gaps blur may differ."""
    rules = rule_set(slo, RuleOptions())
    left = next(rule for rule in rules.recordings if rule.name == "slo:error_budget_remaining:ratio")
    end = START + DAYS * DAY_S
    query = urllib.parse.urlencode({"query": inlined(left.selector, rules), "time": end})
    with urllib.request.urlopen(f"{prometheus}/api/v1/query?{query}", timeout=600) as answer:  # noqa: S310
        (result,) = json.load(answer)["data"]["result"]
    told = evaluate(slo, Memory(history()), start=START, end=end, clock=REAL_TIME, step_s=60)
    assert float(result["value"][1]) == pytest.approx(1 - told.error_ratio / slo.budget, rel=0.02)
    assert result["metric"] == {"slo": slo.name, "service": slo.service}


@pytest.fixture
def alertmanager(tmp_path):
    """The URL of an Alertmanager that runs the generated fragment."""
    program = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
    if program is None:
        pytest.skip("Alertmanager is absent: install Debian's package prometheus-alertmanager")
    (tmp_path / "alertmanager.yml").write_text(generate([SLOTH], RuleOptions()).files["alertmanager/slo.yaml"])
    (port,) = free_ports(1)
    command = [
        program,
        f"--config.file={tmp_path / 'alertmanager.yml'}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", child)
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(30)


def test_a_slower_tier_is_silent_while_a_faster_one_of_the_same_slo_fires(alertmanager):
    rules = rule_set(SLOTH, RuleOptions())
    fast, *_, slow, absent = ({"alertname": alert.name, **dict(alert.labels)} for alert in rules.alerts)
    other = {**slow, "slo": "another"}
    body = json.dumps([{"labels": labels} for labels in (fast, slow, absent, other)]).encode()
    post = urllib.request.Request(  # noqa: S310
        f"{alertmanager}/api/v2/alerts", body, headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(post, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200
    silent = {}
    deadline = time.monotonic() + 20
    while len(silent) < 4 or not any(silent.values()):
        assert time.monotonic() < deadline, silent
        with urllib.request.urlopen(f"{alertmanager}/api/v2/alerts", timeout=10) as answer:  # noqa: S310
            found = json.load(answer)
        silent = {(a["labels"]["slo"], a["labels"]["tier"]): bool(a["status"]["inhibitedBy"]) for a in found}
        time.sleep(0.05)
    mine = SLOTH.name
    assert silent == {
        (mine, "page-1h"): False,
        (mine, "ticket-3d"): True,
        (mine, "no-data"): False,
        ("another", "ticket-3d"): False,
    }
