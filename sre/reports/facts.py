"""The head of a report: three sentences and a dozen figures, each computed from the facts, none typed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sre.incidents.model import FAILED_OUTCOMES, FaultWindow
from sre.reports.formats import NOT_AVAILABLE, clock, count, money, number, percent, plural, seconds, target
from sre.reports.model import DrillReport
from sre.slo.model import SloResult

_DURATION_LABELS = (
    ("time_to_detect", "time to detect"),
    ("time_to_alert", "time to alert"),
    ("time_to_mitigate", "time to mitigate"),
    ("time_to_recover", "time to recover"),
    ("time_to_reset", "time to alert reset"),
)
_RESPONSE_WORDS = (
    ("time_to_detect", "it was noticed after {}", "nothing noticed it"),
    ("time_to_alert", "the first page fired after {}", "no page fired"),
    ("time_to_mitigate", "traffic stopped failing after {}", "there was no failed traffic that is known to have ended"),
    ("time_to_recover", "{target} served again after {}", "{target} was not seen serving again"),
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A key figure; `note` says what it is measured against, or why it is n/a."""

    label: str
    value: str
    note: str


def first_fault(report: DrillReport) -> FaultWindow | None:
    """The fault the incident is about: the earliest."""
    return min(report.faults, key=lambda f: (f.begin, f.fault_id), default=None)


def has_fault(report: DrillReport) -> bool:
    return bool(report.faults)


def zero(report: DrillReport) -> float:
    """Where a reader counts from: the fault's begin, or the drill's when there was no fault."""
    fault = first_fault(report)
    return report.started_at if fault is None else fault.begin


def availability(report: DrillReport) -> SloResult | None:
    """The availability objective of the primary source, found by its name."""
    for result in report.primary_results():
        if "availability" in f"{result.slo.name} {result.slo.title}".lower():
            return result
    return None


def figures(report: DrillReport) -> tuple[Figure, ...]:
    """The key figures in reading order."""
    return (*_traffic(report), *_durations(report), *_money(report))


def summary(report: DrillReport) -> tuple[str, ...]:
    """Three sentences: what was done, what clients lost, how the platform answered."""
    return (_what_happened(report), _what_was_lost(report), _how_it_answered(report))


def _traffic(report: DrillReport) -> tuple[Figure, ...]:
    failed = [r.outcome for r in report.requests if r.outcome in FAILED_OUTCOMES]
    kinds = ", ".join(f"{failed.count(kind)} {kind}" for kind in sorted(set(failed))) or "none of any kind"
    invalid = sum(r.outcome == "invalid" for r in report.requests)
    kinds += f"; {invalid} more were refused as invalid" if invalid else ""
    found = availability(report)
    return (
        Figure("requests", f"{len(report.requests):,}", f"{number(report.workload.rate_rps)} offered per second"),
        Figure("failed", f"{len(failed):,}", kinds),
        _availability_figure(found, report.primary_source),
        _objectives_figure(report),
    )


def _availability_figure(found: SloResult | None, source: str) -> Figure:
    if found is None:
        return Figure("availability", NOT_AVAILABLE, f"no availability objective was read from {source}")
    if found.error_ratio is None:
        return Figure("availability", NOT_AVAILABLE, found.no_data_reason or "no data")
    return Figure(
        "availability", percent(1 - found.error_ratio), f"objective {target(found.slo.target)}, {found.source}"
    )


def _objectives_figure(report: DrillReport) -> Figure:
    results = report.primary_results()
    missed = [r.slo.title for r in results if r.met is False]
    unknown = [r.slo.title for r in results if r.met is None]
    notes = [f"missed: {_listed(missed)}" if missed else "", f"no data: {_listed(unknown)}" if unknown else ""]
    met = len(results) - len(missed) - len(unknown)
    return Figure(
        "objectives met", f"{met} of {len(results)}", "; ".join(filter(None, notes)) or "over the whole drill"
    )


