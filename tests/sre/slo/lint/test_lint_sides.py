"""Sides against each other, labels against what metrics have, failures against who can count them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.gateway.model import OUTCOMES
from sre.metrics.model import SeriesId
from sre.metrics.selector import parse_selector, series_filter

REQUESTS = "sre_gateway_requests_total"


@pytest.mark.parametrize(
    ("bad", "total", "sticks_out"),
    [
        ('{outcome="error"}', '{outcome=~"ok|error"}', False),
        ('{outcome="error"}', "", False),
        ('{outcome="error"}', '{outcome=~"ok|truncated"}', True),
        ('{outcome=~"error|rejected"}', '{outcome=~"ok|error"}', True),
        ("", '{outcome=~"ok|error"}', True),
        ('{outcome!="ok"}', '{outcome!~"cancelled|invalid"}', True),
        ('{outcome!~"ok|cancelled|invalid"}', '{outcome!~"cancelled|invalid"}', False),
        ('{outcome="error",job="a"}', '{job="a"}', False),
        ('{outcome="error"}', '{job="a"}', True),
        ('{outcome="error",job="b"}', '{job="a"}', True),
        ('{outcome="error",job=~"a|b"}', '{job=~"a|b|c"}', False),
        ('{outcome="error",job=~"a.*"}', '{job=~"a.+"}', False),  # not decidable: let pass
        ('{outcome="error",job=~"a.*"}', '{outcome="ok",job=~"a.*"}', True),  # job decides nothing
        ('{outcome="error",job=~"a.*"}', '{outcome=~"ok|error",job=~"a.*"}', False),
    ],
)
def test_bad_must_be_part_of_total(linting, bad, total, sticks_out):
    found = linting.rules(bad=REQUESTS + bad, total=REQUESTS + total)
    assert ("SLO031" in found) == sticks_out


CHOICES = st.one_of(
    st.just(""),
    st.tuples(st.sampled_from(["=~", "!~"]), st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4)).map(
        lambda pair: f'{{outcome{pair[0]}"{"|".join(pair[1])}"}}'
    ),
    st.tuples(st.sampled_from(["=", "!="]), st.sampled_from(OUTCOMES)).map(lambda p: f'{{outcome{p[0]}"{p[1]}"}}'),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(bad=CHOICES, totals=st.lists(CHOICES, min_size=1, max_size=2))
def test_the_verdict_is_that_of_trying_every_series(linting, bad, totals):
    one, many = parse_selector(REQUESTS + bad), [parse_selector(REQUESTS + total) for total in totals]
    series = [SeriesId(REQUESTS, (("outcome", outcome),)) for outcome in OUTCOMES]
    outside = [s for s in series if series_filter(one)(s) and not any(series_filter(m)(s) for m in many)]
    total = " + ".join(REQUESTS + total for total in totals)
    found = linting.rules(bad=REQUESTS + bad, total=total)
    assert ("SLO031" in found) == bool(outside)


def test_total_may_be_a_sum(linting):
    bad, total = f'{REQUESTS}{{outcome="error"}}', f'{REQUESTS}{{outcome="ok"}} + {REQUESTS}{{outcome="error"}}'
    assert linting.rules(bad=bad, total=total) == []


def test_a_bucket_must_be_part_of_its_count(linting):
    family = "vllm:time_to_first_token_seconds"
    good, total = f'{family}_bucket{{le="0.5"MORE}}', f"{family}_count"
    fine = {"good": good.replace("MORE", ',model_name="a"'), "total": f'{total}{{model_name="a"}}'}
    assert linting.rules(**fine) == []
    wide = {"good": good.replace("MORE", ""), "total": f'{total}{{model_name="a"}}'}
    found = linting.only("SLO031", **wide)
    assert "selects series that" in found.what


def test_labels_nobody_catalogued_are_compared_by_what_is_written(linting):
    bad, total = 'my_total{code="500"}', 'my_total{code=~"200|500"}'
    assert "SLO031" not in linting.rules(bad=bad, total=total)
    assert "SLO031" in linting.rules(bad="my_total", total=total)


def test_other_metrics_are_not_compared(linting):
    found = linting.rules(good="sre_gateway_goodput_good_total", total="sre_gateway_goodput_eligible_total")
    assert found == []


def test_identical_sides(linting):
    found = linting.only("SLO034", bad=REQUESTS, total=REQUESTS)
    assert "bad and total both are" in found.what


def test_a_label_the_metric_does_not_have(linting):
    found = linting.only("SLO032", bad=f'{REQUESTS}{{status="500"}}', total=REQUESTS)
    assert found.severity == "warning"  # a scrape configuration may add it
    assert "use one of outcome" in found.mend
    assert "SLO032" not in linting.rules(bad=f'{REQUESTS}{{outcome="error",instance="a:1"}}', total=REQUESTS)
    assert "SLO032" not in linting.rules(bad=f'{REQUESTS}{{outcome="error",status!="x"}}', total=REQUESTS)


def test_a_label_no_series_of_the_source_has(linting):
    source = linting.source(*linting.gateway())
    found = linting.only("SLO032", source=source, bad=f'{REQUESTS}{{status="500"}}', total=REQUESTS)
    assert found.severity == "error"


def test_a_value_the_label_cannot_have(linting):
    found = linting.only("SLO033", bad=f'{REQUESTS}{{outcome=~"eror|truncated"}}', total=REQUESTS)
    assert found.severity == "error"
    assert "outcome is never eror" in found.what
    assert "truncated" in found.mend


def test_a_value_the_source_has_never_shown(linting):
    total = "my_total"
    source = linting.source(linting.counter(total, per_hour=3e5, code="200"), linting.counter(total, code="500"))
    found = linting.only("SLO033", source=source, bad='my_total{code="503"}', total=total)
    assert found.severity == "warning"
    assert found.mend == "use 200 or 500"
    assert "SLO033" not in linting.rules(source=source, bad='my_total{code=~"5.."}', total=total)
    # a value that is not born yet is fine when the catalogue lists it
    rare = linting.source(*linting.gateway()[:1])
    assert "SLO033" not in linting.rules(source=rare, bad=f'{REQUESTS}{{outcome="rejected"}}', total=REQUESTS)


VLLM = {"total": "vllm:request_success_total", "bad": 'vllm:request_success_total{finished_reason="error"}'}


def test_vllm_cannot_count_failures(linting):
    found = linting.only("SLO030", **VLLM)
    assert found.severity == "error"
    assert "counted nowhere" in found.what
    assert "sre_gateway_requests_total" in found.mend


def test_an_slo_that_admits_it_is_warned_of(linting):
    found = linting.only("SLO030", annotations=(("sre/caveat", "crashes do not show"),), **VLLM)
    assert found.severity == "warning"
    assert "crashes do not show" in found.what


def test_triton_counts_some_failures(linting):
    bad = "nv_inference_request_failure"
    found = linting.only("SLO030", bad=bad, total=f"nv_inference_request_success + {bad}")
    assert found.severity == "warning"
    assert "7713" in found.what
    admitted = (("sre/runbook", "https://example.org/r"), ("sre/caveat", "a dead server counts nothing"))
    assert linting.rules(bad=bad, total=f"nv_inference_request_success + {bad}", annotations=admitted) == []
    alone = linting.only("SLO030", good="nv_inference_request_success", total='nv_inference_count{version="1"}')
    assert alone.severity == "error"


def test_the_gateway_counts_all_and_latency_is_another_matter(linting):
    assert linting.rules() == []
    family = "vllm:e2e_request_latency_seconds"
    assert linting.rules(good=f'{family}_bucket{{le="5.0"}}', total=f"{family}_count") == []


SLI = """\
---
apiVersion: openslo/v1
kind: SLI
metadata: {{name: {name}}}
spec:
  ratioMetric:
    counter: true
    good: {{metricSource: {{type: Prometheus, spec: {{query: '{good}'}}}}}}
    total: {{metricSource: {{type: Prometheus, spec: {{query: '{total}'}}}}}}
