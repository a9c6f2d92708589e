"""Which injects a session has, and at which minute of play each comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sre.errors import SreError
from sre.tabletop.facts import Facts
from sre.tabletop.model import ROLE_IDS, RoleId
from sre.tabletop.scenario import InjectTemplate

LEAST_MIN, MOST_MIN = 30, 480
_NEEDED: tuple[RoleId, ...] = ("sre-lead", "on-call")
_SIZES = ((30, 9), (45, 10), (60, 12), (75, 13))
_MOST_INJECTS = 14


@dataclass(frozen=True, slots=True)
class Wanted:
    """How long, and who plays."""

    minutes: int = 60
    roles: tuple[RoleId, ...] = ROLE_IDS

    def check(self) -> None:
        """Raise SreError for what cannot be played."""
        if not LEAST_MIN <= self.minutes <= MOST_MIN:
            raise SreError(f"{self.minutes} minutes cannot be played: give {LEAST_MIN} to {MOST_MIN}")
        missing = [role for role in _NEEDED if role not in self.roles]
        if missing:
            raise SreError(f"an exercise needs {' and '.join(_NEEDED)}: add {', '.join(missing)}")

    @property
    def parts(self) -> tuple[int, int, int]:
        """Minutes of briefing, play and hot wash."""
        briefing, hot_wash = max(3, round(self.minutes * 0.1)), max(5, round(self.minutes * 0.16))
        return briefing, self.minutes - briefing - hot_wash, hot_wash


def choose(templates: Sequence[InjectTemplate], facts: Facts, wanted: Wanted) -> tuple[InjectTemplate, ...]:
    """In the order of play. Injects of roles that do not play go first, then those of the lowest rank."""
    fitting = [one for one in templates if one.receiver in wanted.roles and all(facts.holds(c) for c in one.when)]
    size = next((most for minutes, most in _SIZES if wanted.minutes <= minutes), _MOST_INJECTS)
    ranked = sorted(fitting, key=lambda one: one.rank)
    needed = sum(one.rank == 1 for one in fitting)
    kept = ranked[: max(size, needed)]
    return tuple(one for one in fitting if one in kept)


def schedule(chosen: Sequence[InjectTemplate], play_min: int) -> tuple[tuple[int, int], ...]:
    """(minute after STARTEX, minutes for it) of each: the whole play, shared by how much there is to talk about."""
    whole, so_far, starts = sum(one.minutes for one in chosen), 0, []
    for one in chosen:
        starts.append(so_far * play_min // whole)
        so_far += one.minutes
    ends = [*starts[1:], play_min]
    return tuple((start, end - start) for start, end in zip(starts, ends, strict=True))
