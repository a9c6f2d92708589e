"""Replica counts from signals: the published Kubernetes algorithm, driven by the very policy document that is deployed.

The decision (`controller.Autoscaler`) is pure and takes the time as an argument, so that the process here and the fleet
simulator run the same code.
"""

from serving.autoscale.controller import Autoscaler, Decision
from serving.autoscale.documents import load_policy, parse_policy, shipped_policies
from serving.autoscale.model import MetricSpec, Pod, Policy, ScalingPolicy, ScalingRules, Target
from serving.autoscale.signals import Sample, Snapshot

__all__ = [
    "Autoscaler",
    "Decision",
    "MetricSpec",
    "Pod",
    "Policy",
    "Sample",
    "ScalingPolicy",
    "ScalingRules",
    "Snapshot",
    "Target",
    "load_policy",
    "parse_policy",
    "shipped_policies",
]
