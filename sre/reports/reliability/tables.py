"""The tables of a what-if: options, spares, parts of the cost, sensitivity, rates with their sources."""

from __future__ import annotations

from decimal import Decimal
from typing import cast

from sre.reliability.options import Option
from sre.reliability.rates import FaultClass, RateBook
from sre.reliability.whatif import Answer
from sre.reports.finops_words import simulated
from sre.reports.formats import money, percent, seconds
from sre.reports.page import Cell, Grid, Tone, grid
from sre.reports.reliability.words import step_words, whole

_WHICH = ("option", ">spot", ">zones")


def brief_grid(found: Answer) -> Grid:
    """The options in few columns, for a terminal."""
    rows = [
        (*_which(one, found), *(Cell(_rounded(amount, found.currency)) for amount in _amounts(one)))
        for one in ordered(found)
    ]
    head = (*_WHICH, ">P(exceeded)", ">available", ">bill", ">failures", ">total")
    return grid("options", "Options, means of a month; those that keep the risk first", head, rows)


def ordered(found: Answer) -> list[Option]:
    """Those that keep the risk first, each by total cost."""
    return sorted(found.options, key=lambda one: (not one.keeps(found.question.risk), one.money.total))


def _which(one: Option, found: Answer) -> tuple[Cell, ...]:
    """Spares, spot share, zones, and whether the risk is kept."""
    fleet, tone = one.fleet, "good" if one.keeps(found.question.risk) else "bad"
    chosen = " (chosen)" if one is found.chosen else ""
    return (
        Cell(f"N+{fleet.spares}{chosen}", "good" if chosen else ""),
        Cell(f"{fleet.spot_percent} %"),
        Cell(str(fleet.zones)),
        Cell(percent(one.exceeded.value, 1), cast(Tone, tone)),
        Cell(percent(one.availability, 3)),
    )


def _amounts(one: Option) -> tuple[Decimal, Decimal | None, Decimal]:
    return one.money.bill, one.money.failures, one.money.total


def _rounded(amount: Decimal | None, currency: str) -> str:
    return simulated(amount, currency) if amount is None or abs(amount) < 10_000 else whole(amount, currency)


def _option(one: Option, found: Answer) -> tuple[Cell, ...]:
    return (
        *_which(one, found)[:4],
        Cell(f"{percent(one.exceeded.low, 1)} to {percent(one.exceeded.high, 1)}"),
        Cell(percent(one.availability, 3)),
        Cell(percent(one.worst.value, 3)),
        *(Cell(f"{count:,.3g}") for count in (one.failures, one.episodes, one.short_h, one.down_h)),
        *(Cell(_rounded(amount, found.currency)) for amount in _amounts(one)),
    )


def options_grid(found: Answer) -> Grid:
    """Every option; means of a month."""
    question = found.question
    notes = (
        f"Means of {question.months:,} simulated months of {question.days} days. Green: at most "
        f"{percent(question.risk, 1)} of months spend more than their error budget (P(exceeded)). spot: the share "
        "asked for, rounded down to whole replicas.",
        "faults: all that struck, of any kind. shortages: how often fewer replicas served than the load asked for, or "
        "the whole fleet failed, rollouts left out. hours short: with rollouts.",
    )
    head = (
        *(*_WHICH, ">P(exceeded)", ">95 % interval", ">available", ">worst 5 %", ">faults", ">shortages"),
        *(">hours short", ">hours down", ">bill", ">failures", ">total"),
    )
    rows = [_option(one, found) for one in ordered(found)]
    return grid("options", "Options", head, rows, notes=notes)


def steps_grid(found: Answer) -> Grid:
    """What each further spare buys, at the zones and spot share of the chosen option."""
    rows = [(Cell(step.after.fleet.name), Cell(step_words(step, found.currency))) for step in found.steps]
    return grid(
        "spares", "What one more replica buys", ("option", "in words"), rows, empty="One number of spares only."
    )


def costs_grid(found: Answer) -> Grid:
    """The parts of the chosen option's cost, with their sums."""
    currency, option = found.currency, found.chosen
    rows = [(Cell("GPU bill"), Cell(money(option.money.bill, currency)), Cell(_bill_words(found)))]
    rows += [
        (
            Cell(part.name),
            Cell(money(part.amount, currency)),
            Cell(part.told, "" if part.amount is not None else "muted"),
        )
        for part in option.money.parts
    ]
    lost = ", ".join(f"{name} {percent(share, 4)}" for name, share in option.lost_by)
    return grid(
        *("costs", f"What {option.fleet.name} costs a month", ("what", ">expected", "how")),
        rows,
        notes=(f"Requests lost, mean share of a month: {lost}.",),
    )


def _bill_words(found: Answer) -> str:
    fleet, prices = found.chosen.fleet, found.economics.prices
    own = fleet.replicas - fleet.spot_replicas
    words = (
        f"{own} replicas x {fleet.gpus_per_replica} GPU x {found.question.hours:g} h x "
        f"{prices.on_demand.per_gpu_hour:f} {prices.currency} ({prices.on_demand.name})"
    )
    if fleet.spot_replicas:
        words += f"; {fleet.spot_replicas} x {prices.spot:f} {prices.currency} while held ({prices.spot_told})"
    return words


