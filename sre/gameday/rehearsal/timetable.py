"""When the steps of a method begin: after the pauses that the file states, or when they began in a drill."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sre.gameday.rehearsal.stage import Scene

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Timetable:
    """`begins` are Unix seconds of the virtual clock by journal section and place (`("run", 0)`); what it does not name
    begins as planned. A step never begins before the one in front of it has ended.
    """

    begins: Mapping[Place, float] = field(default_factory=dict)

    def knows(self, section: str, index: int) -> bool:
        return (section, index) in self.begins

    async def begin(self, scene: Scene, usual_s: float) -> None:
        """Until the first look at the steady state: `usual_s` after the start where nobody measured it."""
        if not await self.wait(scene, "before", 0):
            await scene.platform.sleep(usual_s)

    async def wait(self, scene: Scene, section: str, index: int) -> bool:
        """Until the step begins; False, at once, where the plan's own pauses decide."""
        at = self.begins.get((section, index))
        if at is None:
            return False
        await scene.platform.sleep(max(0.0, at - scene.now()))
        return True


AS_PLANNED = Timetable()


def measured(journal: Mapping[str, Any], *, load_began_at: float, virtual_load_began_at: float) -> Timetable:
    """The begins of a drill's journal, moved so that both loads begin at the same moment. Rollbacks and the look after
    the rollbacks follow by themselves.
    """
    states = journal.get("steady_states") or {}
    sections = {
        "before": (states.get("before") or {}).get("probes") or [],
        "run": journal.get("run") or [],
        "after": (states.get("after") or {}).get("probes") or [],
    }
    shift = virtual_load_began_at - load_began_at
    begins = {
        (section, index): _unix(step["start"]) + shift
        for section, steps in sections.items()
        for index, step in enumerate(steps)
        if step.get("start") and (index == 0 or section == "run")
    }
    return Timetable(begins)


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
