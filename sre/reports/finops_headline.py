"""The briefing in three sentences: what was spent, what failing costs, what practising and scaling are worth."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from sre.cost.incident import NO_LABOUR
from sre.cost.policies import PolicyCosts
from sre.cost.provenance import CostSum
from sre.cost.roi_model import Roi
from sre.reports.finops_model import CaseMoney, DrillMoney, Spent
from sre.reports.finops_words import simulated
from sre.reports.formats import money, percent, plural

GOOD_ENOUGH = Decimal("0.99")


def headline(
    spent: Spent,
    drills: Sequence[DrillMoney],
    cases: Sequence[CaseMoney],
    outage: CostSum,
    returned: tuple[Roi | None, Roi | None],
    policies: PolicyCosts | None,
    currency: str,
) -> tuple[str, str, str]:
    """Three sentences; what is not known is said to be so. `returned` is the return, and the one with assumed
    recoveries where the first took measured ones.
    """
    return (
        _spent(spent, drills, currency),
        _failing(drills, cases, outage, currency),
        f"{_practising(*returned, currency)}; {_scaling(policies)}.",
    )


def _spent(spent: Spent, drills: Sequence[DrillMoney], currency: str) -> str:
    if not drills:
        return "No drill was held in the period, so nothing was measured of what serving costs."
    lost = dict(spent.parts)
    unused = sum((amount for name, amount in lost.items() if name in ("wasted", "idle", "not serving")), Decimal(0))
    share = percent(float(unused / spent.bill), 1) if spent.bill else "n/a"
    word = "wasted or idle" if spent.layered else "not serving"
    each, good = money(spent.per_million_tokens, currency), money(spent.per_million_good_tokens, currency)
    return (
        f"{plural(len(drills), 'drill')} used GPUs for {money(spent.bill, currency)}, {share} of it {word}: {each} per "
        f"million generated tokens, {good} per million good ones."
    )


def _failing(drills: Sequence[DrillMoney], cases: Sequence[CaseMoney], outage: CostSum, currency: str) -> str:
    minute = f"a minute of full outage costs {money(outage.total, currency)}"
    if outage.unknown:
        minute += f" and what {' and '.join(line.name for line in outage.unknown)} would add"
    real = [case.cost.total for case in cases if case.cost.total is not None]
    if real:
        of_it = f"{money(_measured(cases), currency)} of it measured, the rest assumed"
        return (
            f"{plural(len(cases), 'incident')} cost {money(sum(real, Decimal(0)), currency)} ({of_it}), and {minute}."
        )
    tried = [
        drill.incident.total for drill in drills if drill.incident is not None and drill.incident.total is not None
    ]
    if not tried:
        return f"No incident has a cost in the period; {minute}."
    parts = f"{_part(drills, 'labour', currency)} labour, {_part(drills, 'requests', currency)} lost requests"
    return (
        f"{_unnoticed(drills)}; outside a drill all of it would have cost {money(sum(tried, Decimal(0)), currency)} "
        f"({parts}, at the drill's own load), and {minute}."
    )


def _measured(cases: Sequence[CaseMoney]) -> Decimal:
    """What of the cases' cost rests on nothing assumed."""
    lines = (line for case in cases for line in case.cost.lines if line.basis == "measured")
    return sum((line.amount for line in lines if line.amount is not None), Decimal(0))


def _unnoticed(drills: Sequence[DrillMoney]) -> str:
    """How many faults the platform mended so that nobody would have been called."""
    faults = [drill.incident for drill in drills if drill.incident is not None]
    quiet = sum(any(line.name == NO_LABOUR for line in incident.lines) for incident in faults)
    if len(faults) == 1:
        return "The fault would have called nobody" if quiet else "The fault would have called people"
    return f"{quiet} of {len(faults)} faults would have called nobody"


def _part(drills: Sequence[DrillMoney], word: str, currency: str) -> str:
    """The sum of the lines of all incidents that have the word in their name."""
    lines = [line for d in drills if d.incident is not None for line in d.incident.lines if word in line.name]
    amounts = [line.amount for line in lines if line.amount is not None and not line.is_billed]
    return money(sum(amounts, Decimal(0)) if amounts else None, currency)


def _practising(roi: Roi | None, assumed: Roi | None, currency: str) -> str:
    if roi is None:
        return "The return of the drill programme cannot be told"
    net, even = roi.net, roi.break_even.avoided
    verb = "returns" if net.p50 >= 0 else "loses"
    pays = "never pays by avoiding incidents" if even is None else f"pays from {even} avoided incidents a year"
    band = f"p10 {simulated(net.p10, currency)}, p90 {simulated(net.p90, currency)}"
    middle = f"{verb} {simulated(abs(net.p50), currency)} a year"
    if assumed is not None:
        band += f"; {simulated(assumed.net.p50, currency)} with assumed instead of measured recoveries"
    return f"On the stated assumptions the drill programme {middle} ({band}) and {pays}"


def _scaling(policies: PolicyCosts | None) -> str:
    if policies is None:
        return "no comparison of scaling policies was given"
    best = policies.best(GOOD_ENOUGH)
    if best is None or best.saved_a_month is None:
        return "no simulated scaling policy kept 99 % of requests good"
    word = "saves" if best.saved_a_month >= 0 else "adds"
    amount, good = simulated(abs(best.saved_a_month), policies.currency), percent(float(best.attainment))
    return f"in simulation {best.name} {word} {amount} a month against {policies.baseline} at {good} good"
