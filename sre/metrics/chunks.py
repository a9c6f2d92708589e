"""How a long range is cut into requests, when the density of its samples is not known beforehand.

The first chunk is short; each next one is as long as the last answer says it may be. An answer that was too big is
asked again in quarters. So 30 days of 30 s samples take a dozen requests, and 200 series at 1 s still fit in memory.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from sre.errors import NoData

FIRST_S = 3600.0
MOST_POINTS = 11_000  # a series; what query_range allows, and a measure of a reasonable answer
MOST_SAMPLES = 250_000  # all series; 8 MB of JSON, 50 MB while it is parsed
_GROWTH = 16.0
_EMPTY_GROWTH = 4.0  # nothing there says little of what comes
_FILL = 0.8  # aim below the limits: density varies
_SHORTEST_S = 1.0


@dataclass(slots=True)
class ChunkPlan:
    """Cuts (start, end]. Ask `next()`, then tell either `seen` or `too_big`; None ends it."""

    start: float
    end: float
    most_samples: int = MOST_SAMPLES
    first_s: float = FIRST_S
    _length_s: float = field(init=False)
    _cap_s: float = field(init=False, default=math.inf)

    def __post_init__(self) -> None:
        self._length_s = self.first_s

    def next(self) -> tuple[float, float] | None:
        """The next part, open on the left; neighbours touch. None when everything was asked."""
        if self.start >= self.end:
            return None
        end = self.start + self._length_s
        # no crumb at the end: it would cost a request of its own
        return self.start, self.end if end > self.end - 0.1 * self._length_s else end

    def seen(self, part: tuple[float, float], *, samples: int, most_per_series: int) -> None:
        """`part` was answered with so many samples, at most `most_per_series` of one series."""
        self.start = part[1]
        growth = _EMPTY_GROWTH
        if samples:
            room = min(self.most_samples / samples, MOST_POINTS / most_per_series)
            growth = min(_GROWTH, _FILL * room)
        self._length_s = max(min(growth * (part[1] - part[0]), self._cap_s), _SHORTEST_S)

    def too_big(self, part: tuple[float, float], why: str) -> None:
        """`part` was refused or given up as too big: it is asked again, shorter. Raises NoData when it is shortest."""
        if part[1] - part[0] <= _SHORTEST_S:
            raise NoData(f"{why}, even for {part[1] - part[0]:g} s: narrow the selector")
        self._cap_s = (part[1] - part[0]) / 2  # whatever density says, never as long again
        self._length_s = max((part[1] - part[0]) / 4, _SHORTEST_S)
