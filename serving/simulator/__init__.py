"""A fleet under a virtual clock: the batching model of the engine and the code of the autoscaler, hours in seconds.

Exact where the engine is: steps are planned as `serving.batching` plans them (a test holds them to it). Left out:
prefix caching, faults, network and gateway time, client time-outs.
"""

from serving.simulator.capacity import sustained_rps
from serving.simulator.fleet import simulate
from serving.simulator.model import Arrival, FixedFleet, FleetRun, FleetSpec, ReplicaLife, Served
from serving.simulator.score import Score, score
from serving.simulator.traffic import Traffic, generated, thickened

__all__ = [
    "Arrival",
    "FixedFleet",
    "FleetRun",
    "FleetSpec",
    "ReplicaLife",
    "Score",
    "Served",
    "Traffic",
    "generated",
    "score",
    "simulate",
    "sustained_rps",
    "thickened",
]
