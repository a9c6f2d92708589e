"""Every kind of document by itself and together: references, policies, windows, methods, several objectives."""

import re
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from textwrap import indent
from zoneinfo import ZoneInfo

import pytest

from sre.errors import BadDocument
from sre.metrics.selector import parse_sum
from sre.slo.model import CalendarWindow, RatioSli, RawSli, ThresholdSli
from sre.slo.openslo import load_documents, load_slos, policies_by_slo, read_slos, resolve
from sre.slo.openslo.model import Ref

EXAMPLES = Path(__file__).parent / "examples"
REFERENCES = (EXAMPLES / "references.yaml").read_text()
CALENDAR = (EXAMPLES / "calendar.yaml").read_text()
SLICES = (EXAMPLES / "timeslices.yaml").read_text()
RATIO = """\
      ratioMetric:
        counter: true
        good:
          metricSource:
            type: Prometheus
            spec:
              query: sre_gateway_ttft_seconds_bucket{le="1.0"}
        total:
          metricSource:
            type: Prometheus
            spec:
              query: sre_gateway_ttft_seconds_count
"""
RAW = """\
      ratioMetric:
        rawType: failure
        raw: {metricSource: {type: prometheus, spec: {query: "probe:errors:ratio"}}}
"""
THRESHOLD = """\
      thresholdMetric: {metricSource: {type: Prometheus, spec: {query: "vllm:num_requests_waiting"}}}
"""


@pytest.fixture
def faults(tmp_path):
    """What is wrong with some files, without the folder's name."""

    def told(*texts):
        for number, text in enumerate(texts):
            (tmp_path / f"{'abc'[number]}.yaml").write_text(text)
        with pytest.raises(BadDocument) as caught:
            load_documents([tmp_path])
        return [fault.replace(f"{tmp_path}/", "") for fault in caught.value.faults]

    return told


@pytest.fixture
def read(tmp_path):
    def slos(text):
        path = tmp_path / "a.yaml"
        path.write_text(text)
        return read_slos(path)

    return slos


def test_documents_keep_their_references_and_where_they_were_written():
    documents = load_documents([EXAMPLES / "references.yaml"])
    (slo,) = documents.slos
    assert slo.indicator == Ref("answered-requests")
    assert str(slo.indicator.place).endswith("references.yaml:92")
    assert [type(policy).__name__ for policy in slo.alert_policies] == ["Ref", "AlertPolicy"]
    assert documents.data_sources[0].connection == (
        '{"headers": [{"name": "X-Scope-OrgID", "value": "llm"}], "url": "http://prometheus:9090"}'
    )
    assert "X-Scope" not in repr(documents.data_sources[0])
    assert documents.services[0].metadata.labels == (("team", "inference"), ("tier", ("1", "critical")))
    assert len(documents) == 7


def test_files_and_folders_are_read_once_in_the_order_given():
    documents = load_documents([EXAMPLES / "timeslices.yaml", EXAMPLES])
    assert [slo.metadata.name for slo in documents.slos] == ["ttft-minutes", "availability-monthly", "answered"]


def test_each_objective_becomes_an_slo_numbered_in_order():
    first, second = load_slos(EXAMPLES)[1:3]
    assert (first.name, first.title, first.target) == ("answered-1", "Requests answered: promised to customers", 0.995)
    assert (second.name, second.title, second.target) == ("answered-2", "Requests answered: held by ourselves", 0.999)
    assert (
        first.sli
        == second.sli
        == RatioSli(good=parse_sum('req{outcome="ok"}'), total=parse_sum('req{outcome="ok"} + req{outcome="error"}'))
    )
    assert first.labels == (("team", "inference"),)
    assert first.line == second.line


def test_a_policy_becomes_a_tier_of_its_name():
    page, ticket = load_slos(EXAMPLES)[1].tiers
    assert (page.name, page.severity, page.factor, page.long_s, page.short_s) == (
        "page-fast-burn",
        "page",
        14.4,
        3600,
        300,
    )
    assert page.budget_share == pytest.approx(0.02)
    assert (page.min_bad_events, page.max_p_value) == (10, 0.01)
    assert (ticket.name, ticket.severity, ticket.short_s, ticket.for_s) == ("ticket-slow-burn", "ticket", 21600, 3600)
    assert (ticket.min_bad_events, ticket.max_p_value) == (2, 0.01)


