"""What a leader reads: the recommendation and what one more replica costs and buys, in sentences."""

from __future__ import annotations

from sre.reliability.options import Option
from sre.reliability.whatif import Answer, Step
from sre.reports.formats import money, number, percent, plural


def verdict_of(found: Answer) -> str:
    """`N+2, 0 % spot, 3 zones`, or that no option keeps the risk."""
    return found.chosen.fleet.name if found.is_kept else "No option keeps the accepted risk"


def chance(option: Option) -> str:
    """The chance of a month beyond its budget with the simulation's own error."""
    band = option.exceeded
    return f"{percent(band.value, 1)} ({percent(band.low, 1)} to {percent(band.high, 1)})"


def meaning_of(found: Answer) -> str:
    """One sentence on the chosen option."""
    option, question = found.chosen, found.question
    kept = (
        "is the cheapest option that spends more than the month's error budget in at most "
        f"{percent(question.risk, 1)} of months: it does in {chance(option)}"
        if found.is_kept
        else f"spends more than the month's error budget least often, in {chance(option)} of months; "
        f"{percent(question.risk, 1)} is accepted"
    )
    return (
        f"{option.fleet.name} {kept}, at {money(option.money.total, found.currency)} a month, "
        f"{money(option.money.bill, found.currency)} of it the GPU bill."
    )


def doubts_of(found: Answer) -> tuple[str, ...]:
    """What a reader must know before acting on it."""
    doubts = []
    option, risk = found.chosen, found.question.risk
    if option.exceeded.low <= risk < option.exceeded.high and found.is_kept:
        doubts.append(
            f"Its interval reaches beyond {percent(risk, 1)}: with this many months the simulation cannot tell which "
            "side it is on. Give more --months."
        )
    if found.economics.finance.is_illustrative:
        doubts.append(f"{found.economics.finance.path} holds illustrative assumptions, not your figures.")
    missing = [part.name for part in option.money.parts if part.amount is None]
    if missing:
        doubts.append(f"Not in the cost of failures, n/a: {', '.join(missing)}.")
    if found.economics.prices.spot_is_assumed and any(one.fleet.spot_replicas for one in found.options):
        doubts.append(f"The spot price is {found.economics.prices.spot_told}.")
    assumed = [fault.title for fault in found.world.book.faults if fault.basis == "assumed"]
    if assumed:
        doubts.append(f"Rates that nobody counted: {', '.join(assumed)}. The sensitivity shows which of them matter.")
    return tuple(doubts)


def step_words(step: Step, currency: str) -> str:
    """What the next spare costs a month and what it buys."""
    before, after = step.before, step.after
    extra = after.fleet.spares - before.fleet.spares
    risk = f"from {percent(before.exceeded.value, 1)} to {percent(after.exceeded.value, 1)}"
    short = f"from {number(before.short_h)} to {number(after.short_h)} hours"
    more = f"N+{after.fleet.spares} instead of N+{before.fleet.spares}: {plural(extra, 'more replica')} cost"
    first = f"{more}{'s' if extra == 1 else ''} {money(step.costs, currency)} a month."
    second = (
        f" The chance to overspend a month's error budget goes {risk}, time with too little capacity {short} a month, "
        f"availability from {percent(before.availability, 3)} to {percent(after.availability, 3)}."
    )
    return first + second + _worth(step, currency)


def _worth(step: Step, currency: str) -> str:
    if step.saves is None:
        return " What failures cost nobody has said, so whether that pays in money is not known."
    balance = step.saves - step.costs
    pays = "more than it costs" if balance >= 0 else "less than it costs"
    if step.saves < 0:
        return f" Failures are expected to cost {money(-step.saves, currency)} a month more: it does not pay in money."
    return (
        f" Failures are expected to cost {money(step.saves, currency)} a month less, {pays}: "
        f"{'a gain' if balance >= 0 else 'the price of the lower risk is'} "
        f"{'of ' if balance >= 0 else ''}{money(abs(balance), currency)} a month."
    )