"""
FIRST_TOKEN = {
    "good": 'sre_gateway_ttft_seconds_bucket{le="1.0"}',
    "total": "sre_gateway_ttft_seconds_count",
    "annotations": (("sre/runbook", "https://example.org/runbook"), ("sre/also-good", "second")),
}


@pytest.mark.parametrize(
    ("good", "total", "rule"),
    [
        ('sre_gateway_e2e_seconds_bucket{le="30.0"}', "sre_gateway_e2e_seconds_count", None),
        ('sre_gateway_e2e_seconds_bucket{le="31"}', "sre_gateway_e2e_seconds_count", "SLO010"),
        ('sre_gateway_e2e_secs_bucket{le="30.0"}', "sre_gateway_e2e_seconds_count", "SLO020"),
        (f'{REQUESTS}{{outcome="ok"}}', f'{REQUESTS}{{outcome="error"}}', "SLO031"),
    ],
)
def test_every_criterion_is_looked_at_where_it_is_written(linting, good, total, rule):
    found = linting(**FIRST_TOKEN, extra=SLI.format(name="second", good=good, total=total))
    assert [finding.rule for finding in found] == ([rule] if rule else [])
    assert all(finding.path.startswith("spec.ratioMetric.good") for finding in found)
    assert {finding.document for finding in found} <= {"answers"}


def test_a_finding_at_another_slos_indicator_is_said_once_in_that_ones_name(linting):
    second = linting.slo(
        "second", good='sre_gateway_e2e_seconds_bucket{le="31"}', total="sre_gateway_e2e_seconds_count"
    )
    (found,) = linting(**FIRST_TOKEN, extra=f"---\n{second}")
    assert (found.rule, found.document) == ("SLO010", "second")


def test_tiers_and_traffic_are_those_of_the_whole(linting):
    """The first criterion names the population: its traffic is what the guards see."""
    shares = {"1.0": 0.99, "+Inf": 1.0}
    source = linting.source(
        *linting.histogram("sre_gateway_ttft_seconds", shares, per_hour=2.0),
        *linting.histogram("sre_gateway_e2e_seconds", {"30.0": 0.99, "+Inf": 1.0}),
    )
    second = SLI.format(
        name="second", good='sre_gateway_e2e_seconds_bucket{le="30.0"}', total="sre_gateway_e2e_seconds_count"
    )
    found = linting(**FIRST_TOKEN, source=source, extra=second)
    assert {finding.rule for finding in found} == {"SLO060"}
