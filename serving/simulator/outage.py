"""How a replica is lost: its process dies, or the gateway takes it out of rotation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from serving.gateway.health import Ejection
from serving.simulator.engine import Progress
from serving.simulator.failover import Failover
from serving.simulator.flight import Flight
from serving.simulator.gateway import Gateway
from serving.simulator.member import Member
from serving.simulator.membership import Membership
from serving.simulator.model import NS

KILLED = -9


class Outage:
    """What is done to members, in the order in which the platform does it."""

    def __init__(
        self, gateway: Gateway, membership: Membership, failover: Failover, *, max_ejected_share: float
    ) -> None:
        self._gateway, self._membership, self._failover = gateway, membership, failover
        self._max_ejected_share = max_ejected_share
        self.on_dead: Callable[[Member], None] = _ignore

    def crash(self, members: Sequence[Member], now_ns: int, *, restarts: bool = True) -> None:
        """Their processes are gone, all at once. The gateway loses the connections, and all that ran there."""
        lost: list[tuple[Member, Flight, Progress]] = []
        for member in members:
            if member.process == "backoff":
                continue
            evicted = member.evict(now_ns)
            lost += [(member, member.flights[one.id], one) for one in evicted]
            if member.health.lose_connection(now_ns / NS) and evicted:
                self._failover.died(member, evicted, now_ns)
            self._die(member, now_ns, restarts=restarts)
        for member, flight, progress in lost:
            self._failover.lost(flight, member, progress, now_ns, reason="connect")
        for member in members:
            self._gateway.follow(member, now_ns)

    def _die(self, member: Member, now_ns: int, *, restarts: bool) -> None:
        self._membership.ends(member, now_ns, returncode=KILLED)
        member.leaving = None
        self.on_dead(member)
        if member.staying and restarts:
            self._membership.restart(member, now_ns)
        else:
            self._membership.forget(member)
        self._gateway.went_out(member, self._membership.members, now_ns)

    def may_eject(self, member: Member) -> bool:
        """The floor (`Pool.may_eject`): never the last one in rotation, never more than a share of all."""
        members = self._membership.members
        others = [other for other in members if other is not member]
        ejected = 1 + sum(other.health.state == "ejected" for other in others)
        within_share = ejected <= self._max_ejected_share * len(members)
        return within_share and any(other.health.routable for other in others)

    def eject(self, member: Member, reason: Ejection, now_ns: int) -> None:
        """Take it out of rotation; what it has moves, unless it is merely slow."""
        if member.health.eject(now_ns / NS, reason):
            if reason != "slow":
                progress = [member.progress(flight, now_ns) for flight in member.flights.values()]
                self._failover.died(member, progress, now_ns)
            self._membership.note(now_ns, "replica_down", member, {"reason": reason, "inflight": len(member.flights)})
            self._gateway.went_out(member, self._membership.members, now_ns)
        member.leaving = None if reason == "slow" else "timeout"
        self._failover.evacuate(now_ns)

    def back(self, member: Member, now_ns: int) -> None:
        """A probe passed: half open if it was out."""
        if not member.health.probe_passed(now_ns / NS):
            self._gateway.takes_more(member, now_ns)
            return
        member.leaving = None
        self._membership.note(now_ns, "replica_up", member, {"state": member.health.state})
        self._gateway.came_up(member, now_ns)


def _ignore(_member: Member) -> None:
    return