def test_the_people_a_tier_tells_are_known_by_the_slo():
    policies = policies_by_slo(load_documents([EXAMPLES]))
    told = {(p.policy.metadata.name, tuple(t.target for t in p.targets)) for p in policies["answered-2"]}
    assert told == {("page-fast-burn", ("pagerduty",)), ("ticket-slow-burn", ("jira",))}
    assert policies["availability-monthly"] == ()


@pytest.mark.parametrize(
    ("word", "severity"),
    [("page", "page"), ("Critical", "page"), ("high", "page"), ("warning", "ticket"), ("sev3", "ticket")],
)
def test_words_for_severity(read, word, severity):
    slos = read(REFERENCES.replace("severity: page", f"severity: {word}"))
    assert slos[0].tiers[0].severity == severity


def test_without_policies_the_workbook_tiers_apply_and_keep_the_guard_of_the_slo(read):
    (plain,) = read(CALENDAR)
    assert plain.tiers == ()
    guard = '    sre/min-bad-events: "5"\n    sre/max-p-value: "0.05"\n    sre/budget-usd:'
    (guarded,) = read(CALENDAR.replace("    sre/budget-usd:", guard))
    assert [tier.name for tier in guarded.tiers] == ["page-1h", "page-6h", "ticket-1d", "ticket-3d"]
    assert {(tier.min_bad_events, tier.max_p_value) for tier in guarded.tiers} == {(5, 0.05)}


def test_a_calendar_month_in_a_time_zone(read):
    (slo,) = read(CALENDAR)
    assert slo.calendar == CalendarWindow(1, "M", datetime(2026, 1, 1), ZoneInfo("Europe/Berlin"))  # noqa: DTZ001 (wall time)
    assert slo.period_s == 30 * 86400
    assert slo.budget_usd == Decimal("12000")


def test_timeslices_carry_slice_and_slice_target(read):
    (slo,) = read(SLICES)
    assert (slo.method, slo.slice_s, slo.slice_target, slo.no_data) == ("Timeslices", 300.0, 0.99, "good")
    (ratio,) = read(
        SLICES.replace("Timeslices", "RatioTimeslices").replace("      timeSliceTarget: 0.99\n", "").replace("5m", "5")
    )
    assert (ratio.method, ratio.slice_s, ratio.slice_target) == ("RatioTimeslices", 300.0, None)


def test_raw_ratios_and_thresholds(read):
    (raw,) = read(SLICES.replace(RATIO, RAW))
    assert raw.sli == RawSli(parse_sum("probe:errors:ratio"), failure=True)
    (gauge,) = read(
        SLICES.replace(RATIO, THRESHOLD).replace("      target:", "      op: lte\n      value: 20\n      target:")
    )
    assert gauge.sli == ThresholdSli(parse_sum("vllm:num_requests_waiting"), "lte", 20.0)
    (counts,) = read(SLICES.replace("counter: true", "counter: false"))
    assert counts.sli.counter is False


def test_objectives_may_bring_their_own_indicators(read):
    text = REFERENCES.replace("  indicatorRef: answered-requests\n", "").replace(
        "      target: 0.995\n", "      target: 0.995\n      indicatorRef: answered-requests\n"
    )
    own = "      targetPercent: 99.9\n      indicator:\n        spec:\n" + indent(RAW, "    ")
    first, second = read(text.replace("      targetPercent: 99.9\n", own))
    assert isinstance(first.sli, RatioSli)
    assert isinstance(second.sli, RawSli)


