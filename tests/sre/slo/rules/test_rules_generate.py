"""What is generated for an SLO: golden files, notes, refusals. Golden files change with SRE_UPDATE_GOLDEN=1 only."""

import json
import os
import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from sre.errors import BadDocument, SreError
from sre.metrics.selector import parse_sum
from sre.slo.model import CalendarWindow, DrillClock, JointSli, RatioSli, ThresholdSli
from sre.slo.openslo import load_slos
from sre.slo.rules import RuleOptions, generate
from sre.slo.rules.build import rule_set
from sre.slo.tiers import workbook_tiers

GOLDEN = Path(__file__).parent / "golden"
ROOT = Path(__file__).parents[4]
DAY_S = 86400.0
OPTIONS = RuleOptions(
    runbook_base="https://runbooks.example/",
    dashboard_base="https://grafana.example",
    sources={"slo/availability.yaml": "ab"},
)


def rules_of(generated, name="availability"):
    groups = yaml.safe_load(generated.files[f"prometheus/{name}.yaml"])["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts_of(generated, name="availability"):
    return [rule for rule in rules_of(generated, name) if "alert" in rule]


def test_the_output_is_the_golden_one(slo):
    slices = slo(name="slices", target=0.99, method="Timeslices", slice_s=60.0, slice_target=0.95)
    gauge = slo(name="kv", target=0.95, sli=ThresholdSli(parse_sum("kv_usage"), "lte", 0.9))
    latency = slo("ttft_count", good='ttft_bucket{le="1.0"}', name="ttft", target=0.99)
    files = generate([slo(), latency, slices, gauge], OPTIONS).files
    kept = {name: text for name, text in files.items() if "ticket" not in name and not name.startswith("kubernetes")}
    if os.environ.get("SRE_UPDATE_GOLDEN"):
        for name, text in kept.items():
            (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
            (GOLDEN / name).write_text(text, encoding="utf-8")
    present = {path.relative_to(GOLDEN).as_posix() for path in GOLDEN.rglob("*") if path.is_file()}
    assert present == set(kept)
    for name, text in kept.items():
        assert (GOLDEN / name).read_text(encoding="utf-8") == text, f"{name}: SRE_UPDATE_GOLDEN=1 accepts the change"


def test_the_committed_files_are_those_of_the_shipped_documents(monkeypatch):
    from sre.metrics.catalogue import Catalogue
    from sre.slo.rules.write import differences, digests

    monkeypatch.chdir(ROOT)
    slos = load_slos(Path("slo"))
    sources = digests({slo.path: Path(slo.path) for slo in slos})
    generated = generate(slos, RuleOptions(catalogue=Catalogue.shipped(), sources=sources))
    assert differences(generated.files, Path("slo/generated")) == (), "run sre slo rules"


def test_the_same_documents_give_the_same_bytes(slo):
    assert generate([slo()], OPTIONS) == generate([slo()], OPTIONS)


def test_recorded_names_carry_the_window_as_a_label(slo):
    recorded = {
        (rule["record"], rule["labels"].get("window"))
        for rule in rules_of(generate([slo()], OPTIONS))
        if "record" in rule
    }
    windows = {"5m", "30m", "1h", "2h", "6h", "1d", "3d"}
    for name in (
        "slo:total_events:increase",
        "slo:bad_events:increase",
        "slo:error_ratio:ratio",
        "slo:burn_rate:ratio",
    ):
        assert {window for record, window in recorded if record == name} == windows
    alone = {record for record, window in recorded if window is None}
    assert {"slo:objective:ratio", "slo:error_budget:ratio", "slo:error_budget_remaining:ratio", "slo_info"} <= alone


def test_an_slo_has_one_alert_name_and_a_rule_a_tier(slo):
    *burns, absent = alerts_of(generate([slo()], OPTIONS))
    assert {rule["alert"] for rule in burns} == {"AvailabilityErrorBudgetBurn"}
    assert [rule["labels"]["tier"] for rule in burns] == ["page-1h", "page-6h", "ticket-1d", "ticket-3d"]
    assert [rule["labels"]["severity"] for rule in burns] == ["page", "page", "ticket", "ticket"]
    assert burns[0]["labels"]["exhaustion"] == "2d2h"
    assert (absent["alert"], absent["for"], absent["labels"]["severity"]) == ("AvailabilityNoData", "10m", "ticket")


def test_alerts_link_to_the_runbook_and_the_dashboard(slo):
    for rule in alerts_of(generate([slo()], OPTIONS)):
        assert rule["annotations"]["runbook_url"] == "https://runbooks.example/runbooks/outage.md"
        assert rule["annotations"]["dashboard"] == "https://grafana.example/d/sre-slo?var-slo=availability"


def test_both_windows_and_the_guard_stand_in_the_condition(slo):
    tier = replace(workbook_tiers(30 * DAY_S)[0], min_bad_events=7, for_s=120)
    rule = alerts_of(generate([slo(tiers=(tier,))], OPTIONS))[0]
    assert rule["for"] == "2m"
    assert re.findall(r'window="(\w+)"} >= ([\d.]+)', rule["expr"]) == [("1h", "14.4"), ("5m", "14.4"), ("1h", "7")]


def test_a_binomial_guard_is_said_not_to_be_there(slo):
    tier = replace(workbook_tiers(30 * DAY_S)[0], max_p_value=0.01)
    generated = generate([slo(tiers=(tier,))], OPTIONS)
    assert "binomial" in alerts_of(generated)[0]["annotations"]["description"]
    assert any("binomial" in note for note in generated.notes)


def test_text_of_a_document_is_no_template(slo):
    rule = alerts_of(generate([slo(title="{{ $labels.x }}", labels=(("team/owner", "a{{b"),))], OPTIONS))[0]
    assert rule["annotations"]["description"].startswith('{{ "{{" }} $labels.x }}')
    assert rule["labels"]["team_owner"] == 'a{{ "{{" }}b'


def test_labels_of_a_document_never_replace_ours(slo):
    rule = alerts_of(generate([slo(labels=(("severity", "none"), ("tier", "gold")))], OPTIONS))[0]
    assert (rule["labels"]["severity"], rule["labels"]["tier"]) == ("page", "page-1h")


def test_a_calendar_window_records_no_remaining_budget_and_says_so(slo):
    window = CalendarWindow(1, "M", datetime(2026, 1, 1), ZoneInfo("Europe/Berlin"))  # noqa: DTZ001  (wall time)
    generated = generate([slo(calendar=window)], OPTIONS)
    assert "slo:error_budget_remaining:ratio" not in generated.files["prometheus/availability.yaml"]
    assert any("calendar" in note for note in generated.notes)
    assert "calendar" in generated.files["prometheus/availability.yaml"].split("groups:")[0]


def test_a_tier_that_can_never_fire_gets_no_rule_and_a_note(slo):
    generated = generate([slo(target=0.9)], OPTIONS)
    assert alerts_of(generated)[0]["labels"]["tier"] == "page-6h"
    assert any("page-1h can never fire" in note for note in generated.notes)


def test_slices_longer_than_a_window_are_refused_with_the_slo_named(slo):
    with pytest.raises(BadDocument, match=r"slo/availability.yaml:1: availability: slices of 1h .* 5m"):
        generate([slo(method="Timeslices", slice_s=3600.0, slice_target=0.9)], OPTIONS)


def test_every_slo_that_cannot_have_rules_is_named_at_once(slo):
    slos = [slo(name=name, path=f"{name}.yaml") for name in ("a", "b")]
    with pytest.raises(BadDocument) as told:
        generate(slos, replace(OPTIONS, clock=DrillClock(60.0)))
    assert [fault.split(":")[0] for fault in told.value.faults] == ["a.yaml", "b.yaml"]
    assert all("two scrapes" in fault for fault in told.value.faults)


def test_the_drill_clock_compresses_every_window(slo):
    options = replace(OPTIONS, clock=DrillClock(60.0), scrape_interval_s=1.0)
    generated = generate([slo()], options)
    rules = rules_of(generated)
    assert {rule["labels"]["window"] for rule in rules if "window" in rule["labels"]} == {
        "5s",
        "30s",
        "1m",
        "2m",
        "6m",
        "24m",
        "1h12m",
    }
    assert alerts_of(generated)[0]["labels"]["exhaustion"] == "50m"
    assert "compressed 60 times" in alerts_of(generated)[0]["annotations"]["description"]


def test_a_window_shorter_than_the_group_interval_is_refused(slo):
    with pytest.raises(BadDocument, match="--group-interval 10m"):
        generate([slo()], replace(OPTIONS, group_interval_s=600.0))


def test_no_documents_are_no_silent_success():
    with pytest.raises(SreError, match="no SLO"):
        generate([], OPTIONS)


def test_good_events_that_nobody_exposes_are_no_data(slo):
    bad = [
        r
        for r in rule_set(slo("a_total", good="a_ok_total"), OPTIONS).recordings
        if r.name == "slo:bad_events:increase"
    ]
    assert all("or 0 * sum(a_ok_total)" in rule.expr for rule in bad)


def test_a_bucket_that_nobody_exposes_is_no_data_with_a_ticket(slo):
    latency = slo("x_count", good='x_bucket{le="0.3"}')
    rules = rule_set(latency, OPTIONS)
    assert all("or 0 *" not in rule.expr for rule in rules.recordings)
    assert rules.alerts[-1].expr == 'absent(count(x_count)) or absent(count(x_bucket{le="0.3"}))'


def test_gauges_and_slices_are_recorded_before_what_reads_them(slo):
    gauge = ThresholdSli(parse_sum("kv_usage"), "lte", 0.9)
    rules = rule_set(slo(sli=gauge, target=0.9, method="Timeslices", slice_s=60.0, slice_target=0.9), OPTIONS)
    assert [group.name for group in rules.groups] == [
        "slo-availability-samples",
        "slo-availability-slices",
        "slo-availability",
        "slo-availability-period",
    ]
    assert rules.groups[1].interval_s == 60


def test_a_faster_tier_silences_the_slower_ones_but_no_ticket_silences_a_page(slo):
    fast_ticket = replace(workbook_tiers(30 * DAY_S)[0], name="ticket-now", severity="ticket")
    slow_page = workbook_tiers(30 * DAY_S)[1]
    mixed = slo(name="mixed", tiers=(fast_ticket, slow_page))
    rules = yaml.safe_load(generate([slo(), mixed], OPTIONS).files["alertmanager/slo.yaml"])["inhibit_rules"]
    told = [(rule["source_matchers"][1], rule["target_matchers"][1]) for rule in rules]
    assert told == [
        ('tier="page-1h"', 'tier=~"page-6h|ticket-1d|ticket-3d"'),
        ('tier="page-6h"', 'tier=~"ticket-1d|ticket-3d"'),
        ('tier="ticket-1d"', 'tier=~"ticket-3d"'),
    ]
    assert all(rule["source_matchers"][2] == 'slo=~"availability"' for rule in rules)
    assert all(rule["equal"] == ["slo", "service"] for rule in rules)


def test_the_dashboard_asks_recorded_series_of_the_chosen_slo(slo):
    generated = generate([slo()], OPTIONS)
    board = json.loads(generated.files["grafana/slo.json"])
    recorded = {rule["record"] for rule in rules_of(generated) if "record" in rule}
    queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    assert all('slo="$slo"' in query for query in queries)
    asked = {name for query in queries for name in re.findall(r"slo:\w+:\w+", query)}
    assert asked <= recorded
    assert [panel["id"] for panel in board["panels"]] == list(range(1, len(board["panels"]) + 1))
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "slo"]


def test_kubernetes_gets_the_same_groups(slo):
    files = generate([slo(), slo(name="other")], OPTIONS).files
    resources = list(yaml.safe_load_all(files["kubernetes/prometheusrules.yaml"]))
    assert [one["metadata"]["name"] for one in resources] == ["slo-availability", "slo-other"]
    assert resources[0]["spec"] == yaml.safe_load(files["prometheus/availability.yaml"])


def test_labels_that_no_guess_finds_leave_a_note(slo):
    odd = RatioSli(parse_sum('r_total{code=~"[0-9]{3}(?=x)x"}'), bad=parse_sum('r_total{code=~"[0-9]{3}(?=x)x",a="b"}'))
    assert any("no promtool test shows" in note for note in generate([slo(sli=odd)], OPTIONS).notes)


def joint(slo):
    first = RatioSli(parse_sum("ttft_count"), good=parse_sum('ttft_bucket{le="1.0"}'))
    second = RatioSli(parse_sum("tpot_count"), good=parse_sum('tpot_bucket{le="0.05"}'))
    return slo(name="goodput", target=0.95, sli=JointSli((first, second)))


def test_several_criteria_are_recorded_apart_and_bounded_together(slo):
    rules = rules_of(generate([joint(slo)], RuleOptions()), "goodput")
    hour = {
        (rule["record"], rule["labels"].get("criterion")): rule["expr"]
        for rule in rules
        if "record" in rule and rule["labels"].get("window") == "1h"
    }
    assert list(hour)[:5] == [
        ("slo:total_events:increase", None),
        ("slo:criterion_total_events:increase", "2"),
        ("slo:criterion_bad_events:increase", "1"),
        ("slo:criterion_bad_events:increase", "2"),
        ("slo:bad_events:increase", None),
    ]
    of = 'slo="goodput",window="1h"'
    total, bad = f"sum(slo:total_events:increase{{{of}}})", "slo:criterion_bad_events:increase"
    seen = f'sum(slo:criterion_total_events:increase{{{of},criterion="2"}})'
    assert (
        hour["slo:bad_events:increase", None].split()
        == (
            f'clamp_max( sum({bad}{{{of},criterion="1"}}) + sum({bad}{{{of},criterion="2"}}) '
            f"+ clamp_min({total} - {seen}, 0), scalar({total}) )"
        ).split()
    )


def test_a_periods_bound_is_of_the_periods_sums(slo):
    (ratio,) = (
        rule
        for rule in rules_of(generate([joint(slo)], RuleOptions()), "goodput")
        if rule.get("record") == "slo:period_error_ratio:ratio"
    )
    assert ratio["expr"].count("sum_over_time(slo:period_criterion_bad_events:increase{") == 2
    assert "clamp_max(" in ratio["expr"]


def test_every_criterion_must_be_there_and_the_bound_is_explained(slo):
    *burns, absent = alerts_of(generate([joint(slo)], RuleOptions()), "goodput")
    for name in ("ttft_count", "tpot_count", 'ttft_bucket{le=~"1|1', "tpot_bucket{"):
        assert f"absent(count({name}" in absent["expr"]
    assert "ttft_count or tpot_count" in absent["annotations"]["query"]
    assert "Its 2 criteria are counted apart" in burns[0]["annotations"]["description"]
    assert burns[0]["annotations"]["query"] == 'slo:criterion_bad_events:increase{slo="goodput",window="5m"}'


def test_criteria_that_count_the_same_series_get_no_test_but_are_told(slo):
    one, two = (RatioSli(parse_sum("r_count"), good=parse_sum(f'r_bucket{{le="{le}"}}')) for le in (1, 2))
    generated = generate([slo(sli=JointSli((one, two)))], RuleOptions())
    assert any("no promtool test shows tier page-1h firing" in note for note in generated.notes)
