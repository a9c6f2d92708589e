"""The metric catalogue: what it says, how strictly it is read, how names are found."""

from __future__ import annotations

import pytest

from sre.errors import BadDocument
from sre.metrics.catalogue import Catalogue

SHIPPED = Catalogue.shipped()


def test_every_shipped_entry_names_where_its_facts_were_read():
    assert {metric.exporter for metric in SHIPPED.metrics.values()} == {"gateway", "opencost", "vllm", "triton"}
    assert all(metric.source for metric in SHIPPED.metrics.values())


def test_a_series_of_a_histogram_leads_to_its_family():
    family = SHIPPED.get("vllm:time_to_first_token_seconds")
    assert SHIPPED.get("vllm:time_to_first_token_seconds_bucket") == family
    assert SHIPPED.part("vllm:time_to_first_token_seconds_count") == "_count"
    assert SHIPPED.part("vllm:time_to_first_token_seconds") is None
    assert 0.25 in family.buckets


def test_a_histogram_whose_name_ends_like_a_counter_is_one():
    assert SHIPPED.get("vllm:iteration_tokens_total_bucket").type == "histogram"
    assert SHIPPED.part("vllm:iteration_tokens_total") is None


def test_an_unknown_name_is_none():
    assert SHIPPED.get("up") is None
    assert SHIPPED.aliases("up") == ()
    assert SHIPPED.newest("up") == "up"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("vllm:time_per_output_token_seconds", "vllm:inter_token_latency_seconds"),
        ("vllm:time_per_output_token_seconds_bucket", "vllm:inter_token_latency_seconds_bucket"),
        ("vllm:gpu_cache_usage_perc", "vllm:kv_cache_usage_perc"),
        ("vllm:gpu_prefix_cache_hits_total", "vllm:prefix_cache_hits_total"),
        ("vllm:gpu_prefix_cache_queries_total", "vllm:prefix_cache_queries_total"),
        ("vllm:time_in_queue_requests_count", "vllm:request_queue_time_seconds_count"),
    ],
)
def test_renames_are_known_in_both_directions(old, new):
    assert SHIPPED.aliases(old) == (new,)
    assert SHIPPED.aliases(new) == (old,)
    assert SHIPPED.newest(old) == SHIPPED.newest(new) == new


def test_failures_are_counted_by_the_gateway_alone():
    assert SHIPPED.get("sre_gateway_requests_total").counts_failures
    assert not SHIPPED.get("vllm:request_success_total").counts_failures
    assert SHIPPED.get("nv_inference_request_failure").failures == "some"
    assert "7713" in SHIPPED.get("nv_inference_request_success").why


def test_misspelt_names_lead_to_what_was_meant():
    assert SHIPPED.nearest("vllm:time_to_first_tokn_seconds_bucket")[0] == "vllm:time_to_first_token_seconds_bucket"
    assert SHIPPED.nearest("sre_gateway_request_total")[0] == "sre_gateway_requests_total"
    assert SHIPPED.nearest("something_else_entirely") == ()
    assert SHIPPED.nearest("requests_totl", among=["requests_total", "up"]) == ("requests_total",)


def test_an_exporters_namespace_is_recognised():
    assert SHIPPED.knows_exporter_of("vllm:nothing") == "vllm"
    assert SHIPPED.knows_exporter_of("nv_nothing") == "triton"
    assert SHIPPED.knows_exporter_of("sre_gateway_nothing") == "gateway"
    assert SHIPPED.knows_exporter_of("my_requests_total") is None


