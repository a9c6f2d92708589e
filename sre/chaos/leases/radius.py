"""Whether a plan stays within the blast radius that the experiment states, given what is broken already. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sre.chaos.faults.model import Lease, Plan
from sre.chaos.model import BlastRadius
from sre.errors import PlatformError
from sre.platforms.model import Replica


def require_within(
    radius: BlastRadius, plan: Plan, *, replicas: Sequence[Replica], open_leases: Iterable[Lease]
) -> None:
    """Raises PlatformError, with the numbers, for a plan that hits more than is stated or leaves fewer healthy."""
    plans = [*(lease.plan for lease in open_leases), plan]
    named = {name for held in plans if held.at_most is None for name in held.replicas}
    unnamed = sum(min(held.at_most, len(held.replicas)) for held in plans if held.at_most is not None)
    if plan.replicas and len(named) + unnamed > radius.max_replicas:
        targets = ", ".join(sorted({*named, *(held.target for held in plans if held.at_most is not None)}))
        raise PlatformError(
            f"blast radius: {targets} would be hit at a time, max_replicas is {radius.max_replicas}: "
            "end the other fault first, or raise it in the experiment"
        )
    foreign = sorted(set(plan.components) - set(radius.components))
    if foreign:
        raise PlatformError(
            f"blast radius: {', '.join(foreign)} would be hit, blast_radius.components does not name it: add it there"
        )
    left = sum(1 for replica in replicas if healthy(replica) and replica.name not in named) - unnamed
    if plan.replicas and left < radius.min_healthy:
        raise PlatformError(
            f"blast radius: {left} healthy replica(s) would be left, at least {radius.min_healthy} must stay: "
            "start more replicas, or wait until all are ready"
        )


def healthy(replica: Replica) -> bool:
    """Ready, and given work where the gateway says so."""
    return replica.state == "ready" and replica.serving is not False
