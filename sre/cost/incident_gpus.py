"""What an incident cost in GPUs: paid and not serving, above the wanted number, and spent on tokens nobody could use.

The parts are disjoint pieces of the bill. Not serving is time from start to ready; stalled, unseen, failed and
recomputed are layers of the window's serving time (`sre.cost.incident_layers`), disjoint by construction; replicas
above the wanted number, and those up to it while the gateway was gone, are counted from ready on, less the share of the
window's serving time that the layers have counted already. On a fleet of fixed size this money is paid without an
incident too: it is the part of the bill that served nobody, not an extra one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from sre.cost.allocation import replica_time
from sre.cost.fleet_history import FleetHistory
from sre.cost.incident_layers import WindowLayers, replica_s, window_layers
from sre.cost.measured import shown, unknown
from sre.cost.model import CostReport, Price, ReplicaUse
from sre.cost.provenance import CostLine
from sre.errors import BadDocument, NoData, SreError
from sre.metrics.model import SampleSource

CUT_OFF = "GPUs paid while cut off"
NOT_SERVING, RECOVERY = "GPUs paid while starting", "recovery capacity"
STALLED, UNSEEN = "GPUs paid while stalled", "GPUs paid while unseen"
WASTED, RECOMPUTED = "tokens of failed or abandoned requests", "tokens computed again"
EVENTS, SAMPLES = "events.jsonl", "samples.jsonl"
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class GpuUse:
    """The GPUs of a drill: its cost report, process lives, what was wanted (None: not known), and its samples (None:
    nobody kept them).
    """

    cost: CostReport
    uses: tuple[ReplicaUse, ...]
    history: FleetHistory | None
    price: Price
    samples: SampleSource | None = None

    @property
    def per_replica_hour(self) -> Decimal:
        return self.price.per_gpu_hour * self.cost.gpus_per_replica

    @property
    def rescale(self) -> Decimal:
        """What an amount of the cost report is at `price`."""
        return self.price.per_gpu_hour / self.cost.price.per_gpu_hour


def check_currency(price: Price, currency: str, *, said_by: str) -> None:
    """Raises BadDocument where price and economics are not in one currency: nothing is converted."""
    if price.currency != currency:
        raise BadDocument(
            [
                f"{said_by} is in {currency}, the price {price.name} in {price.currency}: nothing is converted; "
                f"take a price in {currency} (--prices BOOK) or write {said_by} in {price.currency}"
            ]
        )


def gpu_lines(use: GpuUse, *, start: float, end: float, counts_recovery: bool) -> tuple[CostLine, ...]:
    """Billed lines of an incident that lasted [start, end)."""
    time = replica_time(use.uses, start=start, end=end)
    lines = [_timed(NOT_SERVING, Decimal(time.not_serving_us) / _MILLION, use, "from start to ready")]
    try:
        layers = window_layers(use.samples, use.uses, start=start, end=end)
    except NoData as error:
        waiting, wasted, counted = *_untold(str(error)), Decimal(0)
    except SreError:
        waiting, wasted, counted = *_untold(f"{SAMPLES} cannot be read: see `sre cost report`"), Decimal(0)
    else:
        waiting, wasted, counted = _waiting(layers, use), _wasted(layers, use), layers.told
    lines += waiting
    if use.history is not None and use.history.cut_off:
        cut_off = Decimal(str(round(use.history.cut_off_s(start=start, end=end), 6)))
        lines.append(_less(CUT_OFF, cut_off, counted, use, "ready, without a gateway"))
    if counts_recovery:
        lines.append(_recovery(use, start, end, counted))
    return (*lines, *wasted)


def _untold(reason: str) -> tuple[list[CostLine], list[CostLine]]:
    lines = [unknown(name, reason, is_billed=True, source=SAMPLES) for name in (STALLED, UNSEEN, WASTED, RECOMPUTED)]
    return lines[:2], lines[2:]


def _waiting(layers: WindowLayers, use: GpuUse) -> list[CostLine]:
    """Serving, and no work seen. What was unseen may have worked, so that line is between 0 and all of it."""
    stalled, unseen = replica_s(layers.time.stalled_us), replica_s(layers.time.unseen_us)
    sampled = f"{SAMPLES}; price {use.price.name}"
    hidden = replace(_timed(UNSEEN, unseen, use, "serving, and no sample of it"), source=sampled)
    return [
        replace(_timed(STALLED, stalled, use, "with requests, and no token"), source=sampled),
        replace(hidden, low=Decimal(0), high=hidden.amount) if unseen else hidden,
    ]


def _wasted(layers: WindowLayers, use: GpuUse) -> list[CostLine]:
    if layers.shares is None:
        return _untold("nobody counted the tokens (sre_gateway_tokens_total)")[1]
    return [
        _busy(WASTED, layers, layers.failed, use, "of tokens of requests that failed or were given up"),
        _busy(RECOMPUTED, layers, layers.recomputed, use, "of tokens computed again"),
    ]


def _busy(name: str, layers: WindowLayers, share: Fraction, use: GpuUse, what: str) -> CostLine:
    seconds = replica_s(layers.time.busy_us)
    part = Decimal(share.numerator) / Decimal(share.denominator)
    line = _timed(name, seconds, use, f"busy x {shown(part)} {what}")
    return replace(
        line, amount=use.per_replica_hour * seconds * part / 3600, source=f"{SAMPLES}; price {use.price.name}"
    )


def _timed(name: str, replica_s: Decimal, use: GpuUse, what: str) -> CostLine:
    return CostLine(
        name=name,
        amount=use.per_replica_hour * replica_s / 3600,
        basis="measured",
        is_billed=True,
        formula=f"{shown(replica_s)} replica-s {what} / 3600 x {_rate(use)}",
        source=f"{EVENTS}; price {use.price.name}",
    )


def _rate(use: GpuUse) -> str:
    price = use.price
    return f"{use.cost.gpus_per_replica} GPU x {shown(price.per_gpu_hour)} {price.currency}/h"


def _recovery(use: GpuUse, start: float, end: float, counted: Decimal) -> CostLine:
    if use.history is None:
        return unknown(RECOVERY, f"{EVENTS} does not say how many replicas were wanted", is_billed=True, source=EVENTS)
    surplus = Decimal(str(round(use.history.surplus_s(start=start, end=end), 6)))
    return _less(RECOVERY, surplus, counted, use, "above the wanted number")


def _less(name: str, replica_s: Decimal, counted: Decimal, use: GpuUse, what: str) -> CostLine:
    """Serving time, less the share of it that other lines hold."""
    if counted and replica_s:
        what += f" x {shown(1 - counted)} not counted in other lines"
    line = _timed(name, replica_s, use, what)
    amount = use.per_replica_hour * replica_s * (1 - counted) / 3600
    return CostLine(name, amount, "measured", True, line.formula, line.source)