def write(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


MINE = """\
exporter: mine
sources: {here: my own page}
metrics:
  - {name: a_total, type: counter, unit: requests, source: here, renamed_to: b_total}
  - {name: b_total, type: counter, unit: requests, source: here, renamed_to: c_total}
  - {name: c_total, type: counter, unit: requests, source: here, since: "3"}
  - name: x_seconds
    type: histogram
    unit: seconds
    labels: {route: [chat, completions], pod: any}
    buckets: [0.1, 1, 5]
    source: here
"""


def test_a_file_of_the_users_joins_the_shipped_ones(tmp_path):
    catalogue = Catalogue.read([write(tmp_path, MINE)])
    assert catalogue.get("x_seconds_bucket").label("route").values == ("chat", "completions")
    assert catalogue.get("x_seconds").label("pod").values is None
    assert catalogue.get("vllm:kv_cache_usage_perc") is not None


def test_a_chain_of_renames_is_followed_to_its_ends(tmp_path):
    catalogue = Catalogue.read([write(tmp_path, MINE)])
    assert catalogue.aliases("a_total") == ("c_total", "b_total")
    assert catalogue.aliases("b_total") == ("c_total", "a_total")
    assert catalogue.aliases("c_total") == ("b_total", "a_total")


def test_a_file_of_the_users_wins_over_a_shipped_one(tmp_path):
    mine = MINE.replace("x_seconds", "vllm:time_to_first_token_seconds")
    assert Catalogue.read([write(tmp_path, mine)]).get("vllm:time_to_first_token_seconds").buckets == (0.1, 1, 5)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("exporter: mine", "exporter: 3", ":1: exporter: is 3: write text"),
        ("sources: {here: my own page}", "sources: {there: x}", ":4: metrics[0].source: 'here' is not among sources"),
        ("a_total, type: counter", "a_total, type: meter", ":4: metrics[0].type: is 'meter': write one of counter"),
        ("name: a_total, ", "", ":4: metrics[0].name: missing"),
        ("a_total, type", "a total, type", ":4: metrics[0].name: 'a total' is no metric name"),
        ("a_total, type: counter", "a_total, type: counter, colour: red", ":4: metrics[0].colour: unknown key"),
        ("[0.1, 1, 5]", "[0.1, 5, 1]", ":11: metrics[3].buckets: do not ascend"),
        ("[0.1, 1, 5]", "[0.1, .nan, x]", ":11: metrics[3].buckets[1]: is nan: write a finite number"),
        ("type: histogram", "type: gauge", ":11: metrics[3].buckets: only a histogram has buckets"),
        ("pod: any", "pod: some", ":10: metrics[3].labels.pod: write `any`"),
        ("    unit: seconds", "    unit: seconds\n    failures: all", "metrics[3].why: missing"),
        ("renamed_to: b_total", "renamed_to: z_total", "a_total: renamed_to z_total, which is not listed"),
        ("renamed_to: b_total", "renamed_to: x_seconds", "a counter cannot have become a histogram"),
        ('since: "3"', "renamed_to: a_total", "its renames go in a circle"),
        ("name: b_total", "name: a_total", "`a_total` stands there twice"),
        ("exporter: mine", "exporter: [", "not YAML"),
        ("[0.1, 1, 5]", f"[{'9' * 400}]", "write a finite number"),
        (MINE, "[" * 5000, "nested too deep"),
        (MINE, "a: \x00", "not YAML|control characters"),
        (MINE, "", "is empty"),
        (MINE, "- a\n", ":1: document: write a mapping"),
    ],
)
def test_faults_are_told_with_their_line(tmp_path, old, new, said):
    assert old in MINE
    with pytest.raises(BadDocument) as caught:
        Catalogue.read([write(tmp_path, MINE.replace(old, new))])
    told = caught.value.faults
    assert any(one in fault for one in said.split("|") for fault in told), told


def test_all_faults_are_told_at_once(tmp_path):
    path = write(tmp_path, MINE.replace("type: counter", "type: meter"))
    with pytest.raises(BadDocument) as caught:
        Catalogue.read([path, tmp_path / "absent.yaml"])
    assert len([fault for fault in caught.value.faults if "is 'meter'" in fault]) == 3
    assert any("absent.yaml: cannot be read" in fault for fault in caught.value.faults)
