"""What a leader reads: the recommendation and what one more replica costs and buys, in sentences."""

from __future__ import annotations

from decimal import Decimal

from sre.reliability.options import Option
from sre.reliability.whatif import Answer, Step
from sre.reports.finops_words import simulated
from sre.reports.formats import money, percent, plural


def whole(amount: Decimal, currency: str) -> str:
    """An amount without cents."""
    return money(amount.quantize(Decimal(1)), currency).removesuffix(".00")


def verdict_of(found: Answer) -> str:
    """`N+2, 0 % spot, 3 zones`, or that no option keeps the risk."""
    return found.chosen.fleet.name if found.is_kept else "No option keeps the accepted risk"


def chance(option: Option) -> str:
    """The chance of a month beyond its budget with the simulation's own error."""
    band = option.exceeded
    return f"{percent(band.value, 1)} ({percent(band.low, 1)} to {percent(band.high, 1)})"


def meaning_of(found: Answer) -> str:
    """What follows the verdict."""
    option, risk = found.chosen, percent(found.question.risk, 1)
    bill, total = whole(option.money.bill, found.currency), whole(option.money.total, found.currency)
    costs = f"It costs {total} a month, {bill} of it the GPU bill."
    if found.is_kept:
        return (
            f"the cheapest option that spends more than a month's error budget in at most {risk} of months. It does in "
            f"{chance(option)}. {costs}"
        )
    return (
        f"{option.fleet.name} comes nearest: it spends more than a month's error budget in {chance(option)} of months; "
        f"{risk} is accepted. {costs}"
    )


def without_spot(found: Answer) -> str:
    """What the recommendation costs more without spot machines; "" where it has none, or nothing to compare with."""
    own = [one for one in found.options if not one.fleet.spot_replicas]
    if not found.is_kept or not found.chosen.fleet.spot_replicas or not own:
        return ""
    kept = [one for one in own if one.keeps(found.question.risk)]
    if not kept:
        return "Without spot machines no option keeps the accepted risk."
    best = min(kept, key=lambda one: one.money.total)
    more = whole(best.money.total - found.chosen.money.total, found.currency)
    return f"Without spot machines: {best.fleet.name}, exceeded in {chance(best)} of months, for {more} a month more."


def doubts_of(found: Answer) -> tuple[str, ...]:
    """What a reader must know before acting on it."""
    doubts = []
    option, risk = found.chosen, found.question.risk
    if option.exceeded.low <= risk < option.exceeded.high and found.is_kept:
        doubts.append(
            f"Its interval reaches beyond {percent(risk, 1)}: with this many months the simulation cannot tell which "
            "side it is on. Give more --months."
        )
    plain = without_spot(found)
    doubts += [plain] if plain else []
    if found.economics.finance.is_illustrative:
        doubts.append(f"{found.economics.finance.path} holds illustrative assumptions, not your figures.")
    missing = [part.name for part in option.money.parts if part.amount is None]
    if missing:
        doubts.append(f"Not in the cost of failures, n/a: {', '.join(missing)}.")
    if found.economics.prices.spot_is_assumed and any(one.fleet.spot_replicas for one in found.options):
        doubts.append(f"The spot price is {found.economics.prices.spot_told}.")
    turned = rests_on(found)
    if turned:
        kept = "no longer keep" if found.is_kept else "keep"
        doubts.append(f"It would {kept} the accepted risk with one of: {'; '.join(turned)}.")
    assumed = [fault.title for fault in found.world.book.faults if fault.basis == "assumed"]
    if assumed:
        doubts.append(f"Rates that nobody counted: {', '.join(assumed)}. The sensitivity shows which of them matter.")
    return tuple(doubts)


def rests_on(found: Answer) -> tuple[str, ...]:
    """Inputs that would turn the answer, were they at the other end of their range."""
    risk, kept = found.question.risk, found.is_kept
    turned = []
    for swing in found.swings:
        for told, end in ((swing.low, swing.at_low), (swing.high, swing.at_high)):
            if (end.exceeded <= risk) != kept:
                turned.append(f"{swing.name} {told} ({percent(end.exceeded, 1)} of months exceeded)")
    return tuple(turned)


def step_words(step: Step, currency: str) -> str:
    """What the next spare costs a month and what it buys."""
    before, after = step.before, step.after
    extra = after.fleet.spares - before.fleet.spares
    cost = "costs" if extra == 1 else "cost"
    more = f"N+{after.fleet.spares} instead of N+{before.fleet.spares}: {plural(extra, 'more replica')} {cost}"
    risk = f"from {percent(before.exceeded.value, 1)} to {percent(after.exceeded.value, 1)}"
    short = f"from {before.short_h:,.3g} to {after.short_h:,.3g} hours a month"
    available = f"from {percent(before.availability, 3)} to {percent(after.availability, 3)}"
    return (
        f"{more} {whole(step.costs, currency)} a month. The chance to overspend a month's error budget goes {risk}, "
        f"time with too little capacity {short}, availability {available}.{_worth(step, currency)}"
    )


def _worth(step: Step, currency: str) -> str:
    if step.saves is None:
        return " What failures cost nobody has said, so whether that pays in money is not known."
    balance = step.saves - step.costs
    if step.saves <= 0:
        return " It saves nothing that failures cost."
    less = f" Failures are expected to cost {simulated(step.saves, currency)} a month less"
    if balance >= 0:
        return f"{less}: it pays for itself, by {simulated(balance, currency)} a month."
    return f"{less}: the lower risk has a net price of {simulated(-balance, currency)} a month."
