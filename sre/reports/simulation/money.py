"""What a simulated fleet would cost: replica-seconds x GPUs x the price of one GPU-hour, and what of it did no good.

    bill = starting + vacant + worked        (no capacity yet; up without work; with work)
    wasted = worked x wasted tokens / (tokens that reached clients + wasted tokens)
    per million (good) tokens = bill x 1,000,000 / (good) tokens

Parts are rounded so that they add up to the bill. Whole GPUs, no reservation; what serves all replicas is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from sre.cost.model import Price
from sre.cost.prices import price_of
from sre.cost.rounding import apportioned, total
from sre.errors import BadDocument
from sre.platforms.simulation import GpuTime, SimulationSummary

_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class SimulatedBill:
    """Amounts in `currency`. `per_million*` are None without such tokens. `prices` are one a group; `notes` say what
    was assumed of them.
    """

    currency: str
    total: Decimal
    starting: Decimal
    vacant: Decimal
    worked: Decimal
    wasted: Decimal
    per_million_tokens: Decimal | None
    per_million_good_tokens: Decimal | None
    gpu_hours: float
    prices: tuple[tuple[str, Price], ...]
    notes: tuple[str, ...]

    @property
    def idle(self) -> Decimal:
        """Paid for and without work: starting and vacant."""
        return self.starting + self.vacant


def bill_of(summary: SimulationSummary, book: Sequence[Price]) -> SimulatedBill:
    """Raises BadDocument, one line, for a GPU without a price, and for prices in several currencies."""
    priced = [_price(one, book) for one in summary.gpu_time]
    currencies = sorted({price.currency for price, _ in priced})
    if len(currencies) > 1:
        raise BadDocument([f"the groups' prices are in {' and '.join(currencies)}: nothing is converted; use --prices"])
    parts = [Fraction(0)] * 3
    for time, (price, _) in zip(summary.gpu_time, priced, strict=True):
        worked_s = max(0.0, time.replica_s - time.starting_s - time.vacant_s)
        for number, seconds in enumerate((time.starting_s, time.vacant_s, worked_s)):
            parts[number] += Fraction(seconds) * time.gpus * Fraction(price.per_gpu_hour) / 3600
    starting, vacant, worked = apportioned(parts)
    bill = total((starting, vacant, worked))
    tokens = summary.overall.tokens
    wasted_share = Fraction(summary.wasted_tokens, max(1, tokens + summary.wasted_tokens))
    return SimulatedBill(
        currency=currencies[0],
        total=bill,
        starting=starting,
        vacant=vacant,
        worked=worked,
        wasted=apportioned([Fraction(worked) * wasted_share])[0],
        per_million_tokens=bill * _MILLION / tokens if tokens else None,
        per_million_good_tokens=bill * _MILLION / summary.overall.good_tokens if summary.overall.good_tokens else None,
        gpu_hours=sum(time.replica_s * time.gpus for time in summary.gpu_time) / 3600,
        prices=tuple((time.group, price) for time, (price, _) in zip(summary.gpu_time, priced, strict=True)),
        notes=tuple(dict.fromkeys(note for _, note in priced if note)),
    )


def _price(time: GpuTime, book: Sequence[Price]) -> tuple[Price, str]:
    """The newest on-demand price, whatever the day, so that a scenario costs the same tomorrow; of a spot group the
    newest spot price where the book has one.
    """
    if not time.spot:
        return price_of(time.gpu, book), ""
    try:
        return price_of(time.gpu, book, purchase="spot"), ""
    except BadDocument:
        price = price_of(time.gpu, book)
        return price, f"no spot price for {time.gpu} in the price book: {price.name} is used for the spot group too"
