"""From SLOs, their rules and drills to the facts of an alert's page: one page an alert that `sre slo rules` writes."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sre.errors import BadDocument
from sre.metrics.catalogue import Catalogue
from sre.reports.runbook_facts import slo_fact
from sre.runbooks.alert_model import AlertFacts, AlertKind, CarriedOut, Fired, Silent
from sre.runbooks.model import AlertFact, DrillFact, ExperimentFact
from sre.runbooks.render import slo_queries
from sre.slo.model import Slo
from sre.slo.rules.alerts import ABSENT_FOR_S, absent_name, alert_name
from sre.slo.rules.build import rule_set
from sre.slo.rules.model import RuleOptions, RuleSet

GENERATED = "slo/generated"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert by name, and the SLO it is about."""

    name: str
    kind: AlertKind
    slo: Slo


@dataclass(frozen=True, slots=True)
class Drilled:
    """A drill with its experiment and the page of the failure; `slos` are those the experiment is about."""

    page: str
    experiment: ExperimentFact
    slos: tuple[str, ...]
    drill: DrillFact


def alerts_of(slos: Iterable[Slo]) -> tuple[Alert, ...]:
    """Both alerts of each SLO that can have rules: its burn, and the absence of data."""
    return tuple(alert for slo in slos if _can_alert(slo) for alert in _both(slo))


def alert_facts(alert: Alert, drilled: Sequence[Drilled]) -> AlertFacts:
    """The page's facts, from the drills of all failures."""
    rules = rule_set(alert.slo, _options())
    fired = tuple(sorted(_fired(alert, drilled), key=lambda one: (one.fired_after_s, one.experiment)))
    return AlertFacts(
        page=alert.name,
        kind=alert.kind,
        slo=slo_fact(alert.slo),
        service=alert.slo.service,
        description=alert.slo.description,
        period_s=alert.slo.period_s,
        for_s=ABSENT_FOR_S if alert.kind == "no-data" else 0.0,
        queries=(*slo_queries(alert.slo.name), *_failing_side(alert, rules)),
        rules_file=f"{GENERATED}/prometheus/{alert.slo.name}.yaml",
        fired=fired,
        silent=tuple(_silent(alert, drilled, {one.page for one in fired})),
        carried_out=tuple(_carried_out(drilled)),
    )


def _both(slo: Slo) -> tuple[Alert, Alert]:
    return Alert(alert_name(slo), "burn", slo), Alert(absent_name(slo), "no-data", slo)


def _can_alert(slo: Slo) -> bool:
    """`sre slo rules` says what is wrong with one that cannot; here it only has no page."""
    try:
        rule_set(slo, _options())
    except BadDocument:
        return False
    return True


@functools.cache
def _options() -> RuleOptions:
    """As `sre slo rules` has them by itself; reading the catalogue of metrics takes a quarter of a second."""
    return RuleOptions(catalogue=Catalogue.shipped())


def _failing_side(alert: Alert, rules: RuleSet) -> Iterator[tuple[str, str]]:
    """What the rule itself names as the query to look at first."""
    texts = {rule.name: dict(rule.annotations) for rule in reversed(rules.alerts)}
    query = texts.get(alert.name, {}).get("query")
    if query is not None:
        title = "what is counted, by instance" if alert.kind == "burn" else "the series that are missing"
        yield f"{alert.slo.name}: {title}", " ".join(query.split())


def _fired(alert: Alert, drilled: Sequence[Drilled]) -> Iterator[Fired]:
    if alert.kind != "burn":
        return
    for one in drilled:
        mine = [fact for fact in one.drill.alerts if fact.objective == alert.slo.name]
        if mine:
            yield _first(one, min(mine, key=lambda fact: (fact.severity != "page", fact.fired_after_s)))


def _first(one: Drilled, fact: AlertFact) -> Fired:
    """The tier that would have woken somebody, where one would have."""
    return Fired(
        experiment=one.experiment.id,
        title=one.experiment.title,
        page=one.page,
        report_id=one.drill.report_id,
        date=one.drill.date,
        tier=fact.tier,
        severity=fact.severity,
        fired_after_s=fact.fired_after_s,
        reset_after_s=fact.reset_after_s,
        failed=one.drill.failed,
        requests=one.drill.requests,
        clock_factor=one.drill.clock_factor,
    )


def _silent(alert: Alert, drilled: Sequence[Drilled], fired: set[str]) -> Iterator[Silent]:
    """Without failures that made it fire in another drill: a page tells one story of each."""
    for one in drilled:
        is_about = alert.slo.name in one.slos and one.drill.is_proof
        if alert.kind == "burn" and is_about and one.page not in fired:
            yield Silent(one.experiment.id, one.page, one.drill.date)


def _carried_out(drilled: Sequence[Drilled]) -> Iterator[CarriedOut]:
    for one in drilled:
        for done in one.drill.mitigations:
            if one.drill.is_proof and done.exit_code == 0 and done.verified_after_s is not None:
                yield CarriedOut(
                    mitigation=done.mitigation,
                    command=done.command,
                    check=done.check,
                    experiment=one.experiment.id,
                    page=one.page,
                    date=one.drill.date,
                    verified_after_s=done.verified_after_s,
                )


def generated_rules(workspace: Path) -> tuple[Path, ...]:
    """The Prometheus rule files that `sre slo rules` wrote here."""
    return tuple(sorted((workspace / GENERATED / "prometheus").glob("*.yaml")))
