"""A simulation's tables, for the terminal and the page alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Literal

from sre.platforms.simulation import ClassService
from sre.reports.formats import NOT_AVAILABLE, count, money, multiple, percent, plural, seconds, target
from sre.reports.simulation.model import LabelledAlert, SimulationReport, budget_share_of_period
from sre.reports.table import Row, Table, table

_CLASS_HEAD = (
    "class",
    ">requests",
    ">good",
    ">TTFT p50",
    ">p95",
    ">p99",
    ">gap p50",
    ">p95",
    ">p99",
    "outcomes",
)
_SLO_HEAD = (
    "objective",
    ">target",
    ">good",
    ">total",
    ">error ratio",
    ">of budget",
    ">of period",
    ">peak burn",
    "alerts",
)
_FAULT_HEAD = ("fault", "target", ">from", ">to", ">failed", ">degraded", ">detected", ">paged", ">recovered", ">reset")
_COST_HEAD = ("cost", ">amount", ">share", "what it is")


def verdict_of(report: SimulationReport) -> tuple[Literal["good", "bad", "unsure"], str, str]:
    """Tone, a word, a sentence."""
    missed = [result.slo.name for result in report.results if result.met is False]
    known = [result for result in report.results if result.met is not None]
    share = percent(report.simulation.summary.attainment)
    if missed:
        return "bad", "objective missed", f"{', '.join(missed)} would not have been met; {share} of requests good."
    if known:
        return "good", "objectives met", f"all {len(known)} with data would have been met; {share} of requests good."
    return "unsure", "not judged", f"no objective was evaluated; {share} of requests good."


def service_table(report: SimulationReport) -> Table:
    """A row a class, and one of all where there are several."""
    summary = report.simulation.summary
    classes = list(summary.classes) if len(summary.classes) > 1 else []
    rows = [Row(_service_cells(one)) for one in [*classes, summary.overall]]
    note = (
        f"Good: ok, first token within {seconds(report.simulation.ttft_threshold_s)} and mean gap between tokens "
        f"within {seconds(report.simulation.tpot_threshold_s)}, of ok + error + truncated + rejected."
    )
    return table("service", "Service", _CLASS_HEAD, rows, notes=(note,))


def _service_cells(one: ClassService) -> tuple[str, ...]:
    return (
        one.name,
        count(one.requests),
        percent(one.attainment),
        *(seconds(value) for value in (one.ttft.p50, one.ttft.p95, one.ttft.p99)),
        *(seconds(value) for value in (one.tpot.p50, one.tpot.p95, one.tpot.p99)),
        ", ".join(f"{count(n)} {word}" for word, n in one.outcomes) or NOT_AVAILABLE,
    )


def slo_table(report: SimulationReport) -> Table:
    """A row an objective, evaluated from the simulated samples."""
    rows = []
    for result in report.results:
        ratio = result.error_ratio
        peaks = [
            float(c.long_burn[c.long_burn == c.long_burn].max()) for c in result.curves if (c.long_burn >= 0).any()
        ]
        told = _alerts_in_words([alert for alert in report.alerts if alert.slo == result.slo.name])
        rows.append(
            Row(
                (
                    result.slo.name,
                    target(result.slo.target),
                    count(result.good) if ratio is not None else NOT_AVAILABLE,
                    count(result.total) if ratio is not None else NOT_AVAILABLE,
                    percent(ratio, 3),
                    multiple(None if ratio is None else ratio / result.slo.budget),
                    percent(budget_share_of_period(result, report.clock_factor)),
                    multiple(max(peaks, default=None)),
                    told or ("none" if ratio is not None else result.no_data_reason or NOT_AVAILABLE),
                )
            )
        )
    clock = "in production time" if report.clock_factor == 1 else f"on a clock {report.clock_factor:g} times as fast"
    notes = (
        f"Evaluated from the simulated samples, alert windows {clock}. Of budget: error ratio / allowed ratio; of "
        "period: what the run took of a whole period's budget.",
    )
    empty = "No SLO was evaluated: no document, or no samples were kept."
    return table("slos", "Objectives", _SLO_HEAD, rows, notes=notes if rows else (), empty=empty)


def _alerts_in_words(alerts: Sequence[LabelledAlert]) -> str:
    """The first page, then how many more of each kind: `page-1h at 120 s, 2 more pages, 3 tickets`."""
    pages = [alert for alert in alerts if alert.severity == "page"]
    tickets = len(alerts) - len(pages)
    said = [f"{pages[0].tier} at {seconds(pages[0].fired_s)}"] if pages else []
    said += [plural(len(pages) - 1, "more page")] if len(pages) > 1 else []
    said += [plural(tickets, "ticket")] if tickets else []
    return ", ".join(said)


def fault_table(report: SimulationReport) -> Table:
    """A row a fault with what it did, when it was seen and when it was over; times count from its begin."""
    rows = []
    for fault, story in zip(report.simulation.faults, report.stories, strict=True):
        rows.append(
            Row(
                (
                    fault.kind.replace("_", " "),
                    ", ".join(fault.replicas[:4]) + (" ..." if len(fault.replicas) > 4 else "") or story.window.target,
                    seconds(fault.begin_s),
                    "the end" if fault.end_s is None else seconds(fault.end_s),
                    count(story.impact.failed),
                    count(story.impact.degraded),
                    *(
                        seconds(story.seconds(name))
                        for name in ("time_to_detect", "time_to_alert", "time_to_recover", "time_to_reset")
                    ),
                )
            )
        )
    false = sum(alert.fault is None for alert in report.alerts)
    notes = [
        "Detected, paged, recovered, reset: seconds after the fault began. Detected: an exit, a replica out of "
        "rotation, or a page, whichever was first.",
        *(["What failed while several faults held counts for each of them."] if len(report.stories) > 1 else []),
        *([f"{plural(false, 'alert')} fired that no fault explains."] if false else []),
    ]
    return table("faults", "Faults", _FAULT_HEAD, rows, notes=notes if rows else (), empty="No fault was injected.")


def cost_table(report: SimulationReport) -> Table:
    """What the fleet would cost, and what of it did no good."""
    bill = report.bill
    if bill is None:
        return table("cost", "Cost", _COST_HEAD, (), empty=f"n/a: {report.no_bill}")
    of = bill.currency

    def line(name: str, amount: Decimal, means: str) -> Row:
        return Row((name, money(amount, of), _share(amount, bill.total), means))

    rows = [
        Row(("bill", money(bill.total, of), "100 %", f"{bill.gpu_hours:.2f} GPU-hours")),
        line("worked", bill.worked, "replicas with at least one request"),
        line("of it wasted", bill.wasted, "tokens computed twice, or for nobody"),
        line("vacant", bill.vacant, "replicas up without a request"),
        line("starting", bill.starting, "from a replica's start to its first request"),
        Row(("per million tokens", money(bill.per_million_tokens, of), "", "tokens that reached clients")),
        Row(("per million good tokens", money(bill.per_million_good_tokens, of), "", "tokens of good requests")),
    ]
    return table("cost", "Cost", _COST_HEAD, rows, notes=tuple(_price_notes(report)))


def _share(amount: Decimal, whole: Decimal) -> str:
    return f"{float(100 * amount / whole):.1f} %" if whole else NOT_AVAILABLE


def _price_notes(report: SimulationReport) -> Iterator[str]:
    if report.bill is None:
        return
    for group, price in report.bill.prices:
        yield (
            f"{group}: {money(price.per_gpu_hour, price.currency)} for an hour of one {price.gpu} "
            f"({price.name}, {price.validity})."
        )
    yield from report.bill.notes


def tables(report: SimulationReport) -> tuple[Table, ...]:
    """All of them, in reading order."""
    return (service_table(report), slo_table(report), fault_table(report), cost_table(report))
