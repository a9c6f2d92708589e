"""A fleet under a virtual clock: the batching model of the engine, the rules of the gateway and the code of the
autoscaler, with faults; hours in seconds.

What is modelled and what is not stands in docs/simulator.md.
"""

from serving.simulator.capacity import sustained_rps
from serving.simulator.columns import OUTCOMES, Outcomes, Workload
from serving.simulator.fleet import run_fleet
from serving.simulator.result import FleetResult, Life, Moment
from serving.simulator.scenario import FleetFault, GatewayRules, ReplicaGroup, Scenario
from serving.simulator.score import Score, score
from serving.simulator.traffic import Traffic, generated, thickened
from serving.simulator.validate import validate

__all__ = [
    "OUTCOMES",
    "FleetFault",
    "FleetResult",
    "GatewayRules",
    "Life",
    "Moment",
    "Outcomes",
    "ReplicaGroup",
    "Scenario",
    "Score",
    "Traffic",
    "Workload",
    "generated",
    "run_fleet",
    "score",
    "sustained_rps",
    "thickened",
    "validate",
]
