"""Cause candidates: every failure known, weighed against what was seen.

For each signature and each subject it may be on, every symptom that the signature names adds the logarithm of how much
likelier it is with this failure than without any: ln(p / q) where it was seen, ln((1 - p) / (1 - q)) where it was not,
mixed by its strength (p: the signature's chance, q = 3 %). A candidate whose symptoms began later than others of the
same incident loses a little for each scrape: causes come before what they cause. The sum orders candidates; the score
shown is sum / (sum + 5), a number from 0 to 1 and no probability, because symptoms are not independent of each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log

from sre.errors import NoData
from sre.incidents.causes.changes import MIN_BASELINE
from sre.incidents.causes.definitions import Chance, Knowledge, Signature, shipped
from sre.incidents.causes.model import Candidate, CauseEvidence, CauseRanking
from sre.incidents.causes.readings import Readings, Ticks, ticks_of
from sre.incidents.causes.supervisor import event_symptoms
from sre.incidents.causes.symptoms import Symptom, metric_symptoms
from sre.incidents.model import PlatformEvent
from sre.metrics.model import SampleSource

_CHANCES: dict[Chance, float] = {"always": 0.9, "often": 0.5, "seldom": 0.2, "never": 0.01}
_BACKGROUND = 0.03
NO_REPLICA = "one of the replicas"
"""The subject of a failure on a replica when nothing tells on which."""
_LEAST_SUM = 1.0
_HALF_SCORE = 5.0
_LATE_PER_TICK, _LATE_MOST, _LATE_FREE = 0.1, 1.5, 2.0


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
    ticks, readings = _read(samples, start, end)
    symptoms = sorted(
        [
            *event_symptoms(known.symptoms, events, start=start, end=end),
            *(metric_symptoms(known.symptoms, readings) if readings is not None else ()),
        ],
        key=lambda s: (s.at, s.name, s.replicas),
    )
    began = symptoms[0].at if symptoms else None
    step = ticks.step_s if ticks is not None else 1.0
    weighed = [
        candidate
        for signature in known.signatures
        for candidate in _candidates(signature, symptoms, began_at=began or start, step_s=step)
    ]
    ordered = sorted(weighed, key=lambda c: (-c[0], c[1].evidence[0].at or 0.0, c[1].subject, c[1].signature))
    ranked = tuple(
        Candidate(rank, c.kind, c.subject, c.signature, c.score, c.evidence) for rank, (_, c) in enumerate(ordered, 1)
    )
    return CauseRanking(ranked, began, tuple(_limits(samples, ticks, events, symptoms, start)))


def _read(samples: SampleSource | None, start: float, end: float) -> tuple[Ticks | None, Readings | None]:
    if samples is None:
        return None, None
    try:
        ticks = ticks_of(samples, start=start, end=end)
    except NoData:
        return None, None
    return ticks, None if ticks is None else Readings(samples, ticks, start=start, end=end)


def _candidates(
    signature: Signature, symptoms: Sequence[Symptom], *, began_at: float, step_s: float
) -> Iterator[tuple[float, Candidate]]:
    named = [s for s in symptoms if s.name in signature.chances]
    for subject in _subjects(signature, named):
        own = {s.name: s for s in named if signature.kind != "replica" or s.replicas in (subject, ())}
        shown = [own[name] for name, chance in signature.chances.items() if chance != "never" and name in own]
        if not any(signature.chances[s.name] == "always" for s in shown):
            continue
        first = min(s.at for s in shown)
        total = sum(_weight(chance, own.get(name)) for name, chance in signature.chances.items())
        total -= _lateness((first - began_at) / step_s)
        if total >= _LEAST_SUM:
            yield total, _candidate(signature, subject, sorted(shown, key=lambda s: (s.at, s.name)), total)


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


def _candidate(signature: Signature, subject: tuple[str, ...], shown: Sequence[Symptom], total: float) -> Candidate:
    hit = subject or tuple(sorted({name for s in shown for name in s.replicas}))
    return Candidate(
        rank=0,
        kind=signature.kind,
        subject=signature.subject or ", ".join(hit) or NO_REPLICA,
        signature=signature.failure,
        score=total / (total + _HALF_SCORE),
        evidence=tuple(CauseEvidence(s.text, s.at, s.strength, s.source) for s in shown),
    )


def _limits(
    samples: SampleSource | None,
    ticks: Ticks | None,
    events: Sequence[PlatformEvent],
    symptoms: Sequence[Symptom],
    start: float,
) -> Iterator[str]:
    if samples is None or ticks is None:
        yield "no samples in this time: only the supervisor's events were looked at"
    elif len(ticks.times) <= MIN_BASELINE:
        yield f"only {len(ticks.times)} scrapes in this time: changes need {MIN_BASELINE} before them; begin earlier"
    if not events:
        yield "no supervisor events: exits and starts are told by metrics alone"
    if ticks is not None and symptoms and symptoms[0].at - float(ticks.times[0]) < MIN_BASELINE * ticks.step_s:
        yield (
            f"the first change stands {symptoms[0].at - start:.0f} s after the begin: what was normal before it is "
            "hardly known; begin earlier"
        )
    if not symptoms:
        yield "nothing stands out: no metric left its own past and no process exited"