REFERENCES_FAULTS = [
    ("  type: prometheus", "  type: Datadog", "DataSource `prometheus` (a.yaml:13) has type 'Datadog' cannot"),
    ("metricSourceRef: prometheus", "metricSourceRef: promteheus", "did you mean `prometheus` (a.yaml:13)?"),
    ("indicatorRef: answered-requests", "indicatorRef: answered", "spec.indicatorRef: no SLI is"),
    ("conditionRef: fast-burn", "conditionRef: zzz", "no AlertCondition is named 'zzz': use one of fast-burn"),
    ("targetRef: on-call", "targetRef: oncall", "spec.notificationTargets[0].targetRef: no Alert"),
    ("alertPolicyRef: page-fast-burn", "alertPolicyRef: page", "no AlertPolicy is named 'page': did you mean"),
    ("alertPolicyRef: page-fast-burn", "alertPolicyRef: a/b.yaml", "files are not followed"),
    ("  service: llm-gateway", "  service: llm-gatway", "spec.service: no Service is named 'llm-gatway'"),
    ("name: slow-burn", "nam: slow-burn", "alertPolicies[1].spec.conditions[0].metadata.nam: unknown key"),
    ("op: gte", "op: lte", "spec.condition.op: is 'lte': fires while the budget burns"),
    ("threshold: 14.4", "threshold: 0", "spec.condition.threshold: is 0: write a burn rate above"),
    ("threshold: 14.4", "threshold: 10", "is 0.02, but threshold 10 over 1h spends 0.01389 of the budget"),
    ("threshold: 14.4", "threshold: .inf", "spec.condition.threshold: is inf: write a burn rate"),
    ("lookbackWindow: 3d", "lookbackWindow: 31d", "is longer than the window of SLO `answered`, 30d"),
    ("lookbackWindow: 1h", "lookbackWindow: 1M", "M (month) has no fixed length here: write 30d"),
    ("sre/short-window: 5m", "sre/short-window: 60m", "is not shorter than lookbackWindow"),
    ("sre/short-window: 5m", "sre/short-windw: 5m", "unknown annotation: did you mean `sre/short-window`?"),
    ("kind: burnrate", "kind: burn", "spec.condition.kind: is 'burn': write `burnrate`"),
    ("alertWhenBreaching: true", "alertWhenBreaching: false", "a policy that never alerts: write `true`"),
    ("    - conditionRef: fast-burn\n", "    []\n", "is a list of 0: OpenSLO v1 allows exactly one"),
    (
        "    - conditionRef: fast-burn\n",
        "    - conditionRef: fast-burn\n    - conditionRef: fast-burn\n",
        "is a list of 2: OpenSLO v1 allows exactly one condition: write one policy for each",
    ),
    ("    - targetRef: on-call\n", "    []\n", "spec.notificationTargets: is a list of 0: say who is told"),
    ("    - conditionRef: fast-burn", "    - fast-burn", "conditions[0]: is 'fast-burn': write `- conditionRef"),
    ("name: ticket-slow-burn", "name: page-fast-burn", "has the policy `page-fast-burn` twice"),
    ("      target: 0.995", "      target: 0.995\n      compositeWeight: 2", "a weighted sum hides"),
    (
        "      target: 0.995",
        "      target: 0.995\n      indicatorRef: answered-requests",
        "has an indicator above its objectives and in them: keep one",
    ),
    ("  indicatorRef: answered-requests\n", "", "spec.indicator: missing: write the indicator inline"),
    ("  name: answered\n", f"  name: {'a' * 62}\n", "leaves no room for `-2` of its objectives"),
    ("    team: inference\n    tier", "    te am: inference\n    tier", "metadata.labels.te am: is no label"),
    ('["1", critical]', "[1, critical]", "metadata.labels.tier[0]: is 1: write text"),
]
CALENDAR_FAULTS = [
    ("Europe/Berlin", "Europe/Berln", "timeZone: 'Europe/Berln' is no time zone: did you mean `Europe/Berlin`?"),
    ("Europe/Berlin", "../etc/passwd", "'../etc/passwd' is no time zone"),
    ("Europe/Berlin", "Europe", "'Europe' is no time zone"),
    ("2026-01-01 00:00:00", "2026-01-01", "startTime: is '2026-01-01': write the local date and time"),
    ("2026-01-01 00:00:00", "2026-02-30 00:00:00", "startTime: is '2026-02-30 00:00:00': write the local"),
    ("2026-01-01 00:00:00", "2026-01-01T00:00:00Z", "startTime: is '2026-01-01T00:00:00Z': write the local"),
    ("2026-01-01 00:00:00", "0001-01-01 00:00:00", "write a year from 1970 to 2200"),
    ("isRolling: false", "isRolling: true", "isRolling: is True beside a calendar"),
    ("duration: 1M", "duration: 6h", "duration: is '6h': use one of d, w, M (month)"),
    ("duration: 1M", "duration: 9000d", "duration: is '9000d': longer than ten years"),
]
SLICES_FAULTS = [
    ("duration: 28d", "duration: 1M", "M (month) has no fixed length here: write 30d"),
    ("duration: 28d", "duration: 5m", "timeSliceWindow is 5m: write less than the window, 5m"),
    ("timeSliceTarget: 0.99", "timeSliceTarget: 0", "timeSliceTarget: is 0: write a number above 0, at most 1"),
    ("timeSliceWindow: 5m", "timeSliceWindow: 2.5", "timeSliceWindow: is 2.5: write a whole number of m, h, d"),
    ("timeSliceWindow: 5m", "timeSliceWindow: 0", "timeSliceWindow: is 0: write whole minutes from 1 on"),
    ("Timeslices", "RatioTimeslices", "timeSliceTarget: has no meaning under RatioTimeslices: remove it"),
    ("      target: 0.995", "      target: 0.995\n      op: lte", "op and value belong to a thresholdMetric: remove"),
    (RATIO, THRESHOLD, "a thresholdMetric needs op and value"),
    (RATIO, RAW.replace("rawType: failure", "rawType: errors"), "rawType: is 'errors': write `success` for"),
    (RATIO, RAW.replace("        rawType: failure\n", ""), "ratioMetric.rawType: missing: write `success`"),
    (RATIO, RATIO + RAW.partition("\n")[2], "has raw and good, total: write raw and rawType alone"),
    (RATIO, RATIO.replace("counter: true", "counter: true\n        rawType: failure"), "belongs to `raw`"),
    ("            type: Prometheus\n", "", "metricSource.type: missing: write `type: Prometheus`, or metricSource"),
]


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        (text, *row)
        for text, rows in ((REFERENCES, REFERENCES_FAULTS), (CALENDAR, CALENDAR_FAULTS), (SLICES, SLICES_FAULTS))
        for row in rows
    ],
)
def test_each_fault_names_its_mend(faults, text, old, new, expected):
    assert old in text
    found = faults(text.replace(old, new, 1))
    assert any(expected in fault for fault in found), found
    assert all(re.match(r"a\.yaml:[1-9]", fault) for fault in found), found


