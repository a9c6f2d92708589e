"""Firing times against labelled incidents. Definitions of every figure: `sre.slo.backtest`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np
from numpy.typing import NDArray

from sre.metrics.model import FloatArray
from sre.slo.backtest.model import Detection, Episode, Label, Measured, Outcome, Plan, Score
from sre.slo.model import Severity

WEEK_S = 7 * 86400.0
NO_LABELS = "no labelled incidents"
_UNLABELLED = Measured(None, NO_LABELS)
Spent = Callable[[float, float], Measured]
"""The share of the period's budget that the bad events of (start, end] are."""


@dataclass(frozen=True, slots=True, eq=False)
class Firing:
    """When something fired: `holds[i]` at `times[i]`, which are the plan's evaluation times."""

    name: str
    severity: Severity
    times: FloatArray
    holds: NDArray[np.bool_]

    def spans(self) -> list[tuple[float, float | None, bool]]:
        """(fired at, reset at or None, fired at the first evaluation) of each episode."""
        edges = np.diff(np.concatenate([[0], self.holds.astype(np.int8), [0]]))
        first, end = np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist()
        size = self.times.size
        return [
            (float(self.times[f]), float(self.times[e]) if e < size else None, f == 0)
            for f, e in zip(first, end, strict=True)
        ]


def expected_of(labels: Sequence[Label], severity: Severity) -> tuple[Label, ...]:
    """The incidents a tier of this severity must see: nobody asks a page of what was labelled a ticket."""
    return tuple(label for label in labels if label.severity in (None, severity))


def justified_by(labels: Sequence[Label], severity: Severity) -> tuple[Label, ...]:
    """The incidents that make an alert of this severity a true one: a ticket in any, a page not in a ticket's."""
    return tuple(labels) if severity == "ticket" else expected_of(labels, severity)


def episodes_of(slo: str, firing: Firing, labels: Sequence[Label], plan: Plan) -> tuple[Episode, ...]:
    """The episodes, each with the labels it overlaps that justify it."""
    found = []
    justifying = justified_by(labels, firing.severity)
    for fired_at, reset_at, from_start in firing.spans():
        inside = tuple(label.name for label in justifying if _overlaps(fired_at, reset_at, label, plan))
        found.append(Episode(slo, firing.name, firing.severity, fired_at, reset_at, from_start, inside))
    return tuple(found)


def score(slo: str, firing: Firing, labels: Sequence[Label], plan: Plan, spent: Spent) -> Score:
    """How what fired compares with `labels`, which are those of this SLO; without any, what needs none."""
    episodes = episodes_of(slo, firing, labels, plan)
    seen = tuple(_detection(label, episodes, labels, plan, spent) for label in expected_of(labels, firing.severity))
    judged = [d for d in seen if d.outcome != "unknown"]
    detected = [d for d in judged if d.outcome == "detected"]
    true = sum(bool(e.incidents) for e in episodes)
    in_alert = sum((e.reset_at if e.reset_at is not None else plan.end) - e.fired_at for e in episodes)
    delays, budgets = [d.delay_s for d in detected], [d.budget_spent for d in detected]
    return Score(
        name=firing.name,
        severity=firing.severity,
        episodes=len(episodes),
        true_episodes=true if labels else None,
        expected=len(judged),
        detected=len(detected),
        precision=_share(true, len(episodes), "nothing fired") if labels else _UNLABELLED,
        recall=_share(len(detected), len(judged), _no_recall(seen)) if labels else _UNLABELLED,
        detection_s=_over(median, delays, labels),
        worst_detection_s=_over(max, delays, labels),
        reset_s=_over(median, [d.reset_delay_s for d in detected], labels),
        budget_spent=_over(median, budgets, labels),
        worst_budget_spent=_over(max, budgets, labels),
        false_per_week=Measured((len(episodes) - true) * WEEK_S / plan.span_s) if labels else _UNLABELLED,
        in_alert_s=in_alert,
        in_alert_share=in_alert / plan.span_s,
        detections=seen,
    )


def merged(name: str, severity: Severity, firings: Sequence[Firing]) -> Firing:
    """Any of several: what fires at one time, or one after the other without a pause, is one episode."""
    holds = np.logical_or.reduce([firing.holds for firing in firings])
    return Firing(name, severity, firings[0].times, holds)


def _overlaps(fired_at: float, reset_at: float | None, label: Label, plan: Plan) -> bool:
    return fired_at <= label.end + plan.grace and (reset_at is None or reset_at > label.start)


def _detection(
    label: Label, episodes: Sequence[Episode], labels: Sequence[Label], plan: Plan, spent: Spent
) -> Detection:
    inside = [e for e in episodes if _overlaps(e.fired_at, e.reset_at, label, plan)]
    if not inside:
        return _undetected(label, plan, spent)
    first = inside[0]
    detection = Detection(
        label=label,
        outcome="detected",
        why="",
        detected_at=None,
        delay_s=Measured(None, "was firing already when the incident began"),
        reset_delay_s=_reset_delay(label, inside[-1], labels),
        budget_spent=Measured(None, "was firing already when the incident began"),
        cost=_cost(label, plan, spent),
        episodes=len(inside),
    )
    if label.start < plan.start:
        reason = "the incident began before the replay"
        return replace(detection, delay_s=Measured(None, reason), budget_spent=Measured(None, reason))
    if first.fired_at < label.start or first.from_start:
        return detection
    at = first.fired_at
    return replace(detection, detected_at=at, delay_s=Measured(at - label.start), budget_spent=spent(label.start, at))


def _undetected(label: Label, plan: Plan, spent: Spent) -> Detection:
    reason = None
    if label.start < plan.start:
        reason = "it began before the replay: it may have been detected there"
    elif label.end + plan.grace > plan.end:
        reason = "the replay ends inside it: it may have been detected later"
    none = Measured(None, reason or "not detected")
    outcome: Outcome = "unknown" if reason else "missed"
    return Detection(label, outcome, reason or "", None, none, none, none, _cost(label, plan, spent), 0)


def _cost(label: Label, plan: Plan, spent: Spent) -> Measured:
    if label.start < plan.start or label.end > plan.end:
        return Measured(None, "the replay holds a part of it only")
    return spent(label.start, label.end)


def _reset_delay(label: Label, last: Episode, labels: Sequence[Label]) -> Measured:
    if last.reset_at is None:
        return Measured(None, "still firing when the replay ended")
    if last.reset_at < label.end:
        return Measured(None, "reset before the incident was over")
    if any(other is not label and label.start <= other.start < last.reset_at for other in labels):
        return Measured(None, "another incident began before it reset")
    return Measured(last.reset_at - label.end)


def _share(part: int, whole: int, reason: str) -> Measured:
    return Measured(part / whole) if whole else Measured(None, reason)


def _no_recall(seen: Sequence[Detection]) -> str:
    return "every incident is cut off by the replay" if seen else "no incident of this severity"


def _over(fold: Callable[[Sequence[float]], float], measured: Sequence[Measured], labels: Sequence[Label]) -> Measured:
    if not labels:
        return _UNLABELLED
    known = [m.value for m in measured if m.value is not None]
    if known:
        return Measured(fold(known))
    reasons = sorted({m.reason for m in measured if m.reason})
    return Measured(None, "; ".join(reasons) if reasons else "no incident was detected")
