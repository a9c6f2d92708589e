"""A drill passes only when the experiment did and what it promised came true; doubts about the measurement are told."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from sre.chaos.model import Expected, ExpectedCost, Judgement
from sre.cost.model import CostReport, Price
from sre.gameday.checks import checks, verdict
from sre.gameday.evaluate import Replays
from sre.gameday.weakness import deviates_as_known
from sre.incidents.durations import durations
from sre.incidents.milestones import NAMES
from sre.incidents.model import FaultWindow, Impact, Incident, Milestone
from sre.metrics.model import Selector
from sre.risks.model import Risk
from sre.slo.model import Alert, BurnCurve, RatioSli, Slo, SloResult
from sre.slo.tiers import workbook_tiers

PASSED = Judgement("passed", (), ())
EXPECTED = Expected("availability", 10.0, 20.0)
FAULT = FaultWindow("f-1", "replica-crash", "llm-0", 100.0, 105.0, True, "process gone")
WORKLOAD = {"lag_ms": {"p99": 1.0}}


def result(*alerts, name="availability", bad=3.0, no_data=None):
    slo = Slo(name, name, "", "llm", 0.999, 86400.0 * 28, RatioSli((Selector("t"),), bad=(Selector("b"),)), "x.yaml")
    curves = tuple(BurnCurve(t, np.empty(0), np.empty(0), np.empty(0)) for t in workbook_tiers(slo.period_s))
    total = 100.0 if no_data is None else 0.0
    ratio = bad / total if total else None
    return SloResult(slo, "scraper", 0.0, 200.0, total - bad if total else 0.0, total, ratio, no_data, curves, alerts)


def page(fired_at, slo="availability"):
    return Alert(slo, "page-1h", "page", fired_at, fired_at + 5)


def incident(recovered_at=105.0):
    times = dict.fromkeys(NAMES, 100.0) | {"recovered": recovered_at}
    marks = tuple(Milestone(n, times[n], "x", None if times[n] is not None else "never served") for n in NAMES)
    impact = Impact(10, 3, 3, 0, 0, 100, 5)
    return Incident("i", "t", "replica-crash", "llm-0", "SEV2", (), marks, durations(marks), impact)


def bill(incident_usd="0.10", good="12", currency="USD"):
    price = Price("list", "H100", Decimal(3), currency, None, "a price list")
    every, dear = Decimal(10), None if good is None else Decimal(good)
    lost = None if incident_usd is None else Decimal(incident_usd)
    return CostReport(price, 1, 300.0, 290.0, 10.0, Decimal(1), 9, 8, 1, every, dear, lost, lost, lost, ())


def found(**changes):
    base = {
        "judgement": PASSED,
        "expected": EXPECTED,
        "slos": ("availability",),
        "faults": [FAULT],
        "incident": incident(),
        "cost": bill(),
        "primary": [result(page(103.0))],
        "differences": (),
        "sources": ("scraper", "prometheus"),
        "workload": WORKLOAD,
        "replays": Replays(None, None),
        "load_covered_chaos": True,
    }
    return checks(**(base | changes))


def outcome(judgement=PASSED, **changes):
    return verdict(judgement, found(judgement=judgement, **changes))


def test_everything_as_promised_passes():
    assert outcome() == ("passed", ())


def test_a_promise_to_lose_no_request_is_held_against_what_the_clients_saw():
    promised = Expected("availability", 10.0, 20.0, failed_requests=0)
    lossless = WORKLOAD | {"run": {"sent": 9, "outcomes": {"ok": 8, "invalid": 1}}}
    assert outcome(expected=promised, workload=lossless)[0] == "passed"
    survived = found(expected=promised, workload=lossless, replays=Replays(7, 1234))
    told = "none; 7 streams went on elsewhere, 1,234 tokens computed again"
    assert told in [check.observed for check in survived]
    lossy = WORKLOAD | {"run": {"sent": 9, "outcomes": {"ok": 6, "truncated": 2, "timeout": 1}}}
    assert outcome(workload=lossy)[0] == "passed"
    said = "requests survive: expected none failed, observed 2 truncated, 1 timeout"
    assert outcome(expected=promised, workload=lossy) == ("deviated", (said,))


def test_an_alert_that_came_too_late_deviates():
    verdict_, reasons = outcome(primary=[result(page(111.0))])
    assert verdict_ == "deviated"
    assert reasons == ("availability pages: expected within 10 s of the fault, observed page-1h after 11.0 s",)


def test_an_alert_of_another_objective_does_not_count():
    assert outcome(primary=[result(), result(page(101.0, "goodput"), name="goodput")])[0] == "deviated"


def test_an_alert_that_fired_before_the_fault_is_no_detection():
    verdict_, reasons = outcome(primary=[result(page(50.0))])
    assert verdict_ == "deviated"
    assert "before the fault only" in reasons[0]


def test_a_ticket_is_no_page():
    ticket = Alert("availability", "ticket-1d", "ticket", 101.0, None)
    assert outcome(primary=[result(ticket)])[0] == "deviated"


def test_silence_is_right_when_the_slo_counted_fewer_bad_events_than_the_low_traffic_guard_asks_for():
    assert outcome(primary=[result(bad=1.0)]) == ("passed", ())
    assert outcome(primary=[result(bad=2.0)])[0] == "deviated"


def test_silence_is_not_right_when_clients_lost_what_availability_never_counted():
    lossy = WORKLOAD | {"run": {"sent": 90, "outcomes": {"ok": 79, "error": 2, "truncated": 9}}}
    verdict_, reasons = outcome(workload=lossy, primary=[result(bad=0.0)])
    assert verdict_ == "deviated"
    assert "silent: clients lost 11 requests, of which it counted 0" in reasons[0]
    speed = Expected("ttft", 10.0, 20.0)
    assert outcome(workload=lossy, expected=speed, primary=[result(name="ttft", bad=0.0)])[0] == "passed"


def test_silence_of_an_slo_without_data_is_never_right():
    verdict_, reasons = outcome(primary=[result(no_data="the scraper saw nothing")])
    assert verdict_ == "deviated"
    assert "could not fire: the scraper saw nothing" in reasons[0]


def test_a_target_that_never_serves_again_deviates():
    verdict_, reasons = outcome(incident=incident(recovered_at=None))
    assert verdict_ == "deviated"
    assert "never served" in reasons[0]


def test_load_that_ended_too_early_deviates():
    assert outcome(load_covered_chaos=False)[0] == "deviated"


def test_a_worse_verdict_of_the_experiment_stands():
    void = Judgement("void", ("nobody proved it",), ())
    verdict_, reasons = outcome(void, primary=[result()])
    assert verdict_ == "void"
    assert reasons[0] == "nobody proved it"


def test_doubts_about_the_measurement_are_shown_but_do_not_decide():
    late = {"lag_ms": {"p99": 80.0}}
    rows = {c.name: c for c in found(workload=late, differences=("availability total: 5 against 9",))}
    assert not rows["load generator kept time"].ok
    assert not rows["sources agree"].ok
    assert outcome(workload=late, differences=("x",)) == ("passed", ())


def test_one_source_alone_has_nothing_to_agree_with():
    assert "sources agree" not in {c.name for c in found(sources=("scraper",))}


def test_refused_requests_are_a_doubt_about_the_trace_not_about_the_platform():
    thin = WORKLOAD | {"run": {"sent": 120, "outcomes": {"ok": 106, "invalid": 14}}}
    rows = {c.name: c for c in found(workload=thin)}
    assert "14 of 120" in rows["requests are valid"].observed
    assert outcome(workload=thin) == ("passed", ())


def test_what_follows_from_an_abort_is_no_further_reason():
    aborted = Judgement("aborted", ("the steady state was not met",), ())
    assert outcome(aborted, faults=[], primary=[result()]) == ("aborted", ("the steady state was not met",))


def row(key, **changes):
    (check,) = [check for check in found(**changes) if check.key == key]
    return check


SILENCE = Expected(None, 0.0, 20.0)


def test_where_silence_is_expected_any_alert_after_the_fault_deviates():
    assert outcome(expected=SILENCE, primary=[result(), result(name="goodput")]) == ("passed", ())
    verdict_, reasons = outcome(expected=SILENCE, primary=[result(), result(page(104.0, "goodput"), name="goodput")])
    assert verdict_ == "deviated"
    assert reasons == ("no SLO alerts: expected silence after the fault, observed goodput page-1h after 4.0 s",)
    assert outcome(expected=SILENCE, primary=[result(page(90.0))])[0] == "passed"


def test_silence_of_those_who_could_not_have_spoken_is_worth_nothing():
    blind = result(no_data="the scraper saw nothing")
    assert "none could fire: the scraper saw nothing" in row("alert", expected=SILENCE, primary=[blind]).observed
    assert row("alert", expected=SILENCE, primary=[result(), result(name="queue", no_data="no queue")]).ok
    assert not row("alert", expected=SILENCE, slos=(), primary=[blind]).ok


@pytest.mark.parametrize(
    ("expected", "cost", "ok"),
    [
        (ExpectedCost(max_incident_usd=Decimal("0.10")), bill(), True),
        (ExpectedCost(max_incident_usd=Decimal("0.09")), bill(), False),
        (ExpectedCost(max_incident_usd=Decimal("0.10")), bill(None), False),
        (ExpectedCost(max_incident_usd=Decimal("0.10")), bill(currency="EUR"), False),
        (ExpectedCost(max_good_token_factor=1.2), bill(), True),
        (ExpectedCost(max_good_token_factor=1.1), bill(), False),
        (ExpectedCost(max_good_token_factor=9.0), bill(good=None), False),
    ],
)
def test_a_promised_cost_is_held_against_the_bill_and_an_unknown_one_fulfils_nothing(expected, cost, ok):
    promised = replace(EXPECTED, cost=expected)
    assert row("cost", expected=promised, cost=cost).ok is ok
    assert outcome(expected=promised, cost=cost)[0] == ("passed" if ok else "deviated")


def test_a_fault_that_somebody_else_had_to_take_away_is_told_and_decides_nothing():
    left = replace(FAULT, undone_at=103.0, undone_by="watchdog")
    assert row("undone", faults=[left]).observed == "replica-crash by watchdog"
    assert outcome(faults=[left]) == ("passed", ())
    assert row("undone", faults=[replace(left, undone_by="run")]).ok


RISK = Risk("RISK-001", "t", "open", "us", ("EXP-007",), ("alert", "recovery"), "m", "n")


def known(risk=RISK, **changes):
    rows = found(**changes)
    return deviates_as_known(verdict(changes.get("judgement", PASSED), rows)[0], rows, risk)


def test_a_drill_that_deviates_as_its_weakness_says_is_known():
    late = {"primary": [result(page(111.0))]}
    assert known(**late)
    assert known(**late, incident=incident(recovered_at=None))
    assert not known(**late, load_covered_chaos=False)
    assert not known(None, **late)
    assert not known(replace(RISK, status="mended"), **late)


def test_what_is_known_excuses_neither_a_pass_nor_a_void_drill_nor_a_steady_state_that_did_not_return():
    assert not known()
    assert not known(judgement=Judgement("void", ("nobody proved it",), ()), primary=[result(page(111.0))])
    gone = Judgement("deviated", ("availability is 0.5",), ())
    assert not known(judgement=gone)
    assert known(replace(RISK, shows=("steady-state",)), judgement=gone)