def _durations(report: DrillReport) -> tuple[Figure, ...]:
    known = {d.name: d for d in report.incident.durations}
    marks = {m.name: m for m in report.incident.milestones}
    shown = []
    for name, label in _DURATION_LABELS:
        duration = known.get(name)
        if duration is None or duration.seconds is None:
            shown.append(Figure(label, NOT_AVAILABLE, (duration.reason if duration else None) or "not measured"))
            continue
        mark = marks.get(duration.end)
        doubt = f" ± {seconds(mark.uncertainty_s)}" if mark is not None and mark.uncertainty_s else ""
        shown.append(
            Figure(label, seconds(duration.seconds), f"{duration.start} to {duration.end}{doubt}".replace("_", " "))
        )
    return tuple(shown)


def _money(report: DrillReport) -> tuple[Figure, ...]:
    cost, currency = report.cost, report.cost.price.currency
    return (
        Figure(
            f"{currency} per million tokens", money(cost.per_million_tokens, currency), _counted(cost.tokens, "tokens")
        ),
        Figure(
            f"{currency} per million good tokens",
            money(cost.per_million_good_tokens, currency),
            _counted(cost.good_tokens, "good tokens"),
        ),
        Figure(
            "incident, GPUs alone",
            money(cost.incident_total, currency),
            f"of {money(cost.total, currency)} for the drill",
        ),
    )


def _counted(n: int | None, what: str) -> str:
    """A count as a note: unknown, none and some are three different things."""
    return f"no samples of {what}" if n is None else f"{count(n)} {what}" if n else f"no {what} were generated"


def _what_happened(report: DrillReport) -> str:
    fault = first_fault(report)
    rate = number(report.workload.rate_rps)
    load = f"{rate} {'request' if rate == '1' else 'requests'} per second were offered"
    if fault is None:
        return f"No fault was injected while {load} to {plural(len(report.platform.replicas), 'replica')}."
    lasted = "had not ended when observation did" if fault.end is None else f"lasted {seconds(fault.end - fault.begin)}"
    proven = "was proven" if fault.proven else "was NOT proven"
    served = plural(len(report.platform.replicas), "replica")
    among = f"{fault.target}, one of {served}," if fault.target in report.platform.replicas else fault.target
    more = f" (first of {len(report.faults)} faults)" if len(report.faults) > 1 else ""
    return f"At {clock(fault.begin)} UTC {fault.fault}{more} hit {among} while {load}; it {proven} and {lasted}."


def _what_was_lost(report: DrillReport) -> str:
    lost = report.incident.impact
    if not has_fault(report) or lost.window_start is None:
        failed = sum(r.outcome in FAILED_OUTCOMES for r in report.requests)
        return f"Of {plural(len(report.requests), 'request')} in the whole drill {failed:,} failed."
    kinds = _listed(
        [f"{n} {word}" for n, word in ((lost.truncated, "cut mid-stream"), (lost.rejected, "rejected")) if n]
    )
    parts = [f"{lost.failed:,} failed" + (f" ({kinds})" if kinds else "")]
    parts += [f"{lost.retried:,} needed another replica"] if lost.retried else []
    parts += [f"{lost.degraded:,} {'was' if lost.degraded == 1 else 'were'} slow"] if lost.degraded else []
    found = availability(report)
    overall = ""
    if found is not None and found.error_ratio is not None:
        kept = "within" if found.met else "below"
        ratio = percent(1 - found.error_ratio)
        overall = f"; availability over the whole drill was {ratio}, {kept} its objective of {target(found.slo.target)}"
    return f"Of {plural(lost.requests, 'request')} in flight meanwhile {_listed(parts)}{overall}."


def _how_it_answered(report: DrillReport) -> str:
    known = {d.name: d.seconds for d in report.incident.durations}
    bill = money(report.cost.incident_total, report.cost.price.currency)
    if not has_fault(report):
        return f"The drill cost {money(report.cost.total, report.cost.price.currency)}; no incident was opened."
    parts = []
    for name, seen, unseen in _RESPONSE_WORDS:
        measured = known.get(name)
        if name == "time_to_mitigate" and measured is None and not report.incident.impact.failed:
            unseen = "no traffic failed"
        text = unseen if measured is None else seen.format(seconds(measured), target="{target}")
        parts.append(text.replace("{target}", report.incident.target))
    text = f"{_listed(parts)}; the GPUs of the incident cost {bill}."
    return text[0].upper() + text[1:]


def _listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))
