"""OpenSLO documents of kind SLO: what they say, and every fault of a bad one with its line and its mend."""

from pathlib import Path

import pytest

from sre.errors import BadDocument
from sre.metrics.model import Selector
from sre.metrics.selector import parse_selector
from sre.slo.documents import read_documents
from sre.slo.openslo import load_slos, read_slos

GOOD = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: availability
  displayName: Requests answered
  annotations: {sre/runbook: runbooks/a.md, team: sre}
spec:
  description: words
  service: gateway
  indicator:
    metadata:
      name: answered
    spec:
      ratioMetric:
        counter: true
        bad:
          metricSource:
            type: Prometheus
            spec:
              query: req{o="error"} + req{o="truncated"}
        total:
          metricSource:
            type: Prometheus
            spec:
              query: req
  timeWindow:
    - duration: 4w
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - displayName: three nines
      targetPercent: 99.9
"""


def write(tmp_path, text, name="a.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return path


def faults(path):
    with pytest.raises(BadDocument) as caught:
        read_slos(path)
    return [fault.removeprefix(f"{path.parent}/") for fault in caught.value.faults]


def test_reads_what_a_document_says(tmp_path):
    (slo,) = read_slos(write(tmp_path, GOOD))
    assert (slo.name, slo.title, slo.service, slo.target) == ("availability", "Requests answered", "gateway", 0.999)
    assert slo.period_s == 28 * 86400
    assert slo.sli.bad == (parse_selector('req{o="error"}'), parse_selector('req{o="truncated"}'))
    assert (slo.sli.total, slo.sli.good) == ((Selector("req"),), ())
    assert slo.runbook == "runbooks/a.md"


def test_a_file_may_hold_several_documents(tmp_path):
    text = GOOD + "---\n" + GOOD.replace("name: availability", "name: other") + "---\n"
    assert [slo.name for slo in read_slos(write(tmp_path, text))] == ["availability", "other"]


def test_the_title_falls_back_to_the_name(tmp_path):
    (slo,) = read_slos(write(tmp_path, GOOD.replace("  displayName: Requests answered\n", "")))
    assert slo.title == "availability"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("openslo/v1", "openslo/v2", "a.yaml:1: apiVersion: is 'openslo/v2': write `openslo/v1`"),
        ("openslo/v1", "openslo/v1alpha", "is 'openslo/v1alpha', the form before v1: put the metric into indicator"),
        ("openslo/v1", "openslo/v2alpha", "a.yaml:1: apiVersion: is 'openslo/v2alpha', a draft: write the document as"),
        ("openslo/v1", "sloth.slok.dev/v1", "is 'sloth.slok.dev/v1', Sloth's own form: write the objective as"),
        ("kind: SLO", "kind: Slo", "a.yaml:2: kind: is 'Slo': did you mean `SLO`?"),
        ("kind: SLO", "kind: alertpolicies", "a.yaml:2: kind: is 'alertpolicies': did you mean `AlertPolicy`?"),
        ("kind: SLO", "kind: Dashboard", "a.yaml:2: kind: is 'Dashboard': use one of AlertCondition, Alert"),
        ("kind: SLO\n", "", "a.yaml:1: kind: missing: write e.g. `kind: SLO`"),
        ("name: availability", "name: Not A Name", "a.yaml:4: metadata.name: is 'Not A Name': use lower-case"),
        ("  name: availability\n", "", "a.yaml:3: metadata.name: missing"),
        ("team: sre}", "sre/runbook: 7}", "a.yaml:6: not YAML: the key `sre/runbook` stands here twice"),
        ("runbooks/a.md", "7", "a.yaml:6: metadata.annotations.sre/runbook: is 7: give the path"),
        ("  service: gateway\n", "", "a.yaml:7: spec.service: missing: name the service"),
        ("  service: gateway", "  service: [a]", "a.yaml:9: spec.service: is a list"),
        ("  description: words", "  descriptin: words", "a.yaml:8: spec.descriptin: unknown key"),
        ("  budgetingMethod", "  alertPolicies: x\n  budgetingMethod", "spec.alertPolicies: is 'x': write a list of"),
        ("Occurrences", "Timeslice", "a.yaml:29: spec.budgetingMethod: is 'Timeslice': did you mean `Timeslices`?"),
        ("Occurrences", "Timeslices", "a.yaml:31: spec.objectives[0].timeSliceTarget: missing: Timeslices needs it"),
        ("Occurrences", "RatioTimeslices", "spec.objectives[0].timeSliceWindow: missing: RatioTimeslices needs it"),
        ("ratioMetric:", "thresholdMetric:", "a.yaml:15: spec.indicator.spec.thresholdMetric.counter: unknown key"),
        ("counter: true", 'counter: "true"', "a.yaml:15: spec.indicator.spec.ratioMetric.counter: is 'true'"),
        ("        counter: true\n", "", "spec.indicator.spec.ratioMetric.counter: missing: write `counter: true`"),
        ("team: sre}", "sre/runbok: x}", "a.yaml:6: metadata.annotations.sre/runbok: unknown annotation: did you mean"),
        ("team: sre}", "sre/no-data: maybe}", "metadata.annotations.sre/no-data: is 'maybe': write one of ignore"),
        ("team: sre}", "sre/no-data: bad}", "is 'bad': has no meaning under Occurrences"),
        ("team: sre}", "sre/budget-usd: 12}", "metadata.annotations.sre/budget-usd: is 12: write what a whole budget"),
        ("team: sre}", 'sre/budget-usd: "1e3"}', "metadata.annotations.sre/budget-usd: is '1e3'"),
        ("team: sre}", 'sre/min-bad-events: "0"}', "metadata.annotations.sre/min-bad-events: is '0'"),
        ("team: sre}", 'sre/max-p-value: "1"}', "metadata.annotations.sre/max-p-value: is '1'"),
        ("team: sre}", "team: 7}", "a.yaml:6: metadata.annotations.team: is 7: write text (quote numbers"),
        ("team: sre}", "a b: x}", "metadata.annotations.a b: is no annotation"),
        ("  description: words", f"  description: {'w' * 1051}", "spec.description: has 1051 characters: shorten"),
        ("        bad:", "        god:", "needs exactly one of good, bad"),
        ("type: Prometheus", "type: Datadog", "a.yaml:18: spec.indicator.spec.ratioMetric.bad.metricSource.type: is"),
        ("query: req\n", "query: rate(req[5m])\n", "a.yaml:25: "),
        ("query: req\n", "query: rate(req[5m])\n", "write the bare selector, `req`"),
        ("query: req\n", "query: abs(req)\n", "'abs(req)', character 4: no functions"),
        ("query: req\n", 'query: t_bucket{le="fast"}\n', 'le="fast" is no bucket bound'),
        ("query: req\n", "query:\n", "metricSource.spec.query: is nothing: write one selector"),
        ("duration: 4w", "duration: 1 month", "a.yaml:27: spec.timeWindow[0].duration: is '1 month'"),
        ("duration: 4w", "duration: 0d", "spec.timeWindow[0].duration: is '0d'"),
        ("isRolling: true", "isRolling: false", "a.yaml:28: spec.timeWindow[0].isRolling: is False: write `true`"),
        ("      isRolling: true\n", "", "spec.timeWindow[0].isRolling: missing"),
        ("targetPercent: 99.9", "targetPercent: 100", "a.yaml:32: spec.objectives[0].targetPercent: is 100: write"),
        ("targetPercent: 99.9", "target: 99.9", "a.yaml:32: spec.objectives[0].target: is 99.9: write a number"),
        ("targetPercent: 99.9", "target: high", "spec.objectives[0].target: is 'high'"),
        ("targetPercent: 99.9", "target: true", "spec.objectives[0].target: is True"),
        ("targetPercent: 99.9", "target: .nan", "spec.objectives[0].target: is nan"),
        ("targetPercent: 99.9", "targetPercent: 99.9\n      target: 0.999", "needs exactly one of target"),
        (
            "    - displayName: three nines\n      targetPercent: 99.9",
            "    []",
            "is a list of 0: write a list with at least one",
        ),
        ("spec:\n  description", "spec: 5\n  description", "not YAML"),
    ],
)
def test_each_fault_names_its_line_and_its_mend(tmp_path, old, new, expected):
    assert old in GOOD
    found = faults(write(tmp_path, GOOD.replace(old, new, 1)))
    assert any(expected in fault for fault in found), found


def test_all_faults_of_a_document_are_told_at_once(tmp_path):
    text = GOOD.replace("openslo/v1", "v9").replace("counter: true", "counter: 1").replace("99.9", "101")
    places = [fault.split(": ")[:2] for fault in faults(write(tmp_path, text))]
    assert places == [
        ["a.yaml:1", "apiVersion"],
        ["a.yaml:15", "spec.indicator.spec.ratioMetric.counter"],
        ["a.yaml:32", "spec.objectives[0].targetPercent"],
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a.yaml:1: document: is empty"),
        ("- 1\n", "a.yaml:1: document: is a list"),
        ("a: [1\n", "a.yaml:2: not YAML"),
        ("a: &x [*x]\n", "a.yaml:1: not YAML: is nested too deep"),
        ("a: !!python/object:os.system x\n", "a.yaml:1: "),
    ],
)
def test_what_is_no_document_is_told_too(tmp_path, text, expected):
    assert faults(write(tmp_path, text))[0].startswith(expected)


def test_a_document_blown_up_by_aliases_is_refused(tmp_path):
    layers = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    assert "repeats itself" in faults(write(tmp_path, "l0: &l0 x\n" + layers))[0]


def test_a_missing_file_is_one_fault(tmp_path):
    assert "cannot be read" in faults(tmp_path / "absent.yaml")[0]


def test_two_slos_of_one_name_are_refused(tmp_path):
    write(tmp_path, GOOD, "a.yaml")
    write(tmp_path, GOOD, "b.yaml")
    twice = r"b\.yaml:4: metadata\.name: the SLO `availability` stands in .*a\.yaml:4 already: rename one"
    with pytest.raises(BadDocument, match=twice):
        load_slos(tmp_path)


def test_a_folder_tells_the_faults_of_all_its_files(tmp_path):
    write(tmp_path, GOOD.replace("SLO", "Slo"), "a.yaml")
    write(tmp_path, GOOD.replace("4w", "ever"), "b.yml")
    with pytest.raises(BadDocument) as caught:
        load_slos(tmp_path)
    assert [Path(fault.split(":")[0]).name for fault in caught.value.faults] == ["a.yaml", "b.yml"]


def test_a_folder_without_slos_is_refused(tmp_path):
    with pytest.raises(BadDocument, match="holds no SLO"):
        load_slos(tmp_path)
    with pytest.raises(BadDocument, match="no such folder"):
        load_slos(tmp_path / "absent")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("!!int many", "no int"),
        ("0x_", "no int"),
        ("!!bool maybe", "no bool"),
        ("9" * 5000, "no int"),
        ("9" * 400, "far too large"),
        ("[" * 3000, "nested too deep"),
    ],
    ids=["tag", "hexadecimal", "truth", "5000 digits", "400 digits", "nesting"],
)
def test_a_value_that_yaml_itself_trips_over_is_a_fault_and_no_traceback(tmp_path, value, said):
    file = tmp_path / "slo.yaml"
    file.write_text(GOOD.replace("targetPercent: 99.9", f"targetPercent: {value}"))
    assert value in file.read_text()
    with pytest.raises(BadDocument, match=said):
        read_slos(file)


def test_a_key_written_here_overrides_the_one_merged_in(tmp_path):
    file = tmp_path / "merged.yaml"
    file.write_text("a: &a {x: 1, y: 2}\nb: &b\n  <<: *a\n  x: 3\nc: *b\n")
    (root,) = read_documents(file)
    for key in ("b", "c"):
        assert {name: node.scalar for name, node in root.fields[key].fields.items()} == {"x": 3, "y": 2}
    file.write_text("a: {x: 1}\nb:\n  x: 3\n  x: 4\n")
    with pytest.raises(BadDocument, match=r"merged.yaml:4: .*`x` stands here twice"):
        read_documents(file)
