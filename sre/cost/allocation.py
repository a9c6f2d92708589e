"""Allocates replica time to what it was paid for, and turns it into money. Pure.

Time is counted in whole microseconds, so that splitting an interval loses nothing; money is Decimal and is rounded only
where it is shown. A replica costs while its process lives: what reserved hardware costs between an exit and the restart
is not in the figures, but it is named in the notes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Protocol

from sre.cost.model import CostReport, Price, ReplicaUse

_US_PER_S = 1_000_000
_US_PER_HOUR = 3600 * _US_PER_S
_MILLION = Decimal(1_000_000)
_LIFE_ENDS = frozenset({"replica_started", "replica_exited", "platform_stopped"})


class LifeEvent(Protocol):
    """What is read of a supervisor's event; `sre.incidents.model.PlatformEvent` fits."""

    @property
    def at(self) -> float: ...
    @property
    def event(self) -> str: ...
    @property
    def replica(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class ReplicaTime:
    """Paid replica time in microseconds, and the unpaid gaps between a replica's lives."""

    serving_us: int
    not_serving_us: int
    gap_us: int = 0

    @property
    def billed_us(self) -> int:
        return self.serving_us + self.not_serving_us


def replica_use(events: Iterable[LifeEvent], *, end: float) -> tuple[ReplicaUse, ...]:
    """Process lives from `replica_started` to `replica_exited`, by start; those still open end at `end`.

    `platform_stopped` closes what is open. A start while a life is open closes that one (its exit was not seen);
    `ready` and `exited` without a start belong to a life before these events and are left out.
    """
    ordered = sorted(events, key=lambda event: event.at)
    names = sorted({event.replica for event in ordered if event.replica is not None})
    uses = [use for name in names for use in _lives(name, ordered, end) if use.start < use.end]
    return tuple(sorted(uses, key=lambda use: (use.start, use.replica)))


def _lives(name: str, events: Sequence[LifeEvent], end: float) -> Iterator[ReplicaUse]:
    life: ReplicaUse | None = None
    for event in events:
        if event.replica != name and event.event != "platform_stopped":
            continue
        if life is not None and event.event in _LIFE_ENDS:
            yield replace(life, end=event.at)
            life = None
        if event.event == "replica_started":
            life = ReplicaUse(name, event.at, None, end)
        elif event.event == "replica_ready" and life is not None and life.ready_at is None:
            life = replace(life, ready_at=event.at)
    if life is not None:
        yield life


def replica_time(uses: Sequence[ReplicaUse], *, start: float, end: float) -> ReplicaTime:
    """Paid time inside [start, end). Additive over a split of the interval, to the microsecond."""
    window = (_us(start), _us(end))
    serving = billed = 0
    for use in uses:
        born, died = _us(use.start), _us(use.end)
        ready = died if use.ready_at is None else max(born, _us(use.ready_at))
        billed += _overlap((born, died), window)
        serving += _overlap((ready, died), window)
    return ReplicaTime(serving, billed - serving, _gaps(uses, window))


def _gaps(uses: Sequence[ReplicaUse], window: tuple[int, int]) -> int:
    lives = sorted(uses, key=lambda use: (use.replica, use.start))
    between = (
        (_us(before.end), _us(after.start)) for before, after in pairwise(lives) if before.replica == after.replica
    )
    return sum(_overlap(gap, window) for gap in between)


def _us(seconds: float) -> int:
    return round(seconds * _US_PER_S)


def _overlap(span: tuple[int, int], window: tuple[int, int]) -> int:
    return max(0, min(span[1], window[1]) - max(span[0], window[0]))


def cost_report(
    uses: Sequence[ReplicaUse],
    *,
    price: Price,
    gpus_per_replica: int,
    start: float,
    end: float,
    tokens: int | None,
    good_tokens: int | None,
    wasted_tokens: int | None,
    incident_window: tuple[float, float] | None,
    notes: Sequence[str] = (),
) -> CostReport:
    """What `uses` cost over [start, end). Token counts are those of the same interval; None when no samples were had.

    total = billed replica-hours x gpus_per_replica x price; per million tokens = total / tokens x 10^6, likewise for
    good tokens. The incident's cost is
    - capacity: replica-hours paid but not serving inside `incident_window` (clipped to the interval) x GPUs x price
    - wasted tokens: wasted_tokens x total / tokens, the tokens of failed requests at the drill's own price of a token.
    That price carries start-up time too, so the two parts overlap by the not-serving share of the bill; stated rather
    than corrected, since the drill's price of a token is the figure a reader knows.

    Raises ValueError for an interval that is no interval, fewer than one GPU, or negative counts.
    """
    _check(start, end, gpus_per_replica, (tokens, good_tokens, wasted_tokens))
    gpu_hour = price.per_gpu_hour * gpus_per_replica
    time = replica_time(uses, start=start, end=end)
    total = _money(time.billed_us, gpu_hour)
    told = [*notes, *_time_notes(time)]
    bill = total if time.billed_us else None
    per_million = _per_million(bill, tokens, "tokens", told)
    per_million_good = _per_million(bill, good_tokens, "good tokens", told)
    lost = _incident_capacity(uses, incident_window, (start, end), gpu_hour, told)
    wasted = _wasted_cost(wasted_tokens, per_million, told)
    known = [part for part in (lost, wasted) if part is not None]
    serving_s, not_serving_s = time.serving_us / _US_PER_S, time.not_serving_us / _US_PER_S
    return CostReport(
        price=price,
        gpus_per_replica=gpus_per_replica,
        billed_s=serving_s + not_serving_s,
        serving_s=serving_s,
        not_serving_s=not_serving_s,
        total=total,
        tokens=tokens,
        good_tokens=good_tokens,
        wasted_tokens=wasted_tokens,
        per_million_tokens=per_million,
        per_million_good_tokens=per_million_good,
        incident_capacity=lost,
        incident_wasted_tokens=wasted,
        incident_total=sum(known, Decimal(0)) if known else None,
        notes=tuple(told),
    )


def _check(start: float, end: float, gpus: int, counts: Iterable[int | None]) -> None:
    if not start < end:
        raise ValueError(f"the interval [{start}, {end}) is empty")
    if gpus < 1:
        raise ValueError(f"a replica has at least one GPU, not {gpus}")
    if any(count is not None and count < 0 for count in counts):
        raise ValueError("token counts cannot be negative")


def _money(paid_us: int, gpu_hour: Decimal) -> Decimal:
    return gpu_hour * paid_us / _US_PER_HOUR


def _time_notes(time: ReplicaTime) -> list[str]:
    if not time.gap_us:
        return []
    gap_s = time.gap_us / _US_PER_S
    return [f"{gap_s:.1f} replica-s between an exit and the restart are not billed here; reserved hardware bills them."]


def _per_million(bill: Decimal | None, count: int | None, what: str, told: list[str]) -> Decimal | None:
    if bill is not None and count:
        return bill / count * _MILLION
    if bill is None:
        reason = "no replica ran in the interval"
    else:
        reason = "there are no samples of them" if count is None else "there were none"
    told.append(f"Cost per million {what} is n/a: {reason}.")
    return None


def _incident_capacity(
    uses: Sequence[ReplicaUse],
    window: tuple[float, float] | None,
    interval: tuple[float, float],
    gpu_hour: Decimal,
    told: list[str],
) -> Decimal | None:
    if window is None:
        told.append("Capacity lost in the incident is n/a: no incident window.")
        return None
    start, end = max(window[0], interval[0]), min(window[1], interval[1])
    return _money(replica_time(uses, start=start, end=end).not_serving_us, gpu_hour)


def _wasted_cost(wasted: int | None, per_million: Decimal | None, told: list[str]) -> Decimal | None:
    if wasted == 0:
        return Decimal(0)
    if wasted is None or per_million is None:
        reason = "there are no samples of them" if wasted is None else "a token has no price"
        told.append(f"Cost of wasted tokens is n/a: {reason}.")
        return None
    return wasted * per_million / _MILLION
