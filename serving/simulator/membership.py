"""Who belongs to the fleet: replicas start, serve, drain and leave, as `serving.fleet.membership` has it.

Names are the platform's: the lowest free `llm-<n>`. Zones are taken in turn within a group. Billing is by lives: a
replica is paid from its start to its end, the wait before a restart is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from math import prod

from serving.simulator.agenda import READY, RETRY, Action, Agenda
from serving.simulator.engine import Engine
from serving.simulator.gateway import Gateway
from serving.simulator.member import Member
from serving.simulator.model import NS
from serving.simulator.replicas import replica_for
from serving.simulator.result import FleetEvent, Life
from serving.simulator.scenario import ReplicaGroup, Scenario

Detail = Mapping[str, str | int | float]
SCALE_IN_GRACE_S = 30.0
"""What a replica that is scaled in may take to finish (`serving.fleet.model`); then its work moves."""


@dataclass(slots=True)
class LifeSoFar:
    """A `Life` while it lasts. `ready_ns` and `end_ns` are -1 until they come."""

    name: str
    group: str
    zone: str
    spot: bool
    start_ns: int
    ready_ns: int = -1
    end_ns: int = -1


class Membership:
    """`members` are those there are, oldest first; `everyone` has all there ever were, by index. `names_blocks`: as
    if prompts shared prefixes although none is given, so that who is preempted finds its own.
    """

    def __init__(self, scenario: Scenario, gateway: Gateway, agenda: Agenda, *, names_blocks: bool = False) -> None:
        self._scenario, self._gateway, self._agenda = scenario, gateway, agenda
        self.members: list[Member] = []
        self.everyone: list[Member] = []
        self.lives: list[LifeSoFar] = []
        self.events: list[FleetEvent] = []
        self.preemptions = self.prefix_queries_tokens = self.prefix_hits_tokens = 0
        self.cold_start_factors: list[float] = []
        self.lost_zones: dict[str, int] = {}
        self.on_grace_over: Callable[[Member, int], None] = _ignore
        self.on_ready: Callable[[Member, int], None] = _ignore
        self._added = [0] * len(scenario.groups)
        self._launched = [0] * len(scenario.groups)
        self._free_numbers: list[int] = []
        self._numbers = 0
        priorities = scenario.workload.priority
        self._names_blocks = names_blocks or scenario.workload.prefix is not None
        self._has_priorities = len(priorities) > 0 and bool((priorities != priorities[0]).any())
        gateway.on_empty = self.stop

    def staying(self) -> list[Member]:
        """Those that are wanted, oldest first."""
        return [member for member in self.members if member.staying]

    def note(self, now_ns: int, event: str, member: Member | None = None, detail: Detail | None = None) -> None:
        """Write an event in the platform's words."""
        named = {} if member is None else {"replica": member.name}
        self.events.append(FleetEvent(now_ns / NS, event, {**named, **(detail or {})}))

    # joining

    def begin(self) -> None:
        """The replicas the fleet has from the start are up at once."""
        for group_index, group in enumerate(self._scenario.groups):
            for _ in range(group.count):
                member = self._join(group_index, group)
                self._lives(member, 0)
                self.serve(member, 0)

    def launch(self, now_ns: int, *, group_index: int = 0) -> None:
        """One more of a group; it serves after its cold start. In a zone that is lost it waits for that to end."""
        group = self._scenario.groups[group_index]
        member = self._join(group_index, group)
        self._launched[group_index] += 1
        number, share = self._launched[group_index], group.added_spot_share
        member.spot = group.spot or int(number * share) > int((number - 1) * share)
        if member.zone in self.lost_zones:
            member.process = "backoff"
        else:
            self._lives(member, now_ns)
            self._starts(member, now_ns)

    def _join(self, group_index: int, group: ReplicaGroup) -> Member:
        zone = self._next_zone(group_index, group)
        member = Member(
            self._free_name(),
            len(self.everyone),
            group,
            group_index=group_index,
            zone=zone,
            core=self._engine(group),
            rules=self._scenario.gateway.health,
            kv_overcommit=self._scenario.gateway.admission.kv_overcommit,
        )
        self.members.append(member)
        self.everyone.append(member)
        self._tell_gateway()
        return member

    def _tell_gateway(self) -> None:
        """Replicas of several kinds may differ in what they can hold."""
        if len(self._scenario.groups) > 1:
            self._gateway.fleet_is(self.members)

    def _next_zone(self, group_index: int, group: ReplicaGroup) -> str:
        """In turn; one that is lost is passed over while there is another."""
        zones = group.zones
        for _ in zones:
            zone = zones[self._added[group_index] % len(zones)]
            self._added[group_index] += 1
            if zone not in self.lost_zones:
                break
        return zone

    def _engine(self, group: ReplicaGroup) -> Engine:
        return replica_for(
            group.scheduler,
            group.step_time,
            shares_prefixes=self._names_blocks,
            has_priorities=self._has_priorities,
        )

    def _free_name(self) -> str:
        if self._free_numbers:
            return f"llm-{heappop(self._free_numbers)}"
        self._numbers += 1
        return f"llm-{self._numbers - 1}"

    def _lives(self, member: Member, now_ns: int) -> None:
        member.life = len(self.lives)
        self.lives.append(LifeSoFar(member.name, member.group.name, member.zone, member.spot, now_ns))
        self.note(now_ns, "replica_started", member)

    def _starts(self, member: Member, now_ns: int) -> None:
        member.process = "starting"
        cold_start_ns = round(member.group.cold_start_s * prod(self.cold_start_factors) * NS)
        life = member.life

        def ready(at_ns: int) -> None:
            if member.process == "starting" and member.life == life:
                self.serve(member, at_ns)

        self._agenda.at(now_ns + cold_start_ns, READY, ready, index=member.index)

    def serve(self, member: Member, now_ns: int) -> None:
        """Its first inference passed."""
        member.process = "ready"
        member.health.probe_passed(now_ns / NS)
        self.lives[member.life].ready_ns = now_ns
        took_s = (now_ns - self.lives[member.life].start_ns) / NS
        self.note(now_ns, "replica_ready", member, {"cold_start_s": took_s})
        self._gateway.came_up(member, now_ns)
        self.on_ready(member, now_ns)

    # leaving

    def drain(self, member: Member, now_ns: int, *, grace_s: float = SCALE_IN_GRACE_S) -> None:
        """No new work; it stops when it is empty, and what is not done after the grace moves."""
        before, member.process = member.process, "draining"
        member.health.draining = True
        if before != "ready":
            if before == "starting":
                self.ends(member, now_ns)
            self.forget(member)
            return
        self._gateway.went_out(member, self.members, now_ns)
        self.note(now_ns, "replica_drain_started", member, {"grace_s": grace_s})
        if not member.flights:
            self.stop(member, now_ns)
            return
        member.drain_until_ns = now_ns + round(grace_s * NS)
        self._agenda.at(member.drain_until_ns, RETRY, lambda at_ns: self._grace_over(member, at_ns), index=member.index)

    def _grace_over(self, member: Member, now_ns: int) -> None:
        if member.flights and now_ns == member.drain_until_ns:
            self.on_grace_over(member, now_ns)

    def stop(self, member: Member, now_ns: int) -> None:
        """It is empty and leaves the fleet."""
        self.note(now_ns, "replica_drained", member)
        self.ends(member, now_ns)
        self.forget(member)

    def forget(self, member: Member) -> None:
        """It is no part of the fleet any more."""
        self.members.remove(member)
        self._tell_gateway()
        heappush(self._free_numbers, int(member.name.removeprefix("llm-")))

    def ends(self, member: Member, now_ns: int, *, returncode: int = 0) -> None:
        """Its process is gone, and with it this life."""
        self.lives[member.life].end_ns = now_ns
        self.note(now_ns, "replica_exited", member, {"returncode": returncode})
        self._count(member)

    def restart(self, member: Member, now_ns: int) -> None:
        """Its keeper starts it again after a while, unless its zone is lost."""
        life = self.lives[member.life]
        served_s = 0.0 if life.ready_ns < 0 else (now_ns - life.ready_ns) / NS
        delay_s = member.backoff.next_delay(served_s=served_s)
        member.process = "backoff"
        self.note(now_ns, "replica_restart_scheduled", member, {"delay_s": delay_s})
        self._agenda.at(now_ns + round(delay_s * NS), READY, self._restarts(member, member.life), index=member.index)

    def _restarts(self, member: Member, life: int) -> Action:
        def start(now_ns: int) -> None:
            if member.process == "backoff" and member.life == life and member.zone not in self.lost_zones:
                member.core = self._engine(member.group)
                member.prompt_tokens = member.generated_tokens = 0
                member.scraped_ns, member.scraped_busy_ns = now_ns, 0
                self._lives(member, now_ns)
                self._starts(member, now_ns)

        return start

    def zone_back(self, zone: str, now_ns: int) -> None:
        """What was lost with the zone starts again at once."""
        self.lost_zones[zone] -= 1
        if self.lost_zones[zone]:
            return
        del self.lost_zones[zone]
        for member in self.members:
            if member.zone == zone and member.process == "backoff":
                self._restarts(member, member.life)(now_ns)

    def _count(self, member: Member) -> None:
        core = member.core
        self.preemptions += core.preemptions
        self.prefix_queries_tokens += core.prefix_queries_tokens
        self.prefix_hits_tokens += core.prefix_hits_tokens

    def close(self) -> tuple[Life, ...]:
        """The lives as they are billed: none begins or lasts beyond the run's duration."""
        for member in self.members:
            if member.life >= 0 and self.lives[member.life].end_ns < 0:
                self._count(member)
        end_s = self._scenario.duration_s
        return tuple(_closed(life, end_s) for life in self.lives)


def _closed(life: LifeSoFar, end_s: float) -> Life:
    """One that began after the run's end is billed for nothing: a request may have been served by it."""
    ready_s = None if life.ready_ns < 0 else life.ready_ns / NS
    ended_s = end_s if life.end_ns < 0 else min(life.end_ns / NS, end_s)
    return Life(life.name, life.group, life.zone, min(life.start_ns / NS, end_s), ready_s, ended_s, life.spot)


def _ignore(_member: Member, _now_ns: int) -> None:
    return
