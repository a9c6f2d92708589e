"""One decision of the autoscaler: metrics to proposals, proposals to a recommendation, recommendation to a count.

Pure but for its history; `now` is in seconds of any clock that only goes forward. Order as in Kubernetes: bounds first,
then the largest proposal, then stabilization, then rate. The surge buffer is ours: spare replicas on top of what the
metrics ask for. Kubernetes has no such field, so on a cluster the annotation has no effect unless something reads it;
raise `minReplicas` or lower the target there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from serving.autoscale.behavior import History, limited, stabilized
from serving.autoscale.model import MetricSpec, Pod, Policy
from serving.autoscale.proposal import Proposal, propose
from serving.autoscale.signals import Evaluator, Snapshot, Unavailable, observe


@dataclass(frozen=True, slots=True)
class MetricReading:
    """One metric's part in a decision: its proposal, or why there is none."""

    metric: MetricSpec
    outcome: Proposal | Unavailable


@dataclass(frozen=True, slots=True)
class Decision:
    """`recommended` is what the metrics ask for (surge included), `desired` what to set.

    `limited_by` names the rule that made the difference, in Kubernetes' words for its ScalingLimited condition.
    """

    current: int
    desired: int
    recommended: int | None
    limited_by: str
    readings: tuple[MetricReading, ...]


@dataclass(slots=True)
class Autoscaler:
    """One fleet's controller."""

    policy: Policy
    _history: History = field(default_factory=History)

    def decide(self, pods: Sequence[Pod], snapshot: Snapshot, *, evaluate: Evaluator, now: float) -> Decision:
        """The count to set now; call once a period, and `applied` when it was set."""
        policy = self.policy
        current = sum(pod.phase != "ending" for pod in pods)
        readings = tuple(
            MetricReading(metric, propose(metric, observe(metric, snapshot, evaluate), pods, policy))
            for metric in policy.metrics
        )
        if not policy.min_replicas <= current <= policy.max_replicas:
            bounded = min(max(current, policy.min_replicas), policy.max_replicas)
            reason = "TooFewReplicas" if bounded > current else "TooManyReplicas"
            return Decision(current, bounded, None, reason, readings)
        proposals = [reading.outcome for reading in readings if isinstance(reading.outcome, Proposal)]
        recommended = max((self._with_surge(p, current) for p in proposals), default=current)
        if not proposals or (len(proposals) < len(readings) and recommended < current):
            return Decision(current, current, None, "MetricUnavailable", readings)
        held, stabilizing = stabilized(self._history, policy, current=current, recommended=recommended, now=now)
        desired, limiting = limited(self._history, policy, current=current, wanted=held, now=now)
        return Decision(current, desired, recommended, limiting or stabilizing, readings)

    def applied(self, decision: Decision, *, now: float) -> None:
        """The count was set: the rate policies count it from now on."""
        self._history.note_change(now, decision.current, decision.desired, self.policy)

    def _with_surge(self, proposal: Proposal, current: int) -> int:
        """What the tolerance keeps already holds the spare replicas, unless they are in use."""
        surge = self.policy.surge_replicas
        if surge == 0:
            return proposal.replicas
        kept = proposal.replicas == current != proposal.needed
        return max(current, proposal.needed + surge) if kept else proposal.replicas + surge
