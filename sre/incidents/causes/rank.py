"""Cause candidates: every failure known, weighed against what was seen.

For each signature and each subject it may be on, every symptom that the signature names adds the logarithm of how much
likelier it is with this failure than without any: ln(p / q) where it was seen, ln((1 - p) / (1 - q)) where it was not,
mixed by its strength (p: the signature's chance, q = 3 %). A candidate whose symptoms began later than others of the
same incident loses a little for each scrape: causes come before what they cause. It loses a little, too, for each
strong symptom that it does not speak of, unless that came later than its own: a consequence. The sum orders candidates;
the score shown is sum / (sum + 5), from 0 to 1 and no probability, because symptoms depend on each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log

from sre.errors import NoData
from sre.incidents.causes.changes import MIN_BASELINE
from sre.incidents.causes.definitions import Chance, Knowledge, Signature, shipped
from sre.incidents.causes.model import Candidate, CauseEvidence, CauseRanking
from sre.incidents.causes.readings import Readings, ticks_of
from sre.incidents.causes.supervisor import event_symptoms
from sre.incidents.causes.symptoms import Symptom, metric_symptoms
from sre.incidents.model import PlatformEvent
from sre.metrics.model import SampleSource, Selector

_CHANCES: dict[Chance, float] = {"always": 0.95, "often": 0.5, "seldom": 0.1, "never": 0.01}
_BACKGROUND = 0.03
NO_REPLICA = "one of the replicas"
"""The subject of a failure on a replica when nothing tells on which."""
_LEAST_SUM = 0.5
_HALF_SCORE = 5.0
_STRONG, _LEFT_EACH, _LEFT_MOST = 0.7, 0.35, 5.0
_MEANWHILE_TICKS = 3.0
_LATE_PER_TICK, _LATE_MOST, _LATE_FREE = 0.1, 1.5, 2.0


@dataclass(frozen=True, slots=True)
class _Weighing:
    """A signature on a subject; `shown` by time."""

    signature: Signature
    subject: str
    shown: tuple[Symptom, ...]
    total: float


def rank_causes(
    samples: SampleSource | None,
    events: Sequence[PlatformEvent],
    *,
    start: float,
    end: float,
    knowledge: Knowledge | None = None,
) -> CauseRanking:
    """Candidates for what went wrong in [start, end] (Unix s), best first. `samples` None: nothing was recorded.

    The range should begin with a while in which all was well: changes are told against it.
    """
    known = knowledge or shipped()
    readings = _read(samples, start, end)
    symptoms = sorted(
        [
            *event_symptoms(known.symptoms, events, start=start, end=end),
            *(metric_symptoms(known.symptoms, readings) if readings is not None else ()),
        ],
        key=lambda s: (s.at, s.name, s.replicas),
    )
    began = symptoms[0].at if symptoms else None
    step = readings.ticks.step_s if readings is not None else 1.0
    weighed = [
        weighing
        for signature in known.signatures
        for weighing in _weighings(signature, symptoms, began_at=began or start, step_s=step)
    ]
    ordered = sorted(weighed, key=lambda w: (-w.total, w.shown[0].at, w.subject, w.signature.failure))
    ranked = tuple(_candidate(rank, weighing) for rank, weighing in enumerate(ordered, 1))
    return CauseRanking(ranked, began, tuple(_limits(readings, events, symptoms, start)))


def _read(samples: SampleSource | None, start: float, end: float) -> Readings | None:
    if samples is None:
        return None
    try:
        ticks = ticks_of(samples, start=start, end=end)
    except NoData:
        return None
    return None if ticks is None else Readings(samples, ticks, start=start, end=end)


def _weighings(
    signature: Signature, symptoms: Sequence[Symptom], *, began_at: float, step_s: float
) -> Iterator[_Weighing]:
    """The signature on each subject that shows at least one symptom it always shows."""
    named = [s for s in symptoms if s.name in signature.chances]
    for replicas in _subjects(signature, named):
        own = [s for s in named if signature.kind != "replica" or s.replicas in (replicas, ())]
        strongest = {s.name: s for s in sorted(own, key=lambda s: s.strength)}
        shown = [s for s in own if strongest[s.name] is s and signature.chances[s.name] != "never"]
        if not any(signature.chances[s.name] == "always" for s in shown):
            continue
        first = min(s.at for s in shown)
        total = sum(_weight(chance, strongest.get(name)) for name, chance in signature.chances.items())
        total -= _lateness((first - began_at) / step_s)
        if total >= _LEAST_SUM:
            total -= _left_over(own, symptoms, before=first + _MEANWHILE_TICKS * step_s)
            yield _Weighing(signature, _hit(signature, replicas, own), tuple(shown), total)


def _hit(signature: Signature, replicas: tuple[str, ...], own: Sequence[Symptom]) -> str:
    """What the failure is on: the replica, the component, or the replicas that its symptoms name together."""
    if signature.subject:
        return signature.subject
    several = {name for s in own if len(s.replicas) > 1 for name in s.replicas}
    found = replicas or tuple(several or {name for s in own for name in s.replicas})
    return ", ".join(sorted(found)) or NO_REPLICA


def _left_over(own: Sequence[Symptom], symptoms: Sequence[Symptom], *, before: float) -> float:
    """What the candidate loses for strong symptoms that began before `before` and that it does not speak of."""
    spoken = {id(s) for s in own}
    left = sum(s.strength >= _STRONG and s.at < before and id(s) not in spoken for s in symptoms)
    return min(_LEFT_MOST, _LEFT_EACH * left)


def _subjects(signature: Signature, named: Sequence[Symptom]) -> list[tuple[str, ...]]:
    """The replicas that it may be on; () for what is on none, and where it is on one that nothing points at."""
    if signature.kind != "replica":
        return [()]
    shown = {s.replicas for s in named if s.replicas and signature.chances[s.name] != "never"}
    return sorted(shown) or [()]


def _weight(chance: Chance, seen: Symptom | None) -> float:
    p, q = _CHANCES[chance], _BACKGROUND
    strength = 0.0 if seen is None else seen.strength
    return strength * log(p / q) + (1.0 - strength) * log((1.0 - p) / (1.0 - q))


def _lateness(ticks: float) -> float:
    return min(_LATE_MOST, _LATE_PER_TICK * max(0.0, ticks - _LATE_FREE))


def _candidate(rank: int, weighing: _Weighing) -> Candidate:
    total = max(weighing.total, 0.0)
    return Candidate(
        rank=rank,
        kind=weighing.signature.kind,
        subject=weighing.subject,
        signature=weighing.signature.failure,
        score=total / (total + _HALF_SCORE),
        evidence=tuple(CauseEvidence(s.text, s.at, s.strength, s.source) for s in weighing.shown),
    )


def _limits(
    readings: Readings | None,
    events: Sequence[PlatformEvent],
    symptoms: Sequence[Symptom],
    start: float,
) -> Iterator[str]:
    if readings is None:
        yield "no samples in this time: only the supervisor's events were looked at"
    else:
        yield from _limits_of_samples(readings, symptoms, start)
    if not events:
        yield "no supervisor events: exits and starts are told by metrics alone"
    if not symptoms:
        yield "nothing stands out: no metric left its own past and no process exited"


def _limits_of_samples(readings: Readings, symptoms: Sequence[Symptom], start: float) -> Iterator[str]:
    ticks = readings.ticks
    if len(ticks.times) <= MIN_BASELINE:
        yield f"only {len(ticks.times)} scrapes in this time: changes need {MIN_BASELINE} before them; begin earlier"
    elif symptoms and symptoms[0].at - float(ticks.times[0]) < MIN_BASELINE * ticks.step_s:
        yield (
            f"the first change stands {symptoms[0].at - start:.0f} s after the begin: what was normal before it is "
            "hardly known; begin earlier"
        )
    replicas = len(readings.levels((Selector("up"),), by_replica=True))
    if replicas < 2:
        yield f"{replicas} replicas are known by a `replica` label: none can be compared with others"
