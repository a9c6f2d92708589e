"""Three sentences: what happened, what it did to users, how it ended. Each is one sentence, whatever titles hold."""

from __future__ import annotations

import re

from sre.reports.facts import availability, first_fault
from sre.reports.formats import NOT_AVAILABLE, count, date_time, number, percent, plural, seconds, target
from sre.reports.model import DrillReport
from sre.reports.postincident.impact import FAILED, REQUESTS, cost_total
from sre.reports.postincident.model import CostTable, Source, Sourced
from sre.reports.postincident.story import Story, event_source, report_source
from sre.slo.model import SloResult

_ORIGINS = {"drill": "a drill", "alertmanager": "an alert", "manual": "a person", "tabletop": "an exercise"}
_ENDINGS = {
    "open": "it is still open",
    "acknowledged": "it is acknowledged and not over",
    "mitigated": "it is mitigated and not resolved",
    "resolved": "it was resolved",
    "closed": "it was closed",
}


def summary(story: Story, costs: tuple[CostTable, ...]) -> tuple[Sourced, Sourced, Sourced]:
    """The three sentences with their sources."""
    if story.drill is None:
        return _opened(story), _harm_by_figures(story), _ended(story, costs)
    return _injected(story, story.drill), _harm_in_drill(story.drill), _ended(story, costs)


def one_clause(text: str) -> str:
    """Text from outside as part of a sentence: no full stop inside that would end it."""
    flat = " ".join(text.split()).rstrip(" .!?")
    return re.sub(r"[.!?]+(?=\s)", ";", flat)


def _injected(story: Story, drill: DrillReport) -> Sourced:
    fault = first_fault(drill)
    load = f"while {number(drill.workload.rate_rps)} requests per second were offered"
    if fault is None:
        text = f"On {date_time(drill.started_at)} the drill '{one_clause(drill.title)}' ran {load}, without a fault."
        return Sourced(text, (report_source("faults"),))
    among = f"{fault.target} ({plural(len(drill.platform.replicas), 'replica')} served)"
    more = f", the first of {len(drill.faults)} faults," if len(drill.faults) > 1 else ""
    proof = "was proven from outside" if fault.proven else "could not be proven"
    hit = f"a drill injected {fault.fault}{more} into {among}"
    text = f"On {date_time(fault.begin)} {hit} {load}, and its effect {proof}."
    sources = (*story.sources("fault_injected"), report_source("faults/0"), report_source("workload/rate_rps"))
    return Sourced(text, sources)


def _opened(story: Story) -> Sourced:
    head, event = story.case.head, story.opened
    service = f" of {one_clause(head.service)}" if head.service else ""
    alerts = ", ".join(dict.fromkeys(alert.name for alert in story.case.alerts))
    by = _ORIGINS[head.origin] + (f" ({one_clause(alerts)})" if alerts else "")
    text = f"On {date_time(event.at)} {by} opened the incident '{one_clause(head.title)}'{service}."
    return Sourced(text, (event_source(event),))


def _harm_in_drill(drill: DrillReport) -> Sourced:
    lost = drill.incident.impact
    sources: list[Source] = [report_source("incident/impact")]
    parts = [f"{lost.failed:,} of {plural(lost.requests, 'request')} in flight meanwhile failed"]
    if lost.window_start is None:
        return Sourced("No fault was injected, so no request is counted as its victim.", tuple(sources))
    if lost.degraded:
        parts.append(f"{lost.degraded:,} {'was' if lost.degraded == 1 else 'were'} slower than promised")
    if lost.retried:
        parts.append(f"{lost.retried:,} went on at another replica")
    found = availability(drill)
    kept = ""
    if found is not None and found.error_ratio is not None:
        sources.append(report_source(f"results/{drill.results.index(found)}/error_ratio"))
        kept = f", and {_availability(found, lost.failed)}"
    return Sourced(f"For users {', '.join(parts)}{kept}.", tuple(sources))


def _availability(found: SloResult, failed: int) -> str:
    """By the gateway's own count; said when it missed what clients saw."""
    ratio, objective = percent(1 - (found.error_ratio or 0.0)), target(found.slo.target)
    if found.total - found.good < failed:
        return f"the gateway's own count of availability, {ratio}, did not see all of them"
    kept = "within" if found.met else "below"
    return f"availability over the whole drill was {ratio}, {kept} its objective of {objective}"


def _harm_by_figures(story: Story) -> Sourced:
    failed, requests = story.figure(FAILED), story.figure(REQUESTS)
    if failed is None or not failed.is_known:
        why = failed.reason if failed is not None else "no figure of requests was recorded"
        where = failed.sources if failed is not None else (event_source(story.opened),)
        return Sourced(f"What it did to users is not known: {one_clause(why)}.", where)
    of = f" of {count(float(requests.text))} requests" if requests is not None and requests.is_known else " requests"
    sources = failed.sources + (requests.sources if requests is not None else ())
    return Sourced(f"For users {count(float(failed.text))}{of} failed.", tuple(dict.fromkeys(sources)))


def _ended(story: Story, costs: tuple[CostTable, ...]) -> Sourced:
    noticed = story.seconds(_from(story), "detected")
    parts = ["nothing noticed it" if noticed is None else f"it was noticed after {seconds(noticed)}"]
    paged = story.seconds(_from(story), "alerted")
    parts.append("no page fired" if paged is None else f"a page fired after {seconds(paged)}")
    over = story.seconds(_from(story), "recovered")
    if over is not None:
        parts.append(f"service was as before after {seconds(over)}")
    elif story.drill is not None:
        parts.append("it was not seen to serve again")
    else:
        resolved = story.seconds(_from(story), "resolved")
        after = "" if resolved is None else f" after {seconds(resolved)}"
        parts.append(_ENDINGS[story.case.head.status] + after)
    total = cost_total(story, costs)
    basis = f" ({costs[0].basis})" if costs else ""
    bill = "its cost is not known" if total is None or total.text == NOT_AVAILABLE else f"it cost {total.text}{basis}"
    text = f"{', '.join(parts)}, and {bill}."
    sources = (
        *story.sources("detected", "alerted", "recovered", "resolved"),
        *(total.sources if total is not None else ()),
    )
    return Sourced(text[0].upper() + text[1:], tuple(dict.fromkeys(sources)))


def _from(story: Story) -> str:
    """The milestone the durations of this incident count from."""
    return next((d.start for d in story.durations if d.name == "time_to_close"), "fault_injected")
