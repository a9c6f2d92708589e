"""The faults of a scenario: each begins, hits whom it names, and ends; both are written as events.

A crash ends when its replica serves again, a spot notice when the replica is gone (or, with a duration, when another is
started for it). Everything that is drawn is drawn from the scenario's seed and the fault's place in the list.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from serving.simulator.agenda import FAULT, Action, Agenda
from serving.simulator.effects import Effects
from serving.simulator.member import Member
from serving.simulator.membership import Membership
from serving.simulator.model import NS
from serving.simulator.outage import Outage
from serving.simulator.scaling import Scaling
from serving.simulator.scenario import FaultKind, FleetFault, Scenario

USUAL: Mapping[FaultKind, float] = MappingProxyType(
    {"slow": 3.0, "kv_loss": 0.25, "cold_start_slow": 3.0, "spot_notice": 30.0, "surge": 2.0, "poison": 0.001}
)
"""The value of a fault that states none."""
_Undo = Callable[[int], None]
_Begin = Callable[[FleetFault, int, int], None]


def value_of(fault: FleetFault) -> float:
    return USUAL.get(fault.kind, 0.0) if fault.value is None else fault.value


class Faults:
    """Plans all of them at the start of a run."""

    def __init__(
        self,
        scenario: Scenario,
        membership: Membership,
        *,
        outage: Outage,
        effects: Effects,
        scaling: Scaling,
        agenda: Agenda,
    ) -> None:
        self._scenario, self._membership, self._agenda = scenario, membership, agenda
        self._outage, self._effects, self._scaling = outage, effects, scaling
        self._end_ns = round(scenario.duration_s * NS)
        self._blind: list[str | None] = []
        self._awaited: dict[Member, list[Callable[[Member, int], None]]] = {}
        self._begins: Mapping[FaultKind, _Begin] = {
            "crash": self._crash,
            "hang": self._holds,
            "slow": self._holds,
            "kv_loss": self._holds,
            "cold_start_slow": self._cold_start_slow,
            "zone_loss": self._zone_loss,
            "spot_notice": self._spot_notice,
            "autoscaler_down": self._autoscaler_down,
            "metrics_loss": self._metrics_loss,
            "surge": self._passes,
            "poison": self._passes,
        }

    def plan(self) -> None:
        for number, fault in enumerate(self._scenario.faults):
            begin = self._begins[fault.kind]
            self._agenda.at(round(fault.at_s * NS), FAULT, _beginning(begin, fault, number), index=number)

    def is_blind_to(self, member: Member | None) -> bool:
        """Whether the metrics page of a replica, or of the gateway (None), does not answer."""
        return any(target is None or (member is not None and target == member.name) for target in self._blind)

    def came_ready(self, member: Member, now_ns: int) -> None:
        """A replica serves: the crash that took it is over."""
        for back in self._awaited.pop(member, ()):
            back(member, now_ns)

    # what each kind does

    def _crash(self, fault: FleetFault, number: int, now_ns: int) -> None:
        members = self._targets(fault, number)
        over = self._begun(fault, number, now_ns, members)
        if not members:
            return
        waiting = set(members)

        def back(member: Member, at_ns: int) -> None:
            waiting.discard(member)
            if not waiting:
                over(at_ns)

        for member in members:
            self._awaited.setdefault(member, []).append(back)
        self._outage.crash(members, now_ns)

    def _holds(self, fault: FleetFault, number: int, now_ns: int) -> None:
        members = self._targets(fault, number)
        over = self._begun(fault, number, now_ns, members)
        if members:
            holds = self._effects.begin(fault, value_of(fault), members, now_ns)
            self._ends(fault, number, over, lambda at_ns: self._effects.end(holds, at_ns))

    def _cold_start_slow(self, fault: FleetFault, number: int, now_ns: int) -> None:
        membership, factor = self._membership, value_of(fault)
        membership.cold_start_factors.append(factor)
        over = self._begun(fault, number, now_ns, None)
        self._ends(fault, number, over, lambda _: membership.cold_start_factors.remove(factor))

    def _zone_loss(self, fault: FleetFault, number: int, now_ns: int) -> None:
        membership, zone = self._membership, fault.target
        membership.lost_zones[zone] = membership.lost_zones.get(zone, 0) + 1
        members = [member for member in membership.members if member.zone == zone]
        over = self._begun(fault, number, now_ns, members)
        self._outage.crash(members, now_ns)
        self._ends(fault, number, over, lambda at_ns: membership.zone_back(zone, at_ns))

    def _spot_notice(self, fault: FleetFault, number: int, now_ns: int) -> None:
        members, notice_s = self._targets(fault, number), value_of(fault)
        over = self._begun(fault, number, now_ns, members)
        for member in members:
            self._membership.drain(member, now_ns, grace_s=notice_s)

        def gone(at_ns: int) -> None:
            self._outage.crash([m for m in members if m in self._membership.members], at_ns, restarts=False)
            if fault.duration_s is None:
                over(at_ns)

        def another(at_ns: int) -> None:
            for member in members:
                self._membership.launch(at_ns, group_index=member.group_index)

        if members:
            self._agenda.at(now_ns + round(notice_s * NS), FAULT, gone, index=number)
            if fault.duration_s is not None:
                self._ends(fault, number, over, another)

    def _autoscaler_down(self, fault: FleetFault, number: int, now_ns: int) -> None:
        self._scaling.stop()
        self._ends(fault, number, self._begun(fault, number, now_ns, None), lambda _: self._scaling.resume())

    def _metrics_loss(self, fault: FleetFault, number: int, now_ns: int) -> None:
        """All pages, unless the target names a replica."""
        target = fault.target if fault.target.startswith("llm-") else None
        self._blind.append(target)
        over = self._begun(fault, number, now_ns, None)
        self._ends(fault, number, over, lambda _: self._blind.remove(target))

    def _passes(self, fault: FleetFault, number: int, now_ns: int) -> None:
        """It is in the workload."""
        self._ends(fault, number, self._begun(fault, number, now_ns, None), lambda _: None)

    # from begin to end

    def _begun(self, fault: FleetFault, number: int, now_ns: int, members: Sequence[Member] | None) -> _Undo:
        """Write the beginning; returns what writes the end. A fault that finds nobody ends at once."""
        hit = "" if members is None else ",".join(member.name for member in members)
        detail: dict[str, str | int | float] = {"fault_id": f"f-{number}", "fault": fault.kind, "target": hit}
        self._membership.note(now_ns, "fault_begin", detail={**detail, "value": value_of(fault)})

        def over(at_ns: int) -> None:
            self._membership.note(at_ns, "fault_end", detail=detail)

        if members is not None and not members:
            over(now_ns)
        return over

    def _ends(self, fault: FleetFault, number: int, over: _Undo, undo: _Undo) -> None:
        """Undo it when its time is over, at the latest with the run."""
        ends_ns = self._end_ns
        if fault.duration_s is not None:
            ends_ns = min(ends_ns, round((fault.at_s + fault.duration_s) * NS))

        def end(at_ns: int) -> None:
            undo(at_ns)
            over(at_ns)

        self._agenda.at(ends_ns, FAULT, end, index=number)

    def _targets(self, fault: FleetFault, number: int) -> list[Member]:
        """Whom it hits, among those that serve now; a spot notice comes to spot replicas where there are any."""
        alive = [member for member in self._membership.members if member.process == "ready"]
        if fault.target == "all":
            return alive
        if fault.target not in ("busiest", "random"):
            return [member for member in alive if member.name == fault.target]
        if fault.kind == "spot_notice":
            alive = [member for member in alive if member.spot] or alive
        if not alive:
            return []
        if fault.target == "random":
            return [random.Random(f"{self._scenario.seed}/fault/{number}").choice(alive)]  # noqa: S311  (no secret)
        return [max(alive, key=lambda member: (member.outstanding_tokens, -member.index))]


def _beginning(begin: _Begin, fault: FleetFault, number: int) -> Action:
    return lambda at_ns: begin(fault, number, at_ns)
