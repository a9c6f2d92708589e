"""What injects may say in numbers: read from a drill's report, or n/a with the reason. Nothing here is estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sre.chaos.model import Drill
from sre.reports.drill_facts import drill_facts
from sre.reports.facts import first_fault, zero
from sre.reports.formats import count, money, multiple, number, plural, seconds, target
from sre.reports.model import DrillReport
from sre.slo.model import Slo
from sre.tabletop.model import Figure

NO_DRILL = "n/a (no drill of this experiment is in reports/)"
_DEFAULT_REPLICAS = 3
_OFFER = Decimal(2)
_MEASURED = (
    *("loss", "detect", "alert", "recover", "component", "proven"),
    *("gpu_hour", "fleet_minute", "per_million", "price_source", "offer", "offer_sum"),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """Texts that templates use. Times are said as `after 2.5 s` or n/a with the reason."""

    has_drill: bool
    alerted: bool
    failed: bool
    recovered: bool
    page: str
    file: str
    risk: str
    weakness: str
    replicas: str
    rate: str
    rpm: str
    loss: str
    detect: str
    alert: str
    recover: str
    component: str
    proven: str
    gpu_hour: str
    fleet_minute: str
    per_million: str
    price_source: str
    offer: str
    offer_sum: str
    budget: str

    def holds(self, condition: str) -> bool:
        """Whether a condition of an inject template holds."""
        known: Mapping[str, bool] = {
            "drill": self.has_drill,
            "alerted": self.alerted,
            "silent": not self.alerted,
            "failed": self.failed,
            "unharmed": not self.failed,
            "recovered": self.recovered,
        }
        return known[condition]


def facts_of(drill: Drill, slos: tuple[Slo, ...], report: DrillReport | None) -> Facts:
    """The facts of an exercise; without a report those that the experiment states, and n/a."""
    replicas = drill.platform.replicas or _DEFAULT_REPLICAS
    rate = drill.workload.rate_rps
    weakness = drill.weakness
    common = {
        "page": drill.runbook,
        "file": drill.path.name,
        "risk": "" if weakness is None else weakness.risk,
        "weakness": "" if weakness is None else weakness.text,
    }
    if report is None:
        nothing = dict.fromkeys(_MEASURED, NO_DRILL)
        return Facts(
            has_drill=False,
            alerted=False,
            failed=False,
            recovered=False,
            replicas=str(replicas),
            rate=number(rate),
            rpm=count(rate * 60),
            budget=_budget(slos, rate),
            **common,
            **nothing,
        )
    return Facts(
        has_drill=True,
        alerted=_seconds(report, "time_to_alert") is not None,
        failed=report.incident.impact.failed > 0,
        recovered=_seconds(report, "time_to_recover") is not None,
        replicas=str(len(report.platform.replicas)),
        rate=number(report.workload.rate_rps),
        rpm=count(report.workload.rate_rps * 60),
        loss=_loss(report),
        detect=_after(report, "time_to_detect"),
        alert=_after(report, "time_to_alert"),
        recover=_after(report, "time_to_recover"),
        component=_component(report),
        proven=_proven(report),
        budget=_budget(tuple(r.slo for r in report.primary_results()) or slos, report.workload.rate_rps),
        **_prices(report),
        **common,
    )


def figures_of(report: DrillReport | None) -> tuple[Figure, ...]:
    """The drill in numbers, each with its source; for the control side and the customer's letter."""
    if report is None:
        return (Figure("figures of a drill", NO_DRILL, "reports/"),)
    lost, facts = report.incident.impact, drill_facts(report)
    kinds = f" ({lost.truncated:,} cut in the middle, {lost.rejected:,} rejected)" if lost.failed else ""
    failed = f"{lost.failed:,}{kinds}"
    rows = [
        ("requests in the whole recording", count(len(report.requests)), "requests.jsonl"),
        ("requests in flight while it lasted", count(lost.requests), "requests.jsonl"),
        ("of these failed", failed, "requests.jsonl"),
        ("of these slow, but answered", count(lost.degraded), "requests.jsonl"),
        ("of these tried again elsewhere", count(lost.retried), "requests.jsonl"),
        ("first sign inside", _after(report, "time_to_detect"), _source(report, "detected")),
        ("first page", _after(report, "time_to_alert"), _source(report, "alerted")),
        ("what was hit served again", _after(report, "time_to_recover"), _source(report, "recovered")),
        ("budget burnt", _burnt(facts.burnt, facts.burnt_slo), report.primary_source),
        ("cost of the whole recording", money(facts.cost, facts.currency), "cost.json"),
        ("of it the incident", money(facts.incident_cost, facts.currency), "cost.json"),
    ]
    return tuple(Figure(label, value, source) for label, value, source in rows)


