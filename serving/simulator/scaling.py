"""The autoscaler's looks: the platform's own `Autoscaler`, fed with scrapes, and what its decisions do to the fleet."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from serving.autoscale.controller import Autoscaler, Decision
from serving.autoscale.model import Pod, Policy
from serving.autoscale.promql import from_scrape
from serving.autoscale.signals import Snapshot
from serving.simulator.agenda import SYNC, Agenda
from serving.simulator.gateway import Gateway
from serving.simulator.member import Member
from serving.simulator.membership import Membership
from serving.simulator.model import NS
from serving.simulator.result import Moment
from serving.simulator.scenario import Scenario
from serving.simulator.scrape import Scraper


def decide(autoscaler: Autoscaler, pods: Sequence[Pod], seen: Snapshot, *, now_s: float) -> Decision:
    """What the autoscaler makes of one scrape; queries are answered from it, as in the live loop without Prometheus."""
    return autoscaler.decide(pods, seen, evaluate=lambda query: from_scrape(query, seen), now=now_s)


class Scaling:
    """`stop` and `resume` are an outage of the autoscaler: it comes back without its history, as a restarted process.

    `on_decision` hears of each decision, with what it was made of.
    """

    def __init__(
        self, scenario: Scenario, membership: Membership, gateway: Gateway, scraper: Scraper, agenda: Agenda
    ) -> None:
        self._policy: Policy | None = scenario.policy
        self._autoscaler = None if scenario.policy is None else Autoscaler(scenario.policy)
        self._membership, self._gateway, self._scraper, self._agenda = membership, gateway, scraper, agenda
        self._period_ns = round(scenario.sync_period_s * NS)
        self._end_ns = round(scenario.duration_s * NS)
        self.moments: list[Moment] = []
        self.scale_events = 0
        self.on_decision: Callable[[Sequence[Pod], Snapshot, Decision], None] | None = None

    def begin(self) -> None:
        self._agenda.at(0, SYNC, self._look)

    def stop(self) -> None:
        """The autoscaler's process is gone."""
        self._autoscaler = None

    def resume(self) -> None:
        """It runs again."""
        self._autoscaler = None if self._policy is None else Autoscaler(self._policy)

    def _look(self, now_ns: int) -> None:
        fleet = len(self._membership.staying())
        added, limited_by = 0, ""
        if self._autoscaler is not None:
            pods = [member.pod for member in self._scaled()]
            decision = decide(self._autoscaler, pods, self._scraper.seen, now_s=now_ns / NS)
            if self.on_decision is not None:
                self.on_decision(pods, self._scraper.seen, decision)
            added, limited_by = decision.desired - decision.current, decision.limited_by
            if added:
                self._scale(decision.current, decision.desired, now_ns)
                self._autoscaler.applied(decision, now=now_ns / NS)
        self._note(now_ns, fleet + added, limited_by)
        if (following := now_ns + self._period_ns) < self._end_ns:
            self._agenda.at(following, SYNC, self._look)

    def _scaled(self) -> list[Member]:
        """The replicas of the first group, oldest first: an autoscaler has one deployment to scale."""
        return [member for member in self._membership.members if member.group_index == 0]

    def _scale(self, current: int, desired: int, now_ns: int) -> None:
        """Those that serve not leave first, then the youngest."""
        self.scale_events += 1
        self._membership.note(now_ns, "scaled", detail={"from": current, "to": desired})
        for _ in range(desired - current):
            self._membership.launch(now_ns)
        youngest_first = [member for member in self._scaled()[::-1] if member.staying]
        surplus = sorted(youngest_first, key=lambda member: member.health.routable)[: max(0, current - desired)]
        for member in surplus:
            self._membership.drain(member, now_ns)

    def _note(self, now_ns: int, desired: int, limited_by: str) -> None:
        waiting = len(self._gateway.line) + self._gateway.waiting_inside
        staying = self._membership.staying()
        ready = sum(member.process == "ready" for member in staying)
        self.moments.append(Moment(now_ns / NS, desired, ready, len(staying) - ready, waiting, limited_by))
