"""The FinOps briefing: every number explained and marked, measured and assumed apart, the same bytes every time."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from sre.cost.finance import no_finance
from sre.cost.finance_reader import read_finance
from sre.cost.model import CostLayers
from sre.cost.policies import PolicyCost, PolicyCosts
from sre.errors import BadDocument, NoData, SreError
from sre.incidents.case import fold
from sre.incidents.events import Approved, Draft, Event, ItemSet, Measured, MilestoneMark, Opened
from sre.reports.finops_build import DrillSource, Options, StoreFacts, briefing
from sre.reports.finops_cases import case_facts, sign_offs, with_response
from sre.reports.finops_charts import briefing_charts
from sre.reports.finops_drill import costs_of_drill
from sre.reports.finops_facts import drill_facts_for_cost, gpu_use, limits_of
from sre.reports.finops_view import view
from sre.reports.finops_words import signed, simulated
from sre.reports.finops_write import render_html, render_markdown, write_finops

FINANCE = read_finance(Path(__file__).parents[3] / "finance.yaml")
QUICK = Options(years=300)
POLICIES = PolicyCosts(
    path="compare.json",
    currency="USD",
    price="p",
    traffic="a day",
    profile="h100",
    duration_s=Decimal(3600),
    baseline="fixed 9",
    policies=(
        PolicyCost("fixed 9", True, Decimal(1), Decimal(9), Decimal(2), Decimal(6480), None),
        PolicyCost("hpa", False, Decimal("0.995"), Decimal("6.5"), Decimal("1.5"), Decimal(4680), Decimal(1800)),
        PolicyCost("mean", False, Decimal("0.5"), Decimal(4), Decimal(3), Decimal(2880), Decimal(3600)),
    ),
)


def folded(*payloads: object, incident: str = "INC-0007"):
    drafts = [Draft(1000.0 + 60 * place, payload, "", "a test", "kim") for place, payload in enumerate(payloads)]
    return fold(
        [
            Event(incident, place, place, d.at, d.at, d.payload, d.text, d.source, d.actor, "", "")
            for place, d in enumerate(drafts, start=1)
        ]
    )


CASE = folded(
    Opened("First tokens are late", "alertmanager", "SEV2"),
    MilestoneMark("acknowledged", 1060.0),
    Measured({"requests_failed": "420", "requests_rejected": "100", "requests_degraded": ""}, {}),
    ItemSet("A1", "Raise the queue limit", "kim", None, "2026-12-04", "open"),
    ItemSet("A2", "Alert on retries", "", None, "1970-01-01", "open"),
    Approved("Finance", "R. Osei", "finops.html", "ab" * 32),
    MilestoneMark("resolved", 2860.0),
)


@pytest.fixture(scope="module")
def whole(drill):
    store = StoreFacts(cases=(CASE,), signed=(CASE,), items=CASE.items)
    asked = replace(QUICK, policies=POLICIES)
    return briefing([DrillSource(drill, None, "report.html")], FINANCE, store=store, options=asked)


@pytest.fixture(scope="module")
def html(whole):
    return render_html(view(whole, briefing_charts(whole)))


@pytest.fixture(scope="module")
def markdown(whole):
    return render_markdown(view(whole, briefing_charts(whole)))


def test_the_drills_failures_are_counted_once_each_from_the_clients_records(drill) -> None:
    facts = drill_facts_for_cost(drill, gpu_use(drill, None))
    failed = [r for r in drill.requests if r.outcome in ("error", "truncated", "timeout")]
    assert facts.failed.value == len(failed)
    assert facts.rejected.value == 0
    assert facts.called_nobody == ""  # requests failed: somebody would have been called


def test_a_fault_that_failed_nothing_and_paged_nobody_costs_no_labour(drill, factory) -> None:
    fine = tuple(replace(r, outcome="ok", ttft_s=0.1) for r in drill.requests)
    quiet = replace(drill.incident, milestones=tuple(replace(m, at=None) for m in drill.incident.milestones))
    found = briefing([DrillSource(replace(drill, requests=fine, incident=quiet), None)], FINANCE, options=QUICK)
    lines = {line.name: line for line in found.drills[0].incident.lines}
    assert lines["labour"].amount == 0
    assert "nobody would have been called" in lines["labour"].formula
    assert not any(name.startswith("labour: ") for name in lines)


def test_slow_is_what_the_slo_of_the_first_token_says(drill) -> None:
    assert limits_of(drill).ttft_s == 1.0


def test_a_drill_without_a_fault_has_no_incident(drill, factory) -> None:
    quiet = factory.without_fault(drill)
    with pytest.raises(NoData, match="no fault was injected"):
        drill_facts_for_cost(quiet, gpu_use(quiet, None))
    found = briefing([DrillSource(quiet, None)], FINANCE, options=QUICK)
    assert found.drills[0].incident is None
    assert found.headline[1].startswith("No incident has a cost in the period")


def test_both_unit_costs_are_shown_and_the_good_one_is_never_the_lower(whole, html) -> None:
    assert whole.spent.per_million_good_tokens > whole.spent.per_million_tokens
    assert "per million generated tokens" in html
    assert "per million good tokens" in html


def test_the_parts_of_the_bill_add_up_to_it(whole) -> None:
    assert sum(amount for _, amount in whole.spent.parts) == whole.spent.bill


def test_the_headline_is_three_sentences_with_currency_and_range(whole) -> None:
    assert len(whole.headline) == 3
    assert whole.headline[0].startswith("1 drill used GPUs for $0.25")
    assert "1 incident cost $" in whole.headline[1]
    assert "p10" in whole.headline[2]
    assert "in simulation hpa saves $1,800 a month against fixed 9 at 99.50 % good" in whole.headline[2]


def test_illustrative_figures_are_marked_before_anything_else(html, markdown) -> None:
    assert html.index("Illustrative figures: finance.yaml holds example assumptions") < html.index("used GPUs for")
    assert markdown.index("Illustrative figures") < markdown.index("used GPUs for")


def test_every_line_of_a_sum_has_basis_formula_and_source(whole) -> None:
    for one in (whole.drills[0].drill, whole.drills[0].incident, whole.cases[0].cost, whole.outage):
        for line in one.lines:
            assert line.source or line.amount is None, line
            assert line.formula or line.reason, line
            assert line.basis in ("measured", "assumed")


def test_what_only_people_assumed_is_never_called_measured(whole) -> None:
    labour = [line for line in whole.drills[0].incident.lines if line.name.startswith("labour: ")]
    assert {line.basis for line in labour} == {"assumed"}
    assert not any(line.is_billed for line in labour)


def test_policies_are_marked_simulated_and_bad_service_is_no_saving(html) -> None:
    assert "Scaling policies (simulated)" in html
    assert "($3,600, too few good)" in html
    assert "(cost of fixed 9 - cost of the policy) x 30 d / 1 h" in html


def test_follow_ups_show_owner_due_and_what_is_overdue(whole, html) -> None:
    assert [(one.item, one.overdue) for one in whole.follow_ups] == [("A2", True), ("A1", False)]
    assert "open, overdue" in html
    assert "nobody" in html


def test_roles_that_have_not_signed_have_room_to(whole, markdown) -> None:
    assert [(one.role, one.name) for one in whole.sign_offs] == [
        ("SRE lead", ""),
        ("Security/GRC", ""),
        ("Finance", "R. Osei"),
    ]
    assert "R. Osei" in markdown
    assert sign_offs(())[0].decision == ""


def test_a_case_of_the_store_is_priced_by_its_figures_and_its_people() -> None:
    facts = case_facts(CASE)
    assert (facts.failed.value, facts.rejected.value) == (320, 100)
    assert facts.slow.reason == "nobody recorded requests_degraded: `sre incident measure`"
    assert facts.response.value == Decimal("0.5")  # 1,800 s from acknowledged to resolved


def test_a_drill_somebody_acknowledged_was_no_silent_one(drill) -> None:
    facts = replace(drill_facts_for_cost(drill, gpu_use(drill, None)), called_nobody="silent")
    assert with_response(facts, CASE).called_nobody == ""
    assert with_response(facts, folded(Opened("x", "drill", "SEV4"))).called_nobody == "silent"


def test_the_same_inputs_give_the_same_bytes(drill, tmp_path) -> None:
    for name in ("a", "b"):
        write_finops(tmp_path / name, report=drill, finance=FINANCE, case=CASE, options=QUICK)
    for file in ("finops.html", "finops.md", "finops.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
    assert not (tmp_path / "a" / "manifest.json").exists()


def test_the_json_holds_the_sums_as_text_and_no_floats_of_money(drill, tmp_path) -> None:
    write_finops(tmp_path, report=drill, finance=FINANCE, options=QUICK)
    document = json.loads((tmp_path / "finops.json").read_text("utf-8"))
    assert document["schema"] == 1
    assert document["drills"][0]["drill_total"] == "505.25116"
    assert document["spent"]["bill"] == "0.251160"


def test_the_page_is_offline_escaped_and_its_links_stay_in_the_folder(drill, tmp_path) -> None:
    write_finops(tmp_path, report=replace(drill, title="<script>alert(1)</script>"), finance=FINANCE, options=QUICK)
    page = (tmp_path / "finops.html").read_text("utf-8")
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=\"https?:", page)
    links = set(re.findall(r'<a href="([^"]+)"', page))
    assert links <= {
        "#inputs",
        "cost.json",
        "events.jsonl",
        "requests.jsonl",
        "workload.json",
        "incident.json",
        "samples.jsonl",
    }
    assert "cost.json" in links


def test_without_finance_only_the_bill_is_told_and_the_rest_says_why(drill) -> None:
    found = briefing([DrillSource(drill, None)], no_finance("USD"), options=QUICK)
    assert found.roi is None
    assert found.outage.total is not None  # the fleet's GPUs alone
    page = render_html(view(found, briefing_charts(found)))
    assert "No finance.yaml: only what is on the bill can be told." in page
    assert "a return needs programme, good_request, requests_a_month, labour" in page
    assert "n/a: finance.yaml has no good_request" in page


def test_two_currencies_are_refused(drill) -> None:
    with pytest.raises(BadDocument, match=r"finance.yaml is in EUR, the price list-2026 in USD: nothing is converted"):
        briefing([DrillSource(drill, None)], replace(FINANCE, currency="EUR"), options=QUICK)


def test_nothing_at_all_is_no_briefing() -> None:
    with pytest.raises(SreError, match="nothing to brief on"):
        briefing([], FINANCE)


def test_many_drills_are_one_page_with_the_dearest_first_and_the_rest_in_one_row(drill) -> None:
    many = [
        DrillSource(replace(drill, id=f"d{n:02}", started_at=drill.started_at + n), None, f"d{n:02}/report.html")
        for n in range(11)
    ]
    found = briefing(many, FINANCE, options=QUICK)
    markdown = render_markdown(view(found))
    assert "3 more drills, together" in markdown
    assert found.spent.bill == 11 * Decimal("0.251160")
    assert found.roi_assumed is not None  # eleven measured recoveries took the place of the assumed minutes
    assert next(one for one in found.roi.inputs if one.name == "minutes with").basis == "measured"
    assert "net benefit, minutes as assumed" in markdown


def test_amounts_are_no_more_exact_than_what_they_rest_on() -> None:
    assert simulated(Decimal("127894.53"), "USD") == "$128,000"
    assert simulated(Decimal("-13242.45"), "USD") == "-$13,200"
    assert simulated(Decimal("12.345"), "USD") == "$12.30"
    assert simulated(Decimal(0), "USD") == "$0.00"
    assert simulated(None, "USD") == "n/a"
    assert signed(Decimal("-5"), "EUR") == "-€5.00"


def test_a_drills_costs_are_the_incidents_first_for_whoever_shows_them(drill, factory) -> None:
    incident, held = costs_of_drill(drill, None, FINANCE)
    assert "failed requests" in [line.name for line in incident.lines]
    assert "GPUs of the drill" in [line.name for line in held.lines]
    assert len(costs_of_drill(factory.without_fault(drill), None, FINANCE)) == 1


def test_who_acknowledged_the_drill_is_paid_by_the_hours_it_took(drill) -> None:
    worked = replace(CASE, head=replace(CASE.head, key=drill.id))
    found = briefing([DrillSource(drill, None)], FINANCE, store=StoreFacts(signed=(worked,)), options=QUICK)
    lines = {line.name: line for line in found.drills[0].incident.lines}
    assert lines["labour: SRE, response"].amount == 95  # 2 people x 0.5 h x 95


def test_a_stored_drill_that_failed_nothing_called_nobody() -> None:
    silent = folded(Opened("x", "drill", "SEV4"), Measured({"requests_failed": "0", "requests_rejected": "0"}, {}))
    paged = folded(
        Opened("x", "drill", "SEV4"), Measured({"requests_failed": "0"}, {}), MilestoneMark("alerted", 1100.0)
    )
    assert "nobody would have been called" in case_facts(silent).called_nobody
    assert case_facts(paged).called_nobody == ""
    assert case_facts(CASE).called_nobody == ""


def test_layers_are_shown_and_what_is_shared_keeps_its_own_price(drill) -> None:
    amounts = [Decimal(text) for text in ("0.20", "0.01", "0.04", "0.05")]
    layers = CostLayers("USD", *amounts, bill=Decimal("0.30"), parts=(), units=(), busy_share=None)
    layered = replace(drill, cost=replace(drill.cost, layers=layers))
    twice = replace(drill.cost.price, per_gpu_hour=drill.cost.price.per_gpu_hour * 2)
    plain = briefing([DrillSource(layered, None)], FINANCE, options=QUICK).spent
    dear = briefing([DrillSource(layered, None)], FINANCE, options=replace(QUICK, price=twice)).spent
    assert plain.layered
    assert plain.bill == Decimal("0.30")
    assert dear.bill == Decimal("0.55")  # 2 x 0.25 + 0.05


def test_a_minute_of_outage_is_priced_as_the_newest_drill_was(drill) -> None:
    dearer = replace(drill.cost.price, per_gpu_hour=drill.cost.price.per_gpu_hour * 2, name="newest")
    later = replace(drill, id="later", started_at=drill.started_at + 100, cost=replace(drill.cost, price=dearer))
    found = briefing([DrillSource(later, None, "a"), DrillSource(drill, None, "b")], FINANCE, options=QUICK)
    assert any("newest" in line.source for line in found.outage.lines)


def test_samples_that_are_missing_or_cannot_be_read_leave_the_incidents_layers_unknown(drill, tmp_path) -> None:
    def reasons() -> set[str]:
        incident = costs_of_drill(drill, tmp_path, FINANCE)[0]
        return {line.reason for line in incident.lines if line.name.startswith(("tokens", "GPUs paid while un"))}

    assert reasons() == {"there are no samples of the drill (samples.jsonl)"}
    (tmp_path / "samples.jsonl").write_text('{"schema": 99}\n{\n{"at": "x"}\n')
    assert reasons() == {"samples.jsonl cannot be read: see `sre cost report`"}