def swings_grid(found: Answer) -> Grid:
    """Each input of the chosen option at both ends."""
    rows = [
        (
            *map(Cell, (swing.name, swing.low, swing.high)),
            *map(Cell, (percent(swing.at_low.bad, 4), percent(swing.at_high.bad, 4))),
            *map(Cell, (percent(swing.at_low.exceeded, 1), percent(swing.at_high.exceeded, 1))),
        )
        for swing in found.swings
    ]
    head = ("input", "low", "high", ">bad at low", ">bad at high", ">P(exceeded) at low", ">P(exceeded) at high")
    left_out = not found.question.has_sensitivity
    empty = "Left out (--no-sensitivity)." if left_out else "Nothing that has a range can strike this option."
    notes = (
        f"{found.chosen.fleet.name}; as it stands {percent(found.chosen.bad.value, 4)} bad, "
        f"{percent(found.chosen.exceeded.value, 1)} of months exceeded.",
    )
    return grid("sensitivity", "Sensitivity", head, rows, notes=notes, empty=empty)


def rates_grid(book: RateBook, struck: tuple[float, ...] = ()) -> Grid:
    """Every fault with what it rests on."""
    rows = [
        (
            *map(Cell, (fault.title, fault.group, fault.hits, fault.told)),
            Cell(f"{struck[place]:,.3g}" if struck else "n/a"),
            Cell(book.recovery(fault.recovery).title),
            *_whose(fault),
        )
        for place, fault in enumerate(book.faults)
    ]
    head = ("fault", "group", "hits", "rate", ">a month, chosen", "until", "basis", "source", "applies")
    return grid("rates", "Fault rates", head, rows, notes=(f"From {book.where}, as of {book.as_of}.",))


def shown_rates(book: RateBook) -> Grid:
    """The faults in five columns, for a terminal."""
    rows = []
    for fault in book.faults:
        told = (fault.title, fault.hits, fault.told, book.recovery(fault.recovery).title)
        rows.append((*map(Cell, told), *_whose(fault)[:2]))
    head = ("fault", "hits", "rate", "until", "basis", "source")
    return grid("rates", f"Fault rates, {book.where}, as of {book.as_of}", head, rows)


def _whose(fault: FaultClass) -> tuple[Cell, ...]:
    tone: Tone = "unsure" if fault.basis == "assumed" else ""
    return Cell(fault.basis, tone), Cell(fault.source.name), Cell(fault.applies)


def recoveries_grid(book: RateBook) -> Grid:
    """How long what lasts."""
    rows = []
    for one in book.recoveries:
        shape = f"{one.shape}, spread {one.sigma:.2g}" if one.shape == "lognormal" else one.shape
        tone: Tone = "unsure" if one.basis == "assumed" else "good" if one.basis == "measured" else ""
        texts = (one.title, seconds(one.median_h * 3600) if one.median_h < 1 else f"{one.median_h:g} h", shape)
        start = Cell("yes" if one.starts else "no")
        rows.append((*map(Cell, texts), start, Cell(one.basis, tone), Cell(one.source.name), Cell(one.applies)))
    head = ("outage", ">median", "distribution", "cold start on top", "basis", "source", "applies")
    return grid("recoveries", "How long outages last", head, rows)


def sources_grid(book: RateBook) -> Grid:
    """Who says so."""
    rows = [(Cell(one.name), Cell(one.title)) for one in sorted(book.sources, key=lambda one: one.name)]
    return grid("sources", "Sources", ("name", "what"), rows)


def measured_grid(found: Answer) -> Grid:
    """What this workspace's drills measured, in the place of assumptions."""
    rows = [
        (*map(Cell, (one.what, one.assumed, one.measured)), Cell(str(len(one.drills))), Cell(", ".join(one.drills[:3])))
        for one in found.taken
    ]
    notes = (
        "Drills on the local platform restart a real server, whose GPU is emulated: the profile's cold start is added.",
    )
    head = ("what", ">assumed", ">measured", ">drills", "which")
    empty = "No drill of this workspace measured a crash or a hang: the assumptions stand."
    return grid("measured", "Measured by drills", head, rows, notes=notes if rows else (), empty=empty)


def settling_grid(found: Answer) -> Grid:
    """The estimate after so many months."""
    rows = [
        (
            Cell(f"{step.months:,}"),
            Cell(percent(step.exceeded.value, 2)),
            Cell(f"{percent(step.exceeded.low, 2)} to {percent(step.exceeded.high, 2)}"),
            Cell(percent(step.bad.value, 4)),
            Cell(f"{percent(max(0.0, step.bad.low), 4)} to {percent(step.bad.high, 4)}"),
        )
        for step in found.settled
    ]
    head = (">months", ">P(exceeded)", ">95 % interval", ">mean bad", ">95 % interval")
    return grid("settling", "How the estimate settled", head, rows)
