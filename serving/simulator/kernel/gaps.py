"""The longest distance between the ends of two steps since any step: `sequence.StepEnds`, in fixed memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.simulator.kernel.compiling import compiled
from serving.simulator.kernel.layout import NOBODY

Ints = NDArray[np.int64]


@compiled
def longest_gap(replica: Any, steps: Ints, gaps: Ints, since: int) -> int:
    low, high = 0, replica.gaps
    while low < high:
        middle = (low + high) >> 1
        if steps[middle] > since:
            high = middle
        else:
            low = middle + 1
    return int(gaps[low]) if low < replica.gaps else 0


@compiled
def note_gap(replica: Any, places: Any, steps: Ints, gaps: Ints, gap: int) -> None:
    while replica.gaps > 0 and gaps[replica.gaps - 1] <= gap:
        replica.gaps -= 1
    if replica.gaps == len(gaps):
        _forget_gaps(replica, places, steps, gaps)
    steps[replica.gaps] = replica.steps
    gaps[replica.gaps] = gap
    replica.gaps += 1


@compiled
def _forget_gaps(replica: Any, places: Any, steps: Ints, gaps: Ints) -> None:
    """Keep only what is the answer for somebody: there are fewer that decode than there is memory for."""
    kept = 0
    for j in range(replica.gaps):
        before = steps[j - 1] if j else -1
        is_wanted, i = False, replica.head
        while i != NOBODY and not is_wanted:
            is_wanted = places[i].decoding and before <= places[i].joined < steps[j]
            i = places[i].next
        if is_wanted:
            wanted_step, wanted_gap = steps[j], gaps[j]
            steps[kept], gaps[kept] = wanted_step, wanted_gap
            kept += 1
    replica.gaps = kept
