"""The comparison's table, page and charts, from facts made by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from sre.cost.model import Price
from sre.platforms.scaling import FleetMoment, MinuteOfService, PolicyComparison, PolicyRun
from sre.reports.autoscale import comparison_json, comparison_table, cost_of, per_million_good, render, write_comparison

PRICE = Price("test", "H100", Decimal("4.00"), "USD", None, "made up")
RUN = PolicyRun(
    name="<slo>",
    source="slo.yaml",
    is_baseline=False,
    requests=1000,
    good=990,
    rejected=2,
    ttft_ok=0.995,
    inter_token_ok=0.991,
    ttft_p50_s=0.08,
    ttft_p99_s=0.9,
    good_tokens=200_000,
    replica_s=5400.0,
    starting_s=120.0,
    max_replicas=3,
    scale_events=2,
    max_queue=12,
    preemptions=0,
    moments=(FleetMoment(0, 2, 2, 0, 0, ""), FleetMoment(900, 3, 2, 1, 4, "ScaleUpLimit")),
    service=(MinuteOfService(0, 600, 1.0, 0.1), MinuteOfService(900, 400, 0.975, 1.2)),
)
FIXED = replace(RUN, name="fixed 2 (minimum)", source="", is_baseline=True, good=0, good_tokens=0, scale_events=0)
COMPARISON = PolicyComparison(
    traffic="made up",
    profile="h100",
    profile_source="made up",
    gpu="H100",
    gpus_per_replica=2,
    duration_s=1800.0,
    requests=1000,
    mean_rps=0.6,
    peak_rps=0.9,
    capacity_rps=0.5,
    start_replicas=2,
    cold_start=(("weights", 40.0), ("warm-up", 5.0)),
    ttft_s=1.0,
    inter_token_s=0.05,
    bin_s=900.0,
    runs=(FIXED, RUN),
)


def test_money_is_replica_hours_times_gpus_times_price() -> None:
    assert cost_of(RUN, PRICE, 2) == Decimal("12.0")  # 1.5 h x 2 GPUs x 4.00
    assert per_million_good(RUN, PRICE, 2) == Decimal(60)  # 12 / 0.2 million
    assert per_million_good(FIXED, PRICE, 2) is None


def test_the_table_has_a_row_a_policy_and_says_what_was_assumed() -> None:
    table = comparison_table(COMPARISON, PRICE)
    assert table.rows[1].cells[:3] == ("<slo>", "99.00 %", "99.50 %")
    assert table.rows[1].cells[6:10] == ("1.50", "$12.00", "$60.00", "12")
    assert table.rows[0].cells[8] == table.rows[0].cells[10] == "n/a"
    assert any("Cold start 45.0 s: weights 40.0 s, warm-up 5.00 s" in note for note in table.notes)


def test_the_json_has_the_money_as_exact_text() -> None:
    data = comparison_json(COMPARISON, PRICE, curves=False)
    assert data["runs"][1]["cost"] == "12.0000"
    assert data["runs"][0]["per_million_good_tokens"] is None
    assert "moments" not in data["runs"][0]


def test_the_page_escapes_names_and_is_the_same_each_time() -> None:
    page = render(COMPARISON, PRICE)
    assert "<slo>" not in page
    assert "&lt;slo&gt;" in page
    assert page.count("<svg") == 2
    assert "<script" not in page
    assert page == render(COMPARISON, PRICE)


def test_the_files_are_written(tmp_path) -> None:
    written = write_comparison(COMPARISON, PRICE, tmp_path / "new" / "folder")
    assert [path.name for path in written] == ["compare.html", "compare.json", "replicas.png", "tradeoff.png"]
    assert all(path.read_bytes()[:4] == b"\x89PNG" for path in written[2:])
