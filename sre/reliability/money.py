"""What an option costs a month: the bill of its GPUs, and what its failures are expected to cost.

Money is Decimal with one currency. What nobody has said the worth of is n/a with its reason, and in no sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np

from sre.cost.finance import Finance, ServiceCredits
from sre.cost.labour import follow_up_lines, response_lines
from sre.cost.measured import Measure
from sre.cost.model import Price
from sre.cost.prices import in_force
from sre.errors import BadDocument
from sre.reliability.durations import Floats
from sre.reliability.fleet import Fleet
from sre.reliability.history import Ints
from sre.reliability.months import Months
from sre.reliability.rates import HOURS_A_MONTH, SpotDiscount

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class GpuPrices:
    """Of a GPU-hour, in `currency`. `spot_told` says where the spot price comes from; it may be an assumption."""

    on_demand: Price
    spot: Decimal
    spot_told: str
    spot_is_assumed: bool

    @property
    def currency(self) -> str:
        return self.on_demand.currency


@dataclass(frozen=True, slots=True)
class Part:
    """One part of what failures cost a month, expected; None with the reason where it cannot be told."""

    name: str
    amount: Decimal | None
    told: str


@dataclass(frozen=True, slots=True)
class Money:
    """A month of one option. `failures` is the sum of the known parts, None where none is known."""

    bill: Decimal
    parts: tuple[Part, ...]

    @property
    def failures(self) -> Decimal | None:
        known = [part.amount for part in self.parts if part.amount is not None]
        return sum(known, Decimal(0)) if known else None

    @property
    def total(self) -> Decimal:
        """Bill and known cost of failures."""
        return self.bill + (self.failures or Decimal(0))


def gpu_prices(
    on_demand: Price, known: Sequence[Price], discount: SpotDiscount, *, on: date, spot: Price | None = None
) -> GpuPrices:
    """The spot price: the one given; else the same provider's; else the discount another provider gives on its own
    list, which is an assumption; else the assumed discount of the rate book.
    """
    if spot is not None:
        _one_currency(on_demand, spot)
        return GpuPrices(on_demand, spot.per_gpu_hour, f"{spot.name}: {spot.source}", spot_is_assumed=False)
    offers = [price for price in _spot_offers(on_demand, known, on) if price.currency == on_demand.currency]
    own = [price for price in offers if price.provider is not None and price.provider == on_demand.provider]
    if own:
        return GpuPrices(on_demand, own[0].per_gpu_hour, f"{own[0].name}: {own[0].source}", spot_is_assumed=False)
    for price in offers:
        if price.list_per_gpu_hour is not None:
            ratio = price.per_gpu_hour / price.list_per_gpu_hour
            told = (
                f"assumed: no spot price of {on_demand.provider or 'this provider'} is known, so what "
                f"{price.name} is below its own list ({(1 - ratio) * 100:.1f} %) is taken off {on_demand.name}"
            )
            return GpuPrices(on_demand, (on_demand.per_gpu_hour * ratio).quantize(Decimal("1e-6")), told, True)
    share = Decimal(str(discount.share))
    told = f"{discount.basis}: {share * 100:f} % below {on_demand.name}; no spot price of {on_demand.gpu} is known"
    return GpuPrices(on_demand, on_demand.per_gpu_hour * (1 - share), told, True)


def _spot_offers(on_demand: Price, known: Sequence[Price], on: date) -> list[Price]:
    """Spot prices of the model that hold that day, the newest first."""
    held = [price for price in known if price.gpu == on_demand.gpu and price.purchase == "spot" and in_force(price, on)]
    return sorted(held, key=lambda price: price.valid_from or "", reverse=True)


def _one_currency(on_demand: Price, spot: Price) -> None:
    if spot.currency != on_demand.currency:
        raise BadDocument(
            [f"the spot price is in {spot.currency}, the price in {on_demand.currency}: give both in one currency"]
        )


def money_of(fleet: Fleet, found: Months, prices: GpuPrices, finance: Finance, *, hours: float) -> Money:
    """The bill, and credits, lost requests and people's time as they are expected."""
    return Money(
        _bill(fleet, found, prices, hours),
        (_credits(finance, found.availability), _lost(finance, found.bad, hours), _people(finance, found.episodes)),
    )


def _bill(fleet: Fleet, found: Months, prices: GpuPrices, hours: float) -> Decimal:
    """On-demand machines are paid the whole month, broken or not; spot machines while they are held."""
    spots = fleet.spot_replicas
    held = _exact(max(0.0, spots * hours - float(found.spot_away_h.mean())))
    own = (fleet.replicas - spots) * _exact(hours)
    return (fleet.gpus_per_replica * (own * prices.on_demand.per_gpu_hour + held * prices.spot)).quantize(CENT)


def _credits(finance: Finance, availability: Floats) -> Part:
    name = "SLA credits"
    if finance.credits is None:
        return Part(name, None, finance.missing("sla"))
    fee = finance.credits.monthly_fee
    percent = _exact(float(credit_percent(finance.credits, availability).mean()))
    told = f"{percent:.4f} % expected of {fee.value:,f} {finance.currency} a month ({finance.credits.source})"
    return Part(name, (fee.value * percent / 100).quantize(CENT), told)


def credit_percent(credits: ServiceCredits, availability: Floats) -> Floats:
    """The percent of the fee given back in each month: that of the lowest step it fell below."""
    percent = np.zeros(len(availability))
    for step in sorted(credits.steps, key=lambda step: -step.below):
        percent = np.where(availability < float(step.below), float(step.percent), percent)
    return percent


def _lost(finance: Finance, bad: Floats, hours: float) -> Part:
    name = "lost requests"
    traffic, value = finance.requests_a_month, finance.good_request
    if traffic is None or value is None:
        return Part(name, None, finance.missing("requests_a_month" if traffic is None else "good_request"))
    count = traffic.value * _exact(hours / HOURS_A_MONTH) * _exact(float(bad.mean()))
    told = f"{count:,.0f} bad requests expected x {value.value:f} {finance.currency} ({value.source})"
    return Part(name, (count * value.value).quantize(CENT), told)


def _people(finance: Finance, episodes: Ints) -> Part:
    name = "people's time"
    nobody = Measure(None, "h", "", "simulated")
    lines = (*response_lines(finance, nobody), *follow_up_lines(finance))
    known = [line.amount for line in lines if line.amount is not None]
    if not known:
        return Part(name, None, finance.missing("labour"))
    count, each = _exact(float(episodes.mean())), sum(known, Decimal(0))
    told = f"{count:.3f} shortages or outages expected x {each:,.2f} {finance.currency} of response and follow-up"
    return Part(name, (count * each).quantize(CENT), told)


def _exact(value: float) -> Decimal:
    return Decimal(repr(round(value, 12)))
