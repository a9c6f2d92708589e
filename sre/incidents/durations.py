"""Durations: two milestones apart, named from-to (`fault_injected to detected`).

One that cannot be told is n/a with the reason, never 0. One that comes out negative is kept as observed and flagged:
two clocks or two sources disagree, and clipping it would hide that.

| name | from | to |
|---|---|---|
| `time_to_impact` | zero | `impact_start` |
| `time_to_detect` | zero | `detected` |
| `time_to_alert` | zero | `alerted` |
| `time_to_acknowledge` | `alerted` | `acknowledged` |
| `time_to_identify` | zero | `identified` |
| `time_to_mitigate` | zero | `mitigated` |
| `time_to_recover` | zero | `recovered` |
| `time_to_recover_once_removed` | `fault_removed` | `recovered` |
| `time_to_reset` | zero | `alert_reset` |
| `time_to_resolve` | zero | `resolved` |
| `time_to_close` | zero | `closed` |

Zero is `fault_injected` in a drill. Nobody injects a real fault, so there it is `impact_start`, else `detected`, else
`alerted`: the first of these that is known. What began before the zero is then not counted; `Duration.start` says which
it was. In a case that has no zero at all every duration from it is n/a.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sre.incidents.events import MilestoneMark
from sre.incidents.milestones import NAMES
from sre.incidents.model import Duration, Milestone

ZEROS = ("fault_injected", "impact_start", "detected", "alerted")
"""Where counting may begin, the best first."""
ZERO = ""
DURATIONS = (
    ("time_to_impact", ZERO, "impact_start"),
    ("time_to_detect", ZERO, "detected"),
    ("time_to_alert", ZERO, "alerted"),
    ("time_to_acknowledge", "alerted", "acknowledged"),
    ("time_to_identify", ZERO, "identified"),
    ("time_to_mitigate", ZERO, "mitigated"),
    ("time_to_recover", ZERO, "recovered"),
    ("time_to_recover_once_removed", "fault_removed", "recovered"),
    ("time_to_reset", ZERO, "alert_reset"),
    ("time_to_resolve", ZERO, "resolved"),
    ("time_to_close", ZERO, "closed"),
)
"""Name, start (`ZERO`: the incident's own), end."""


def durations(marks: Sequence[Milestone]) -> tuple[Duration, ...]:
    """All durations of a drill's milestones; zero is `fault_injected`."""
    by_name = {mark.name: mark for mark in marks}
    return tuple(_between(name, by_name[start or ZEROS[0]], by_name[end]) for name, start, end in DURATIONS)


def case_durations(marks: Mapping[str, tuple[MilestoneMark, str]]) -> tuple[Duration, ...]:
    """All durations of a stored case (`Case.marks`), from the best zero that it knows."""
    known = {name: _from_mark(name, marks) for name in NAMES}
    zero = known[zero_of({name: mark.at for name, mark in known.items()}) or ZEROS[0]]
    return tuple(_of_case(name, known[start] if start else zero, known[end]) for name, start, end in DURATIONS)


def zero_of(instants: Mapping[str, float | None]) -> str | None:
    """The milestone that an incident's durations count from; None when it knows none of `ZEROS`."""
    return next((name for name in ZEROS if instants.get(name) is not None), None)


def _from_mark(name: str, marks: Mapping[str, tuple[MilestoneMark, str]]) -> Milestone:
    found = marks.get(name)
    if found is None:
        return Milestone(name, None, "", f"nobody marked {name}")
    mark, source = found
    reason = None if mark.instant is not None else mark.reason or f"nobody marked {name}"
    return Milestone(name, mark.instant, source, reason, mark.uncertainty_s)


def _of_case(name: str, start: Milestone, end: Milestone) -> Duration:
    if start.name == end.name:
        return Duration(name, start.name, end.name, None, f"counting begins with {end.name}: nothing earlier is known")
    return _between(name, start, end)


def _between(name: str, start: Milestone, end: Milestone) -> Duration:
    if start.at is None or end.at is None:
        return Duration(name, start.name, end.name, None, end.reason or start.reason)
    seconds = end.at - start.at
    flag = f"negative: {end.name} stands before {start.name}" if seconds < 0 else ""
    return Duration(name, start.name, end.name, seconds, flag=flag)
