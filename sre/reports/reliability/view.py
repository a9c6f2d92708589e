"""A what-if as one page: the recommendation first, then options, spares, costs, what it rests on."""

from __future__ import annotations

from decimal import Decimal

from sre.reliability.whatif import Answer
from sre.reports.facts import Figure
from sre.reports.finops_words import simulated
from sre.reports.formats import percent, plural, seconds, target
from sre.reports.page import Cell, Grid, Page, grid
from sre.reports.reliability.charts import reliability_charts
from sre.reports.reliability.tables import (
    costs_grid,
    measured_grid,
    options_grid,
    rates_grid,
    recoveries_grid,
    settling_grid,
    sources_grid,
    steps_grid,
    swings_grid,
)
from sre.reports.reliability.words import doubts_of, meaning_of, step_words, verdict_of, whole

DEFINITIONS = (
    "Simulated, not measured: nothing on this page was observed in production, except what `Measured by drills` says.",
    "P(budget exceeded): the share of simulated months in which more requests were bad than 1 - target allows.",
    "Each replica, host, zone and the fleet fails by itself: up for an exponential time at the sum of its rates, down "
    "for the time of the fault that struck. Months begin in the steady state. A replica serves while nothing it "
    "stands on is down; any GPU lost is its replica lost.",
    "Shortage: while u replicas serve and the load asks for d, the share of requests that is bad is "
    "min(1, factor x max(0, 1 - u / d)); factor 1: the excess is refused and the rest served well.",
    "An abrupt loss costs its replica's traffic for the seconds of a failover; what hits the fleet costs its share of "
    "all traffic. The three are added: where they overlap, some requests are counted twice.",
    "Intervals are the simulation's own error (Wilson for shares, normal for means, 95 %), not that of the rates.",
    "Options share their random failures: a replica that two options have fails at the same times in both.",
    "Not modelled: slow replicas, wrong answers, capacity that the provider has not got (except spot), faults of two "
    "zones at once, repair crews that are busy, and people who make it worse.",
)


def reliability_page(found: Answer) -> Page:
    """The whole page."""
    return Page(
        title="Reliability what-if",
        subtitle=_subtitle(found),
        tone="good" if found.is_kept else "bad",
        verdict=verdict_of(found),
        meaning=meaning_of(found),
        reasons=(*(step_words(step, found.currency) for step in found.steps), *doubts_of(found)),
        figures=_figures(found),
        charts=reliability_charts(found),
        grids=(
            options_grid(found),
            steps_grid(found),
            costs_grid(found),
            swings_grid(found),
            measured_grid(found),
            rates_grid(found.world.book, found.struck),
            recoveries_grid(found.world.book),
            sources_grid(found.world.book),
            settings_grid(found),
            settling_grid(found),
        ),
        definitions=DEFINITIONS,
        charts_before="options",
        charts_title="At a glance",
    )


def _subtitle(found: Answer) -> str:
    question = found.question
    fleet = f"{plural(question.fleet.needed, 'replica')} needed at the peak"
    whose = f"{question.slo} {target(found.economics.target)}"
    simulated = f"{question.months:,} simulated months of {question.days} days, seed {question.seed}"
    return f"{fleet}, {plural(question.fleet.gpus_per_replica, 'GPU')} each; {whose}; {simulated}"


def _figures(found: Answer) -> tuple[Figure, ...]:
    option, currency = found.chosen, found.currency
    minutes = found.economics.budget * found.question.hours * 60
    return (
        Figure(
            "availability",
            percent(option.availability, 3),
            f"mean; 5 % of months below {percent(option.worst.value, 3)}",
        ),
        Figure(
            "P(budget exceeded)",
            percent(option.exceeded.value, 1),
            f"{percent(option.exceeded.low, 1)} to {percent(option.exceeded.high, 1)}; "
            f"accepted {percent(found.question.risk, 1)}",
        ),
        Figure("faults a month", f"{option.failures:,.3g}", f"{option.episodes:,.2g} shortages or outages of them"),
        Figure("hours short a month", f"{option.short_h:,.2g}", f"a budget is {minutes:,.3g} min of full outage"),
        Figure("bill", whole(option.money.bill, currency), "GPUs, a month"),
        Figure("failures", simulated(option.money.failures, currency), "expected cost a month"),
        Figure("total", whole(option.money.total, currency), "bill and expected cost of failures, a month"),
        Figure("one replica", whole(_replica(found), currency), "on demand, a month"),
    )


def _replica(found: Answer) -> Decimal:
    """The bill of one on-demand replica."""
    price = found.economics.prices.on_demand.per_gpu_hour
    return found.question.fleet.gpus_per_replica * price * Decimal(str(found.question.hours))


def settings_grid(found: Answer) -> Grid:
    """What was asked, for those who repeat it."""
    question, book = found.question, found.world.book
    fleet, rollouts = question.fleet, book.rollouts
    lost = f"{book.failover.lost_replica_s:.3g} s of one replica's traffic ({book.failover.basis})"
    repaired = (
        "it is repaired" if fleet.replacement_h is None else f"another takes over within {fleet.replacement_h:g} h"
    )
    hosts = (
        "share a host"
        if fleet.packed and fleet.gpus_per_replica * 2 <= fleet.gpus_per_host
        else "have hosts of their own"
    )
    rows = (
        ("load", found.world.load.told),
        ("overload factor", f"{found.world.overload_factor:g}"),
        ("hosts", f"{fleet.gpus_per_host} GPUs; replicas {hosts}"),
        ("cold start", seconds(fleet.cold_start_h * 3600)),
        ("a lost machine", repaired),
        ("lost at a failover", lost),
        (
            "rollouts",
            f"{rollouts.a_month:g} a month, drain {rollouts.drain_s:g} s, "
            f"{'with' if rollouts.surge else 'without'} surge ({rollouts.basis})",
        ),
        ("price", f"{found.economics.prices.on_demand.name}: {found.economics.prices.on_demand.source}"),
        ("spot price", f"{found.economics.prices.spot:f} {found.currency}: {found.economics.prices.spot_told}"),
        (
            "economics",
            found.economics.finance.path if found.economics.finance.sha256 else "none: only the bill is known",
        ),
        ("seed", str(question.seed)),
    )
    return grid("settings", "Settings", ("", ""), [(Cell(label, "muted"), Cell(text)) for label, text in rows])
