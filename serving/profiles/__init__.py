"""GPU profiles: what one replica of a model on named hardware can hold and how long its steps take.

A profile is a YAML file in this folder. It is the only place where hardware figures live; the engine, the simulator
and the cost model read them from here.
"""

from serving.profiles.capacity import (
    Capacity,
    DoesNotFit,
    capacity_of,
    capacity_of_profile,
    describe_capacity,
    require_fits,
)
from serving.profiles.catalogue import load, profile_names, read_profile, require_known
from serving.profiles.model import KvMemory, Profile

__all__ = [
    "Capacity",
    "DoesNotFit",
    "KvMemory",
    "Profile",
    "capacity_of",
    "capacity_of_profile",
    "describe_capacity",
    "load",
    "profile_names",
    "read_profile",
    "require_fits",
    "require_known",
]
