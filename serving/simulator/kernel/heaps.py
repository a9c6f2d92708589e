"""Heaps that know where each item is, so that nothing in them is ever out of date.

`items` are ordered by (first, second, item); `at` says where an item is, NOBODY for one that is not in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.simulator.kernel.compiling import compiled
from serving.simulator.kernel.layout import NOBODY

Ints = NDArray[np.int64]


@compiled
def before(a: int, b: int, first: Ints, second: Ints) -> bool:
    if first[a] != first[b]:
        return bool(first[a] < first[b])
    if second[a] != second[b]:
        return bool(second[a] < second[b])
    return a < b


@compiled
def _up(items: Any, at: Any, first: Ints, second: Ints, place: int) -> int:
    item = items[place]
    while place > 0:
        parent = (place - 1) >> 1
        if not before(item, items[parent], first, second):
            break
        items[place] = items[parent]
        at[items[place]] = place
        place = parent
    items[place] = item
    at[item] = place
    return place


@compiled
def _down(items: Any, at: Any, first: Ints, second: Ints, place: int, count: int) -> None:
    item = items[place]
    while True:
        child = 2 * place + 1
        if child >= count:
            break
        if child + 1 < count and before(items[child + 1], items[child], first, second):
            child += 1
        if not before(items[child], item, first, second):
            break
        items[place] = items[child]
        at[items[place]] = place
        place = child
    items[place] = item
    at[item] = place


@compiled
def put(items: Any, at: Any, first: Ints, second: Ints, item: int, count: int) -> int:
    """Add an item, or move it after its keys changed. Returns how many there are."""
    if at[item] < 0:
        items[count] = item
        at[item] = count
        count += 1
    _down(items, at, first, second, _up(items, at, first, second, at[item]), count)
    return count


@compiled
def take_out(items: Any, at: Any, first: Ints, second: Ints, item: int, count: int) -> int:
    place, count = at[item], count - 1
    at[item] = NOBODY
    if place != count:
        items[place] = items[count]
        at[items[place]] = place
        _down(items, at, first, second, _up(items, at, first, second, place), count)
    return count
