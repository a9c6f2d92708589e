"""What it cost users and the budget, in numbers; each with the record it is counted from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sre.incidents.model import FAILED_OUTCOMES
from sre.reports.formats import NOT_AVAILABLE, count, money, multiple, percent, plural, target
from sre.reports.model import DrillReport
from sre.reports.postincident.model import CostTable, Figure, Source, Sourced
from sre.reports.postincident.story import Story, event_source, report_source, words
from sre.slo.model import SloResult

REQUESTS, FAILED, COST = "requests", "requests_failed", "cost_usd"
_CLIENTS = "requests.jsonl"
_KNOWN = (REQUESTS, FAILED)


def impact(story: Story, costs: Sequence[CostTable]) -> tuple[Figure, ...]:
    """Requests, tokens, budget and money, in that order; then whatever else the store measured."""
    counted = () if story.drill is None else tuple(_of_drill(story.drill))
    return (*counted, *_of_case(story, is_drill=story.drill is not None), *_money(story, costs))


def cost_total(story: Story, costs: Sequence[CostTable]) -> Sourced | None:
    """What it cost: the first sum's total, else the store's figure, else the drill's own; None when nothing says."""
    if costs:
        return costs[0].total
    figure = story.figure(COST)
    if figure is not None or story.drill is None:
        return figure
    cost = story.drill.cost
    source = (report_source("cost/incident_total"),)
    if cost.incident_total is None:
        return Sourced(NOT_AVAILABLE, source, next(iter(cost.notes), "the drill could not price it"))
    return Sourced(money(cost.incident_total, cost.price.currency), source)


def _of_drill(drill: DrillReport) -> Iterator[Figure]:
    lost = drill.incident.impact
    failed = [point.outcome for point in drill.requests if point.outcome in FAILED_OUTCOMES]
    kinds = ", ".join(f"{failed.count(kind):,} {kind}" for kind in sorted(set(failed))) or "none of any kind"
    sent = Source(_CLIENTS, "one line a request")
    yield Figure("requests sent", Sourced(f"{len(drill.requests):,}", (sent,)), "over the whole drill")
    yield Figure("requests failed", Sourced(f"{len(failed):,}", (_failures(),)), kinds)
    if lost.window_start is not None:
        yield from _in_flight(drill)
    for result in _concerned(drill):
        yield _budget(drill, result, len(failed))


def _in_flight(drill: DrillReport) -> Iterator[Figure]:
    lost = drill.incident.impact
    of = f"of {plural(lost.requests, 'request')} in flight during the fault"
    yield Figure("failed in the fault", _impact_figure("failed", lost.failed), of)
    yield Figure("slower than promised", _impact_figure("degraded", lost.degraded), of)
    moved = Source("report.json#/incident/impact/retried", "requests with more than one replica")
    yield Figure("went on elsewhere", Sourced(f"{lost.retried:,}", (moved, Source(_CLIENTS, pick="moved"))), of)
    yield Figure("tokens delivered", _impact_figure("tokens_delivered", lost.tokens_delivered), "by requests in flight")
    yield Figure("tokens lost", _impact_figure("tokens_in_failed", lost.tokens_in_failed), "of failed requests")


def _failures() -> Source:
    return Source(_CLIENTS, f"lines whose outcome is {', '.join(sorted(FAILED_OUTCOMES))}", pick="failed")


def _impact_figure(name: str, value: int) -> Sourced:
    return Sourced(f"{value:,}", (report_source(f"incident/impact/{name}"),))


def _concerned(drill: DrillReport) -> list[SloResult]:
    """Objectives the experiment is about; those that lost budget; availability always."""
    about = () if drill.subject is None else drill.subject.slos
    return [
        result
        for result in drill.primary_results()
        if result.slo.name in about or "availability" in result.slo.name or (result.error_ratio or 0.0) > 0
    ]


def _budget(drill: DrillReport, result: SloResult, failed: int) -> Figure:
    label = f"budget spent: {result.slo.title}"
    where = f"results/{drill.results.index(result)}"
    if result.error_ratio is None:
        reason = result.no_data_reason or "no data"
        return Figure(label, Sourced(NOT_AVAILABLE, (report_source(f"{where}/no_data_reason"),), reason))
    ratio = report_source(f"{where}/error_ratio", "error ratio / (1 - target)")
    sources = (ratio, report_source(f"{where}/slo/target"))
    spent = multiple(result.error_ratio / result.slo.budget)
    note = f"of the drill's own budget: {percent(result.error_ratio)} bad, {target(result.slo.target)} promised"
    if "availability" in result.slo.name and result.total - result.good < failed:
        note += f"; it counted {count(result.total - result.good)} of the {failed:,} failures that clients saw"
    return Figure(label, Sourced(spent, sources), note)


def _of_case(story: Story, *, is_drill: bool) -> Iterator[Figure]:
    """Figures of the store. A drill's own are counted above, from the records themselves."""
    for name in sorted(story.case.head.figures):
        value = story.figure(name)
        if value is None or name == COST or is_drill:
            continue
        yield Figure(words(name), Sourced(_grouped(value.text), value.sources, value.reason))
    if not is_drill:
        for name in _KNOWN:
            if story.figure(name) is None:
                missing = Sourced(NOT_AVAILABLE, (event_source(story.opened),), "nobody measured it for this incident")
                yield Figure(words(name), missing)


def _grouped(text: str) -> str:
    return count(float(text)) if text.lstrip("-").isdigit() else text


def _money(story: Story, costs: Sequence[CostTable]) -> Iterator[Figure]:
    total = cost_total(story, costs)
    if total is None:
        total = Sourced(NOT_AVAILABLE, (event_source(story.opened),), "no sum was made of it: sre cost incident")
    yield Figure("cost", total, costs[0].spread if costs else "")
