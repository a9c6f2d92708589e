"""Faults, and their undoing, for the `method` and `rollbacks` of an experiment.

Each action returns once its fault was seen to work (`proof`). The fault then stays until `heal_faults`, the end of the
run, or `lease_s` seconds, whichever comes first.
"""

from __future__ import annotations

from sre.chaos.actions.healing import heal_faults
from sre.chaos.actions.replica import crash_replica

__all__ = ["crash_replica", "heal_faults"]