def platform_of(drill: Drill, report: DrillReport | None) -> tuple[tuple[str, str], ...]:
    """What players know before play; of a drill, what was up, not what happened."""
    if report is None:
        replicas = drill.platform.replicas or _DEFAULT_REPLICAS
        return (
            ("replicas", f"{replicas} model servers behind one gateway"),
            ("usual load", f"{number(drill.workload.rate_rps)} requests a second"),
            ("recording", "n/a: no recording was made for this exercise; charts and logs are told in words"),
        )
    engine = report.platform
    return (
        ("replicas", f"{', '.join(engine.replicas)}: {plural(len(engine.replicas), 'server')} behind one gateway"),
        ("server", f"{engine.server}, engine {engine.engine}, profile {engine.profile}"),
        ("usual load", f"{number(report.workload.rate_rps)} requests a second"),
        ("objectives", "; ".join(f"{r.slo.title} {target(r.slo.target)}" for r in report.primary_results()) or "n/a"),
        ("start of a replica", f"{seconds(engine.startup_s)} on the recorded platform; minutes with real weights"),
    )


def _loss(report: DrillReport) -> str:
    lost = report.incident.impact
    if lost.window_start is None:
        return f"n/a (the drill of {report.id} holds no impact window)"
    slow = f", {lost.degraded:,} were slow" if lost.degraded else ""
    kinds = f" ({lost.truncated:,} cut in the middle, {lost.rejected:,} rejected)" if lost.failed else ""
    return f"{lost.failed:,} of {plural(lost.requests, 'request')} in flight failed{kinds}{slow}"


def _component(report: DrillReport) -> str:
    fault = first_fault(report)
    if fault is None:
        return "n/a (the drill holds no fault)"
    return ", ".join((*fault.replicas, *fault.components)) or fault.target


def _proven(report: DrillReport) -> str:
    """Which mitigation of a runbook the drill carried out, and whether it helped."""
    told = []
    for one in report.mitigations:
        begin = (
            f"`{'; '.join(one.command.splitlines())}` was begun {seconds(one.began_at - zero(report))} after the fault"
        )
        helped = f"not verified ({one.why})" if one.verified_at is None else "verified"
        took = "" if one.verified_at is None else f" {seconds(one.verified_at - one.began_at)} later"
        told.append(f"{one.title}: {begin}, {helped}{took}")
    return "; ".join(told) or "no mitigation was carried out in this drill"


def _prices(report: DrillReport) -> dict[str, str]:
    cost = report.cost
    price, currency = cost.price.per_gpu_hour, cost.price.currency
    gpus = len(report.platform.replicas) * cost.gpus_per_replica
    offer = price * _OFFER
    return {
        "gpu_hour": money(price, currency),
        "fleet_minute": money(price * gpus / 60, currency),
        "per_million": money(cost.per_million_tokens, currency),
        "price_source": f"{cost.price.source}, {cost.price.validity}; as if each emulated GPU were a {cost.price.gpu}",
        "offer": money(offer, currency),
        "offer_sum": money(offer * 2 * 24, currency),
    }


def _budget(slos: tuple[Slo, ...], rate: float) -> str:
    """The availability objective in events and minutes: 1 - target of a period's requests."""
    slo = next((one for one in slos if "availability" in one.name), None)
    if slo is None:
        return "n/a (no availability objective is known)"
    days = slo.period_s / 86400
    events, minutes = round(slo.budget * rate * slo.period_s), slo.budget * slo.period_s / 60
    return (
        f"{target(slo.target)} over {days:g} days leaves {count(events)} failed requests at {number(rate)} a second, "
        f"or {minutes:.0f} minutes of full outage"
    )


def _burnt(burnt: float | None, slo: str | None) -> str:
    return "n/a (no objective had data)" if burnt is None else f"{multiple(burnt)} that of the recording's span ({slo})"


def _source(report: DrillReport, milestone: str) -> str:
    return next((one.source for one in report.incident.milestones if one.name == milestone), "n/a")


def _seconds(report: DrillReport, name: str) -> float | None:
    return next((one.seconds for one in report.incident.durations if one.name == name), None)


def _after(report: DrillReport, name: str) -> str:
    for one in report.incident.durations:
        if one.name == name:
            return f"n/a ({one.reason})" if one.seconds is None else f"after {seconds(one.seconds)}"
    return "n/a (not measured by this drill)"
