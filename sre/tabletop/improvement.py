"""From ratings to the improvement plan: what an inject that did not go well asks to be changed, by whom, until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from types import MappingProxyType

from sre.incidents.case import Item
from sre.incidents.events import ItemSet
from sre.tabletop.model import Exercise, Rating
from sre.tabletop.progress import Progress

DUE_DAYS: Mapping[Rating, int] = MappingProxyType({"S": 60, "M": 30, "U": 14})
"""Days until an action is due, by the rating that asks for it; the room may set another day (`sre incident item`)."""


def proposed(exercise: Exercise, progress: Progress, known: Sequence[Item], *, today: date) -> tuple[ItemSet, ...]:
    """One action for each inject rated S, M or U whose action is not in the plan yet, the worst first."""
    titles = {item.title for item in known}
    number = max((int(item.item[1:]) for item in known if item.item[1:].isdigit()), default=0)
    rated = [(progress.ratings[one.id].rating, one) for one in exercise.injects if one.id in progress.ratings]
    asked = sorted((pair for pair in rated if pair[0] != "P"), key=lambda pair: (DUE_DAYS[pair[0]], pair[1].id))
    found = []
    for rating, inject in asked:
        if inject.improvement.title in titles:
            continue
        number += 1
        found.append(
            ItemSet(
                item=f"A{number}",
                title=inject.improvement.title,
                owner=exercise.role_title(inject.improvement.owner),
                start=today.isoformat(),
                due=(today + timedelta(days=DUE_DAYS[rating])).isoformat(),
                status="open",
                note=f"{inject.id} was rated {rating}",
            )
        )
    return tuple(found)