def test_two_thresholds_on_one_metric_are_two_slos(faults):
    text = SLICES.replace(RATIO, THRESHOLD)
    one = text[text.index("    - displayName: 99.5") :]
    found = faults(text + one)
    assert sum("has one objective in OpenSLO v1: write an SLO for each" in fault for fault in found) == 2


def test_an_objective_that_takes_the_name_of_another_slo(faults):
    found = faults(
        REFERENCES, SLICES.replace("name: ttft-minutes", "name: answered-2").replace("llm-gateway", "llm-gateway")
    )
    assert found == [
        "a.yaml:83: metadata.name: its objective answered-2 has the name of the SLO in b.yaml:3: rename one"
    ]


def test_a_document_with_faults_still_answers_to_its_name(faults):
    found = faults(REFERENCES.replace("  severity: page", "  severity: 5", 1))
    assert [fault.partition(": ")[0] for fault in found] == ["a.yaml:40"]


def test_faults_of_all_files_are_told_by_file_and_line(faults):
    found = faults(
        REFERENCES.replace("targetRef: on-call", "targetRef: nobody").replace("threshold: 14.4", "threshold: hot"),
        CALENDAR.replace("target: 0.999", "target: 2"),
        "kind: [",
    )
    assert [fault.split(": ")[0] for fault in found] == ["a.yaml:44", "a.yaml:59", "b.yaml:41", "c.yaml:1"]


def test_a_name_twice_is_told_with_both_places(faults):
    assert faults(CALENDAR, CALENDAR) == [
        "b.yaml:6: metadata.name: the SLO `availability-monthly` stands in a.yaml:6 already: rename one"
    ]


def test_services_are_checked_only_where_some_service_is_defined(read):
    assert read(SLICES.replace("llm-gateway", "anything goes"))


def test_a_service_needs_no_spec(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("apiVersion: openslo/v1\nkind: Service\nmetadata: {name: a}\nspec:\n")
    assert load_documents([path]).services[0].metadata.name == "a"
    assert resolve(load_documents([path])) == ()
    with pytest.raises(BadDocument, match="holds no SLO document"):
        read_slos(path)


def test_what_is_no_file_is_one_line(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.yaml").write_bytes(b"kind: \xe9")
    (tmp_path / "dangling.yaml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(BadDocument) as caught:
        load_documents([tmp_path / "absent.yaml", tmp_path / "empty", tmp_path])
    assert [fault.replace(f"{tmp_path}/", "") for fault in caught.value.faults] == [
        f"{'empty'}: holds no SLO document: add one, e.g. availability.yaml",
        "absent.yaml: cannot be read (No such file or directory): check the path",
        "dangling.yaml: cannot be read (No such file or directory): check the path",
        "latin.yaml: not UTF-8 text: save it as UTF-8",
    ]


def test_what_a_document_with_faults_refers_to_is_checked_too(faults):
    text = REFERENCES.replace("duration: 30d", "duration: soon").replace(
        "indicatorRef: answered-", "indicatorRef: answerd-"
    )
    told = [fault.partition(": ")[2][:60] for fault in faults(text)]
    assert told == [
        "spec.indicatorRef: no SLI is named 'answerd-requests': did y",
        "spec.timeWindow[0].duration: is 'soon': write a whole number",
    ]
