"""Whether a drill has shown that the controls of a risk hold. Computed from drills, never typed in.

`demonstrated`: for one linked experiment at least, the newest drill that tested something passed and is not older than
a stated age. A drill that deviated after one that passed takes the proof away. Everything else is `asserted`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sre.risks.model import Drilled, Entry, Standing

MAX_AGE_DAYS = 90


@dataclass(frozen=True, slots=True)
class Evidence:
    """`by` is the newest drill that proves it, `age_days` its age; `reason` says what is missing, also where only some
    of the `linked` experiments are `proven`.
    """

    standing: Standing
    reason: str
    by: Drilled | None = None
    age_days: int | None = None
    proven: tuple[str, ...] = ()
    linked: tuple[str, ...] = ()


def newest(drills: Iterable[Drilled]) -> dict[str, Drilled]:
    """The newest of each experiment, whatever became of it."""
    return {drill.experiment: drill for drill in sorted(drills, key=lambda one: (one.at, one.report, one.source))}


def evidence_of(entry: Entry, drills: Iterable[Drilled], *, today: date, max_age_days: int = MAX_AGE_DAYS) -> Evidence:
    """What `drills` say of it on the day `today`."""
    linked = entry.experiments
    last = [drill for name, drill in newest(drills).items() if name in linked]
    proofs = [d for d in last if d.outcome == "passed" and 0 <= age_days(d, today) <= max_age_days]
    if proofs:
        by = max(proofs, key=lambda drill: (drill.at, drill.experiment))
        proven = tuple(name for name in linked if name in {drill.experiment for drill in proofs})
        rest = tuple(name for name in linked if name not in proven)
        why = _why(rest, [drill for drill in last if drill.experiment in rest], today, max_age_days) if rest else ""
        return Evidence("demonstrated", why, by, age_days(by, today), proven, linked)
    return Evidence("asserted", _why(linked, last, today, max_age_days), linked=linked)


def age_days(drill: Drilled, today: date) -> int:
    """Whole days, by the calendar in UTC."""
    return (today - datetime.fromtimestamp(drill.at, UTC).date()).days


def _why(linked: Sequence[str], last: Sequence[Drilled], today: date, max_age_days: int) -> str:
    if not linked:
        return "no experiment is linked"
    words = {"known": "deviated as its known weakness says", "deviated": "deviated"}
    told = []
    for drill in sorted(last, key=lambda one: one.experiment):
        age = age_days(drill, today)
        if age < 0:
            told.append(f"the newest drill of {drill.experiment} is dated after that day")
        elif drill.outcome == "passed":
            told.append(f"{drill.experiment} passed {age} days ago, more than {max_age_days}")
        else:
            told.append(f"the newest drill of {drill.experiment} {words[drill.outcome]}")
    missing = [name for name in linked if name not in {drill.experiment for drill in last}]
    if missing:
        told.append(f"no drill of {', '.join(missing)} is recorded")
    return "; ".join(told)
