"""Paid replica time split by what it was spent on, in whole microseconds: nothing is lost when an interval is split."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sre.cost.activity import Slot, State
from sre.cost.model import ReplicaUse

US_PER_S = 1_000_000


@dataclass(frozen=True, slots=True)
class LayerTime:
    """Microseconds of paid time. `unseen`: the replica served by its events, and nobody sampled it."""

    not_serving_us: int = 0
    busy_us: int = 0
    stalled_us: int = 0
    vacant_us: int = 0
    unseen_us: int = 0

    def __add__(self, other: LayerTime) -> LayerTime:
        return LayerTime(
            self.not_serving_us + other.not_serving_us,
            self.busy_us + other.busy_us,
            self.stalled_us + other.stalled_us,
            self.vacant_us + other.vacant_us,
            self.unseen_us + other.unseen_us,
        )

    @property
    def serving_us(self) -> int:
        return self.busy_us + self.stalled_us + self.vacant_us + self.unseen_us

    @property
    def billed_us(self) -> int:
        return self.not_serving_us + self.serving_us


def layer_time(use: ReplicaUse, slots: Sequence[Slot], *, start: float, end: float) -> LayerTime:
    """One life inside [start, end). Additive over a split of the interval, to the microsecond.

    `slots` may be of any replicas; those of this one must not overlap.
    """
    window = (_us(start), _us(end))
    born, died = _us(use.start), _us(use.end)
    ready = died if use.ready_at is None else min(died, max(born, _us(use.ready_at)))
    serving = (max(ready, window[0]), min(died, window[1]))
    seen: dict[State, int] = {"busy": 0, "stalled": 0, "vacant": 0}
    for slot in slots:
        if slot.replica == use.replica:
            seen[slot.state] += _overlap((_us(slot.start), _us(slot.end)), serving)
    served = max(0, serving[1] - serving[0])
    return LayerTime(
        not_serving_us=_overlap((born, ready), window),
        busy_us=seen["busy"],
        stalled_us=seen["stalled"],
        vacant_us=seen["vacant"],
        unseen_us=served - sum(seen.values()),
    )


def total_time(parts: Iterable[LayerTime]) -> LayerTime:
    return sum(parts, LayerTime())


def _us(seconds: float) -> int:
    return round(seconds * US_PER_S)


def _overlap(span: tuple[int, int], window: tuple[int, int]) -> int:
    return max(0, min(span[1], window[1]) - max(span[0], window[0]))
