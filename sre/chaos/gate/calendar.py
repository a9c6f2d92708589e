"""When drills may run: `calendar.yaml` in the workspace. Pure, but for the reading in `calendar_file.py`.

Windows are written in local wall time of the calendar's zone. Where a clock change makes a wall time ambiguous or skips
it, a freeze takes the wider reading and an allowed window the narrower one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LOOK_AHEAD_D = 15
Interval = tuple[float, float]
"""[start, end) in Unix seconds."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """Every week on some days (0 is Monday), from one minute of the day to another; to the next day when `end` is not
    after `start`.
    """

    days: frozenset[int]
    start_min: int
    end_min: int
    reason: str

    def walls(self, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Those that may touch the days from `first` to `last`, as wall times."""
        day = first.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
        longer = timedelta(days=1) if self.end_min <= self.start_min else timedelta()
        while day <= last:
            if day.weekday() in self.days:
                yield day + timedelta(minutes=self.start_min), day + timedelta(minutes=self.end_min) + longer
            day += timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Once:
    """From one wall time to another."""

    start: datetime
    end: datetime
    reason: str

    def walls(self, first: datetime, last: datetime) -> Iterator[tuple[datetime, datetime]]:
        del first, last
        yield self.start, self.end


Window = Weekly | Once


@dataclass(frozen=True, slots=True)
class Calendar:
    """`allow` empty: always, but for what is frozen."""

    zone: ZoneInfo
    allow: tuple[Window, ...] = ()
    freeze: tuple[Window, ...] = ()
    path: str = "calendar.yaml"

    def refusal(self, start: float, end: float) -> str | None:
        """Why a run from `start` to (at the latest) `end`, Unix seconds, must not be; None: it may."""
        for window in self.freeze:
            for frozen_from, frozen_to in self._intervals(window, start, end, wide=True):
                if frozen_from < end and start < frozen_to:
                    why = f" ({window.reason})" if window.reason else ""
                    return (
                        f"{self.path}: drills are frozen from {self._wall(frozen_from)} to {self._wall(frozen_to)}{why}"
                    )
        return self._not_allowed(start, end) if self.allow else None

    def _not_allowed(self, start: float, end: float) -> str | None:
        ahead = end + _LOOK_AHEAD_D * 86400
        open_times = _merged([i for w in self.allow for i in self._intervals(w, start, ahead, wide=False)])
        inside = [interval for interval in open_times if interval[0] <= start < interval[1]]
        if inside and end <= inside[0][1]:
            return None
        if inside:
            closes = self._wall(inside[0][1])
            return f"{self.path}: drills are allowed until {closes}, the run may last until {self._wall(end)}"
        following = min((interval[0] for interval in open_times if interval[0] > start), default=None)
        then = "none follows soon" if following is None else f"the next window opens {self._wall(following)}"
        return f"{self.path}: no drill is allowed now ({self._wall(start)}): {then}"

    def _intervals(self, window: Window, start: float, end: float, *, wide: bool) -> Iterator[Interval]:
        first, last = (datetime.fromtimestamp(at, self.zone).replace(tzinfo=None) for at in (start, end))
        for opens, closes in window.walls(first, last):
            begin, finish = self._readings(opens), self._readings(closes)
            yield (min(begin), max(finish)) if wide else (max(begin), min(finish))

    def _readings(self, wall: datetime) -> Interval:
        """The two moments a wall time may mean; twice the same but for clock changes."""
        first, second = (wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC).timestamp() for fold in (0, 1))
        return first, second

    def _wall(self, at: float) -> str:
        return datetime.fromtimestamp(at, self.zone).strftime("%a %Y-%m-%d %H:%M %Z")


def _merged(intervals: list[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        elif start < end:
            merged.append((start, end))
    return merged
