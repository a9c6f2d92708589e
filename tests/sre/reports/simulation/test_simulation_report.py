"""A simulation judged: SLOs from its samples, alerts against its faults, an incident, money, and one page."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from sre.cost.prices import shipped_prices
from sre.errors import BadDocument, SreError
from sre.gameday.simulated import judge_simulation
from sre.incidents.build import incident_from_json
from sre.metrics.files import read_extract
from sre.metrics.model import Selector
from sre.platforms.simulation import EPOCH, GpuTime, Simulation
from sre.reports.manifest import verify
from sre.reports.simulation.json_file import report_json
from sre.reports.simulation.judge import client_records
from sre.reports.simulation.model import SimulationReport, budget_share_of_period
from sre.reports.simulation.money import bill_of
from sre.reports.simulation.page import render
from sre.reports.simulation.samples import source_of
from sre.reports.simulation.tables import cost_table, fault_table, service_table, slo_table
from sre.reports.simulation.write import require_room, write_report

ALL = Selector("sre_gateway_requests_total")


def test_objectives_are_evaluated_from_the_simulated_samples(report: SimulationReport) -> None:
    by_name = {result.slo.name: result for result in report.results}

    assert by_name["availability"].source == "simulated"
    assert by_name["availability"].total > 1000
    assert by_name["goodput"].error_ratio is not None


def test_a_run_takes_its_part_of_the_periods_budget(report: SimulationReport) -> None:
    result = next(one for one in report.results if one.slo.name == "goodput")
    assert result.error_ratio is not None

    share = budget_share_of_period(result, 60.0)

    burn = result.error_ratio / result.slo.budget
    assert share == pytest.approx(burn * 120 * 60 / result.slo.period_s)
    assert budget_share_of_period(replace(result, error_ratio=None), 60.0) is None


def test_an_alert_belongs_to_the_fault_that_had_begun(report: SimulationReport) -> None:
    explained = [alert for alert in report.alerts if alert.fault == 0]

    assert explained
    assert all(alert.delay_s == pytest.approx(alert.fired_s - 30.0) for alert in explained)
    assert all(alert.fired_s >= 30.0 for alert in report.alerts)


def test_the_story_of_a_crash_is_told_as_a_drills(report: SimulationReport) -> None:
    crash, metrics = report.stories

    assert crash.seconds("time_to_detect") == 0.0
    assert crash.seconds("time_to_recover") == pytest.approx(20.5, abs=0.5)
    assert crash.window.hit == ("llm-0",)
    assert metrics.window.components == ("recorder",)


def test_the_incident_is_marked_as_simulated_and_reads_back(report: SimulationReport, folder: Path) -> None:
    incident = incident_from_json((folder / "incident.json").read_text())

    assert incident == report.incident
    assert "(simulated)" in incident.title
    assert incident.id.startswith("simulated-")


def test_samples_written_out_read_back_to_the_same(report: SimulationReport, folder: Path) -> None:
    source, again = source_of(report.simulation), read_extract(folder / "samples.jsonl")

    for selector in (ALL, Selector("up"), Selector("sre_gateway_ttft_seconds_bucket")):
        told = source.series(selector, start=0, end=EPOCH + 1e6)
        read = again.series(selector, start=0, end=EPOCH + 1e6)
        assert [one.id for one in told] == [one.id for one in read]
        assert all(a.values.tolist() == b.values.tolist() for a, b in zip(told, read, strict=True))
        assert all(a.times.tolist() == b.times.tolist() for a, b in zip(told, read, strict=True))


def test_a_blind_scrape_is_a_failed_one(report: SimulationReport) -> None:
    (gateway,) = [one for one in report.simulation.series if one.name == "up" and ("job", "gateway") in one.labels]
    blind = gateway.at_s[gateway.values == 0]

    assert blind.size
    assert blind.min() >= 80
    assert blind.max() < 91


def test_a_report_is_the_same_again_byte_for_byte(report: SimulationReport, folder: Path, tmp_path: Path) -> None:
    one, other = folder, tmp_path / "other"
    write_report(report, other)

    files = sorted(path.name for path in one.iterdir())
    assert files == sorted(path.name for path in other.iterdir())
    assert all((one / name).read_bytes() == (other / name).read_bytes() for name in files)
    assert verify(one) == []


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(SreError, match="not empty"):
        require_room(tmp_path)
    with pytest.raises(SreError, match="is no folder"):
        require_room(tmp_path / "notes.txt")
    require_room(tmp_path / "new")


def test_records_are_those_of_the_load_generator(report: SimulationReport, folder: Path) -> None:
    records = [json.loads(line) for line in (folder / "requests.jsonl").read_text().splitlines()]

    assert len(records) == len(report.simulation.requests)
    assert {"id", "sent_at", "first_token_at", "outcome", "replicas", "class"} <= records[0].keys()
    assert records[0]["sent_at"] >= EPOCH


def test_every_page_table_and_file_says_that_it_is_simulated(report: SimulationReport, folder: Path) -> None:
    html = (folder / "report.html").read_text()

    assert "Simulated: objective" in html
    assert "SIMULATED: nothing on this page was measured" in html
    assert html.count("; simulated</span>") >= 3
    assert report_json(report, curves=False)["simulated"] is True
    assert "<script" not in html
    assert "http://" not in html.replace("http://www.w3.org", "")


def test_tables_say_what_happened(report: SimulationReport) -> None:
    assert service_table(report).rows[-1].cells[0] == "all"
    assert {row.cells[0] for row in slo_table(report).rows} >= {"availability", "goodput"}
    assert fault_table(report).rows[0].cells[:2] == ("crash", "llm-0")
    assert cost_table(report).rows[0].cells[0] == "bill"


def test_the_bill_is_the_sum_of_its_parts(report: SimulationReport) -> None:
    bill = report.bill
    assert bill is not None

    assert bill.starting + bill.vacant + bill.worked == bill.total
    assert 0 <= bill.wasted <= bill.worked
    assert bill.per_million_good_tokens is not None
    assert bill.per_million_tokens is not None
    assert bill.per_million_good_tokens >= bill.per_million_tokens > 0
    expected = sum(time.replica_s * time.gpus for time in report.simulation.summary.gpu_time) / 3600
    assert bill.gpu_hours == pytest.approx(expected)
    assert float(bill.total) == pytest.approx(expected * float(bill.prices[0][1].per_gpu_hour))


def test_the_price_is_the_newest_on_demand_one_whatever_the_day(report: SimulationReport) -> None:
    assert report.bill is not None
    price = report.bill.prices[0][1]

    assert price.purchase == "on-demand"
    newest = max(
        one.valid_from or "" for one in shipped_prices() if one.gpu == price.gpu and one.purchase == "on-demand"
    )
    assert price.valid_from == newest


def test_a_spot_group_pays_the_spot_price(simulation: Simulation) -> None:
    spot = tuple(replace(time, spot=True) for time in simulation.summary.gpu_time)
    bill = bill_of(replace(simulation.summary, gpu_time=spot), shipped_prices())

    assert bill.prices[0][1].purchase == "spot"


def test_a_gpu_without_a_price_has_no_bill_and_says_why(simulation: Simulation) -> None:
    summary = simulation.summary
    odd = replace(summary, gpu_time=(replace(summary.gpu_time[0], gpu="TPU-9"),))
    report = judge_simulation(replace(simulation, summary=odd), slos=(), book=shipped_prices())

    assert report.bill is None
    assert "TPU-9" in cost_table(report).empty
    assert "no price" in report_json(report, curves=False)["no_cost_reason"]
    assert render(report)


def test_prices_in_two_currencies_are_not_added(simulation: Simulation) -> None:
    book = shipped_prices()
    time = simulation.summary.gpu_time[0]
    mixed = (*book, replace(book[0], gpu="X", currency="EUR", purchase="on-demand"))
    summary = replace(simulation.summary, gpu_time=(time, GpuTime("b", "p", "X", 1, False, 10.0, 0.0, 0.0)))

    with pytest.raises(BadDocument, match="nothing is converted"):
        bill_of(summary, mixed)


def test_a_run_without_faults_has_no_incident(simulation: Simulation) -> None:
    report = judge_simulation(replace(simulation, faults=()), slos=(), book=shipped_prices())

    assert report.incident is None
    assert report.stories == ()
    assert "not judged" in render(report)


def test_a_clock_too_fast_for_the_scrapes_is_refused(simulation: Simulation, report: SimulationReport) -> None:
    with pytest.raises(SreError, match="use at most"):
        judge_simulation(replace(simulation, drill_clock=600.0), slos=[report.results[0].slo], book=shipped_prices())


def test_a_large_run_keeps_the_requests_that_a_fault_concerns(
    report: SimulationReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = [story.window for story in report.stories]
    from sre.reports.simulation import judge

    watched = judge._limits(report.simulation)
    whole = client_records(report.simulation.requests, windows, watched)
    monkeypatch.setattr(judge, "_MOST_RECORDS", 10)
    some = client_records(report.simulation.requests, windows, watched)

    assert len(some) < len(whole)
    assert {record.id for record in whole if record.failed} <= {record.id for record in some}


def test_amounts_in_json_are_text_without_an_exponent(report: SimulationReport) -> None:
    cost = report_json(report, curves=False)["cost"]

    assert Decimal(cost["total"]) > 0
    assert "E" not in cost["total"]
    assert json.dumps(report_json(report, curves=True), allow_nan=False)
