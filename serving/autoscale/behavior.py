"""How fast a recommendation may be followed: stabilization windows and rate policies over the history of one fleet.

KEP-853 and kubernetes.io ("Configurable scaling behavior"). The history starts with the replicas found, so that a
controller that has just started does not scale in before a whole window has passed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from serving.autoscale.model import Policy, ScalingPolicy, ScalingRules


class Mark(NamedTuple):
    """A recommendation, or a change of the replica count, at a time in seconds."""

    at: float
    replicas: int


@dataclass(slots=True)
class History:
    """What was recommended and what was changed; only as far back as the policy looks."""

    recommended: list[Mark] = field(default_factory=list)
    added: list[Mark] = field(default_factory=list)
    removed: list[Mark] = field(default_factory=list)

    def note_change(self, now: float, before: int, after: int, policy: Policy) -> None:
        """Remember a change that was made."""
        if after > before:
            self.added.append(Mark(now, after - before))
        elif after < before:
            self.removed.append(Mark(now, before - after))
        longest = max(p.period_s for rules in (policy.scale_up, policy.scale_down) for p in rules.policies)
        self.added = _since(self.added, now - longest)
        self.removed = _since(self.removed, now - longest)


def stabilized(history: History, policy: Policy, *, current: int, recommended: int, now: float) -> tuple[int, str]:
    """The recommendation after both windows, and why it differs; remembers `recommended` itself.

    Scaling out follows the smallest recommendation of its window, scaling in the largest of its own.
    """
    if not history.recommended:
        history.recommended.append(Mark(now, current))
    out_window, in_window = policy.scale_up.window_s, policy.scale_down.window_s
    lowest = min([recommended, *(m.replicas for m in _since(history.recommended, now - out_window))])
    highest = max([recommended, *(m.replicas for m in _since(history.recommended, now - in_window))])
    held = min(max(current, lowest), highest)
    history.recommended.append(Mark(now, recommended))
    history.recommended = _since(history.recommended, now - max(out_window, in_window))
    if held == recommended:
        return held, ""
    return held, "ScaleUpStabilized" if recommended > current else "ScaleDownStabilized"


def limited(history: History, policy: Policy, *, current: int, wanted: int, now: float) -> tuple[int, str]:
    """`wanted` within the rate policies and the bounds of the document, and which of them cut it."""
    if wanted > current:
        rate = max(current, _up_limit(history, policy.scale_up, current, now))
        most = min(policy.max_replicas, rate)
        if wanted > most:
            return most, "ScaleUpLimit" if rate < policy.max_replicas else "TooManyReplicas"
    elif wanted < current:
        rate = min(current, _down_limit(history, policy.scale_down, current, now))
        least = max(policy.min_replicas, rate)
        if wanted < least:
            return least, "ScaleDownLimit" if rate > policy.min_replicas else "TooFewReplicas"
    return wanted, ""


def _up_limit(history: History, rules: ScalingRules, current: int, now: float) -> int:
    if rules.select == "Disabled":
        return current
    proposed = [_raised(policy, _at_start(history, policy, current, now)) for policy in rules.policies]
    return max(proposed) if rules.select == "Max" else min(proposed)


def _down_limit(history: History, rules: ScalingRules, current: int, now: float) -> int:
    """`Max` allows the largest change, that is the smallest count."""
    if rules.select == "Disabled":
        return current
    proposed = [_lowered(policy, _at_start(history, policy, current, now)) for policy in rules.policies]
    return min(proposed) if rules.select == "Max" else max(proposed)


def _at_start(history: History, policy: ScalingPolicy, current: int, now: float) -> int:
    """The replicas there were when the policy's period began."""
    since = now - policy.period_s
    added = sum(mark.replicas for mark in _since(history.added, since))
    removed = sum(mark.replicas for mark in _since(history.removed, since))
    return current - added + removed


def _raised(policy: ScalingPolicy, start: int) -> int:
    """A percentage is rounded up, so that one replica can grow."""
    if policy.type == "Pods":
        return start + policy.value
    return math.ceil(start * (100 + policy.value) / 100)


def _lowered(policy: ScalingPolicy, start: int) -> int:
    """The count that stays is rounded down."""
    if policy.type == "Pods":
        return start - policy.value
    return start * (100 - policy.value) // 100 if policy.value <= 100 else 0


def _since(marks: Sequence[Mark], cutoff: float) -> list[Mark]:
    return [mark for mark in marks if mark.at > cutoff]
