"""A simulation as one page: what would have happened, at what cost, and what the model leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sre.reports.facts import Figure
from sre.reports.formats import NOT_AVAILABLE, count, money, percent, plural, seconds
from sre.reports.page import Cell, Grid, Page, grid, page_html
from sre.reports.simulation.charts import charts
from sre.reports.simulation.model import SimulationReport
from sre.reports.simulation.tables import tables, verdict_of
from sre.reports.table import Table

DEFINITIONS = (
    "SIMULATED: nothing on this page was measured. The scheduler, the gateway's routing and admission and the "
    "autoscaler are the platform's own code under a virtual clock; how long a step takes is the profile's model.",
    "Left out: network and tokenizer time, client time-outs, the operating system, and what a profile does not state.",
    "A request is good when it was served with its first token and its mean gap between tokens within the thresholds.",
    "Bill: replica-seconds x GPUs x the price of one GPU-hour, from a replica's start to its end; whole GPUs, nothing "
    "reserved, nothing shared.",
    "Burn: error ratio / allowed error ratio. A page needs both of its windows above its factor.",
    "scenario.yaml beside this page, with the files it names, gives the same bytes again: sre simulate scenario.yaml",
)


def render(report: SimulationReport) -> str:
    """One HTML file, charts inside, no script and no network."""
    return page_html(page(report))


def page(report: SimulationReport) -> Page:
    """Everything the page shows."""
    simulation = report.simulation
    tone, verdict, meaning = verdict_of(report)
    return Page(
        title=f"{simulation.title} (simulated)",
        subtitle=f"{simulation.workload}; {seconds(simulation.duration_s)}; "
        f"{', '.join(dict.fromkeys(name for name, _ in simulation.profiles))}; seed {simulation.seed}",
        tone=tone,
        verdict=f"Simulated: {verdict}",
        meaning=meaning,
        reasons=tuple(simulation.notes),
        figures=tuple(figures(report)),
        charts=charts(report),
        grids=(*(_grid(one) for one in tables(report)), _setup(report)),
        definitions=DEFINITIONS,
        charts_before="slos",
        charts_title="Over time",
    )


def figures(report: SimulationReport) -> Iterator[Figure]:
    """What a reader wants first."""
    summary, bill = report.simulation.summary, report.bill
    overall = summary.overall
    yield Figure("good requests", percent(summary.attainment), f"of {count(overall.counted)} that count")
    yield Figure("time to first token", seconds(overall.ttft.p99), f"p99; median {seconds(overall.ttft.p50)}")
    yield Figure("mean gap between tokens", seconds(overall.tpot.p99), f"p99; median {seconds(overall.tpot.p50)}")
    yield Figure("tokens", f"{summary.throughput_tokens_per_s:,.0f}/s", f"{count(overall.tokens)} reached clients")
    if bill is None:
        yield Figure("bill", NOT_AVAILABLE, report.no_bill)
    else:
        yield Figure("bill", money(bill.total, bill.currency), f"{bill.gpu_hours:.2f} GPU-hours")
        yield Figure(
            "a million good tokens",
            money(bill.per_million_good_tokens, bill.currency),
            f"{money(bill.per_million_tokens, bill.currency)} a million of all",
        )
    if report.stories:
        yield from _of_faults(report)


def _of_faults(report: SimulationReport) -> Iterator[Figure]:
    story = report.stories[0]
    pages = [alert for alert in report.alerts if alert.severity == "page"]
    first = f"of {story.window.fault} on {story.window.target}"
    yield Figure("requests failed", count(story.impact.failed), f"{first}; {count(story.impact.degraded)} slow")
    yield Figure("detected", seconds(story.seconds("time_to_detect")), f"after the begin {first}")
    yield Figure("recovered", seconds(story.seconds("time_to_recover")), f"after the begin {first}")
    if report.results:
        yield Figure("pages", count(len(pages)), "by tier in the table of objectives")
    else:
        yield Figure("pages", NOT_AVAILABLE, "no objective was evaluated")


def _grid(one: Table) -> Grid:
    head = [f"{'>' if column.numeric else ''}{column.label}" for column in one.columns]
    rows = [[Cell(text) for text in row.cells] for row in one.rows]
    return grid(one.key, one.title, head, rows, notes=one.notes, empty=one.empty)


def _setup(report: SimulationReport) -> Grid:
    simulation, summary = report.simulation, report.simulation.summary
    cold = ", ".join(f"{phase.replace('_', ' ')} {seconds(value)}" for phase, value in simulation.cold_start)
    facts: Sequence[tuple[str, str]] = (
        ("workload", simulation.workload),
        ("routing", simulation.routing),
        ("policy", simulation.policy or "none: the fleet keeps its size"),
        ("cold start", f"{seconds(sum(value for _, value in simulation.cold_start))}: {cold}" if cold else "none"),
        ("replicas", f"at most {plural(summary.max_replicas, 'replica')}, {plural(summary.scale_events, 'scaling')}"),
        ("most waiting", count(summary.max_queue)),
        ("preemptions", count(summary.preemptions)),
        ("retried", plural(summary.retried, "request")),
        ("prefix cache hits", percent(summary.prefix_hit_share)),
        *((f"profile {name}", source) for name, source in dict.fromkeys(simulation.profiles)),
    )
    return grid("setup", "Set-up", ("what", "value"), [[Cell(name), Cell(text)] for name, text in facts])
