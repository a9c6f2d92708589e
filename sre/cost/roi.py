"""The return of the game-day programme with its ranges: a seeded simulation of years, and what moves it most. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal
from statistics import median

import numpy as np

from sre.cost.finance import Finance
from sre.cost.labour import drill_lines
from sre.cost.provenance import CostSum, Input, weakest
from sre.cost.roi_break_even import expected_cost, expected_incident
from sre.cost.roi_model import Band, BreakEven, Roi, RoiInputs, Swing
from sre.cost.roi_years import Years, simulate
from sre.cost.triangular import Floats
from sre.errors import SreError

YEARS, SWING_YEARS, BINS = 20_000, 2_000, 40
FEWEST_MEASURED = 3
_CENT, _FOURTH = Decimal("0.01"), Decimal("0.0001")
_WIDE = Context(prec=320)  # any finite float to the cent
_MOST_INCIDENTS = 20_000_000
NOTES = (
    "Each simulated year holds the same incidents with and without the programme: drills avoid some, shorten the rest.",
    "Every input is drawn from the triangular distribution of its low, value and high; inputs are independent, but the "
    "two rates of incidents, and the two durations, are drawn from one quantile.",
    "GPUs that serve nobody in an incident are not counted: a fleet of fixed size pays for them anyway.",
    "A credit is given as though each incident were the only one of its month, and traffic even.",
)
DRILL_RECOVERY = (
    "Minutes with drills are those of drills whose faults the platform mends by itself. Incidents that people must "
    "mend last longer, so this flatters the programme: compare with the assumed minutes."
)
"""Said where recoveries of drills stand for those of incidents."""


def roi_inputs(
    finance: Finance, *, recoveries_s: Sequence[float] = (), measured_in: str = "", gpus_of_a_drill: Input | None = None
) -> RoiInputs:
    """From finance.yaml; with at least three measured recoveries, their minimum, median and maximum instead of the
    assumed minutes. `gpus_of_a_drill` is added to a drill's labour. Raises SreError naming what is missing.
    """
    programme, value, traffic = finance.programme, finance.good_request, finance.requests_a_month
    wanted = (
        ("programme", programme),
        ("good_request", value),
        ("requests_a_month", traffic),
        ("labour", finance.labour),
    )
    lacks = [name for name, found in wanted if not found]
    if lacks or programme is None or value is None or traffic is None:
        raise SreError(
            f"{finance.path}: a return needs {', '.join(lacks)}: add it (finance.yaml in the repository shows how)"
        )
    credits = finance.credits
    return RoiInputs(
        currency=finance.currency,
        incidents_without=programme.incidents_a_year_without,
        incidents_with=programme.incidents_a_year_with,
        minutes_without=programme.minutes_without,
        minutes_with=recovered_minutes(recoveries_s, measured_in) or programme.minutes_with,
        share_lost=programme.share_of_requests_lost,
        requests_a_month=traffic,
        good_request=value,
        responders_hour=_responders(finance),
        follow_up=_follow_up(finance),
        drills_a_month=programme.drills_a_month,
        drill_cost=_drill(finance, gpus_of_a_drill),
        fixed_cost=programme.fixed_cost_a_year,
        monthly_fee=None if credits is None else credits.monthly_fee,
        credit_steps=() if credits is None else credits.steps,
    )


def recovered_minutes(recoveries_s: Sequence[float], measured_in: str) -> Input | None:
    """Minimum, median and maximum in minutes; None when fewer than three were measured."""
    if len(recoveries_s) < FEWEST_MEASURED:
        return None
    low, middle, high = (
        Decimal(str(round(seconds / 60, 6))) for seconds in (min(recoveries_s), median(recoveries_s), max(recoveries_s))
    )
    source = f"{len(recoveries_s)} recoveries of {measured_in}: minimum, median, maximum"
    return Input("minutes with", middle, "min", "measured", source, low, high)


def _responders(finance: Finance) -> Input:
    roles = [role for role in finance.labour if role.response_hours is not None]
    return _added(
        "hour of all who respond", f"{finance.currency} an hour", [(r.people, (r.hourly_rate,)) for r in roles]
    )


def _follow_up(finance: Finance) -> Input:
    parts = [(r.people, (r.hourly_rate, r.follow_up_hours)) for r in finance.labour if r.follow_up_hours is not None]
    return _added("labour after one incident", finance.currency, parts)


def _added(name: str, unit: str, parts: Sequence[tuple[int, tuple[Input | None, ...]]]) -> Input:
    """Sum of people x factors, its bounds those of all factors at once."""
    totals = [Decimal(0)] * 3
    used: list[Input] = []
    for people, factors in parts:
        known = [factor for factor in factors if factor is not None]
        used += known
        for place in range(3):
            amount = Decimal(people)
            for factor in known:
                amount *= (factor.bounds[0], factor.value, factor.bounds[1])[place]
            totals[place] += amount
    return Input(name, totals[1], unit, weakest(used), "finance.yaml: labour", totals[0], totals[2])


def _drill(finance: Finance, gpus: Input | None) -> Input:
    people = CostSum("", finance.currency, drill_lines(finance))
    if people.total is None or people.bounds is None:
        raise SreError(f"{finance.path}: a return needs drill with a team: add who takes part in a drill and how long")
    low, value, high = people.bounds[0], people.total, people.bounds[1]
    if gpus is None:
        return Input("cost of a drill", value, finance.currency, "assumed", "finance.yaml: drill, labour", low, high)
    source = f"finance.yaml: drill, labour; GPUs: {gpus.source}"
    ends = (low + gpus.bounds[0], high + gpus.bounds[1])
    return Input("cost of a drill", value + gpus.value, finance.currency, "assumed", source, *ends)


def roi(inputs: RoiInputs, *, seed: int, years: int = YEARS, notes: Sequence[str] = ()) -> Roi:
    """Same inputs, seed and years: the same result to the last digit.

    Raises SreError when that are more incidents than fit into memory.
    """
    _require_few(inputs, years)
    found = simulate(inputs, seed=seed, years=years)
    net = found.benefit - found.cost
    paid = float((net > 0).mean())
    mean_cost = float(found.cost.mean())
    return Roi(
        currency=inputs.currency,
        seed=seed,
        years=years,
        cost=_band(found.cost),
        benefit=_band(found.benefit),
        net=_band(net),
        chance_positive=_decimal(paid, _FOURTH),
        standard_error=_decimal((paid * (1 - paid) / years) ** 0.5, _FOURTH),
        ratio=_decimal(float(net.mean()) / mean_cost, _FOURTH) if mean_cost > 0 else None,
        incident_without=_decimal(expected_incident(inputs, inputs.minutes_without)),
        incident_with=_decimal(expected_incident(inputs, inputs.minutes_with)),
        break_even=break_even(inputs, found),
        swings=swings(inputs, seed=seed, years=min(years, SWING_YEARS)),
        bins=_bins(net),
        inputs=tuple(given for _, given in inputs.given()),
        notes=(*NOTES, *notes),
        has_credits=bool(inputs.credit_steps),
    )


def _require_few(inputs: RoiInputs, years: int) -> None:
    a_year = sum(one.bounds[1] for one in (inputs.incidents_without, inputs.incidents_with))
    if a_year * years > _MOST_INCIDENTS:
        raise SreError(
            f"{years:,} years of up to {a_year:,f} incidents, with and without drills, are more than the "
            f"{_MOST_INCIDENTS:,} incidents that are simulated: give fewer --years, or lower the incidents a year"
        )


def break_even(inputs: RoiInputs, years: Years) -> BreakEven:
    """From means and from simulated years; None where an incident would save nothing."""
    cost, without = expected_cost(inputs), expected_incident(inputs, inputs.minutes_without)
    saved = without - expected_incident(inputs, inputs.minutes_with)
    counted = float(years.cost.mean())
    seen = float(years.incident_without.mean()) if years.incident_without.size else 0.0
    seen_saved = float((years.incident_without - years.incident_with).mean()) if years.incident_with.size else 0.0
    return BreakEven(_ratio(cost, without), _ratio(counted, seen), _ratio(cost, saved), _ratio(counted, seen_saved))


def swings(inputs: RoiInputs, *, seed: int, years: int) -> tuple[Swing, ...]:
    """The widest first; an input without a range moves nothing and is left out."""
    found = []
    for name, given in inputs.given():
        low, high = given.bounds
        if low == high:
            continue
        ends = (_mean_net(inputs.fixed_at(name, end), seed, years) for end in (low, high))
        found.append(Swing(name, given, *ends))
    return tuple(sorted(found, key=lambda swing: (-swing.width, swing.name)))


def _mean_net(inputs: RoiInputs, seed: int, years: int) -> Decimal:
    found = simulate(inputs, seed=seed, years=years)
    return _decimal(float((found.benefit - found.cost).mean()))


def _band(values: Floats) -> Band:
    p10, p50, p90 = (float(value) for value in np.percentile(values, [10, 50, 90]))
    return Band(*(_decimal(value) for value in (p10, p50, p90, float(values.mean()))))


def _bins(net: Floats) -> tuple[tuple[Decimal, Decimal, int], ...]:
    """Of the middle 98 % of years: a few extreme ones would flatten the rest."""
    low, high = (float(value) for value in np.percentile(net, [1, 99]))
    if low >= high:
        return ((_decimal(low), _decimal(high), int(net.size)),)
    counts, edges = np.histogram(net, bins=BINS, range=(low, high))
    return tuple(
        (_decimal(float(edges[place])), _decimal(float(edges[place + 1])), int(count))
        for place, count in enumerate(counts)
    )


def _ratio(cost: float, saving: float) -> Decimal | None:
    return _decimal(cost / saving, _CENT) if saving > 0 else None


def _decimal(value: float, step: Decimal = _CENT) -> Decimal:
    return Decimal(repr(value)).quantize(step, context=_WIDE)
