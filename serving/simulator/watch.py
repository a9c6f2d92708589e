"""The gateway's watch over replicas that are not well: silence, lateness, slowness and probes, each tenth of a second.

The rules are `serving.gateway.prober.Watcher`'s, the states its `Health`'s. Only replicas under a fault, or out of full
rotation, are looked at: a sound one is not silent, and a thousand of them would cost more than their work. A probe of
a replica that runs passes at once, or a look later when it has work in hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from serving.simulator.agenda import LOOK, Agenda
from serving.simulator.failover import Failover
from serving.simulator.flight import Flight
from serving.simulator.gateway import Gateway
from serving.simulator.member import Member
from serving.simulator.membership import Membership
from serving.simulator.model import NS
from serving.simulator.outage import Outage
from serving.simulator.pace import Steps, learn, usual_step_s
from serving.simulator.scenario import FaultKind, Scenario

_BEAT_NS = 100_000_000
_ROTATION_NS = 500_000_000  # `serving.fleet.rotation`
_START_LIMIT_NS = 60 * NS


class Watch:
    """`follow` a member when something befalls it; it is let go when all is well again."""

    def __init__(
        self,
        scenario: Scenario,
        gateway: Gateway,
        membership: Membership,
        *,
        failover: Failover,
        outage: Outage,
        agenda: Agenda,
    ) -> None:
        rules = scenario.gateway
        self._health, self._gateway, self._membership = rules.health, gateway, membership
        self._failover, self._outage, self._agenda = failover, outage, agenda
        self._first_token_ns = round(rules.first_token_timeout_s * NS)
        self._idle_ns = round(rules.idle_timeout_s * NS)
        self._probe_timeout_ns = round(rules.health.probe_timeout_s * NS)
        self._unhealthy_s = scenario.unhealthy_restart_s
        self._followed: dict[Member, None] = {}
        self._faulty: dict[Member, int] = {}
        self._hung: set[Member] = set()
        self._woke_ns: dict[Member, int] = {}
        self._stuck: dict[Member, int] = {}
        self._soon_silent_ns = round(rules.health.stall_min_s * NS / 2)
        self._probing_since: dict[Member, int] = {}
        self._steps: dict[Member, Steps] = {}
        self._none_before_ns = 0
        self._is_looking = False

    def follow(self, member: Member, now_ns: int) -> None:
        """Look at it from now on."""
        if member not in self._followed:
            self._followed[member] = None
            self._steps[member] = Steps()
        if not self._is_looking:
            self._is_looking = True
            self._agenda.at((now_ns // _BEAT_NS + 1) * _BEAT_NS, LOOK, self._look)

    def befalls(self, member: Member, now_ns: int, *, kind: FaultKind, hangs: bool) -> None:
        """A fault holds on it; `hangs`: not even a probe gets through."""
        self._faulty[member] = self._faulty.get(member, 0) + 1
        if hangs:
            self._hung.add(member)
        if kind in ("hang", "kv_loss"):
            self._stuck[member] = self._stuck.get(member, 0) + 1
        self.follow(member, now_ns)
        learn(member, self._steps[member], now_ns)

    def is_over(self, member: Member, now_ns: int, *, kind: FaultKind, still_hangs: bool) -> None:
        """The fault holds no more on a process that lives."""
        _one_less(self._faulty, member)
        if kind in ("hang", "kv_loss"):
            _one_less(self._stuck, member)
        if not still_hangs and member in self._hung:
            self._hung.discard(member)
            self._woke_ns[member] = now_ns

    def forget(self, member: Member) -> None:
        """Its process is gone, and what held on it."""
        self._faulty.pop(member, None)
        self._stuck.pop(member, None)
        self._hung.discard(member)
        self._woke_ns.pop(member, None)
        self._probing_since.pop(member, None)
        member.health.probe_ended()

    # one look

    def _look(self, now_ns: int) -> None:
        for member in list(self._followed):
            if member not in self._membership.members:
                del self._followed[member]
            elif member.process in ("ready", "draining") and self._may_be_silent(member):
                learn(member, self._steps[member], now_ns)
                self._time_out(member, now_ns)
                self._judge(member, now_ns)
        self._compare(now_ns)
        self._failover.evacuate(now_ns)
        for member in list(self._followed):
            self._probe(member, now_ns)
        if now_ns % _ROTATION_NS == 0:
            self._replace(now_ns)
        for member in [member for member in self._followed if self._is_well(member)]:
            del self._followed[member], self._steps[member]
        self._is_looking = bool(self._followed)
        if self._is_looking:
            self._agenda.at(now_ns + _BEAT_NS, LOOK, self._look)

    def _may_be_silent(self, member: Member) -> bool:
        """One that is merely slow gives its tokens step by step: no need to look at each of them."""
        health = member.health
        if member in self._stuck or self._health.slow_factor or health.suspect or not health.serving:
            return True
        stretch = member.core.stretch()
        return stretch.end_ns - stretch.start_ns >= self._soon_silent_ns * max(1, stretch.steps)

    def _is_well(self, member: Member) -> bool:
        health = member.health
        return member not in self._faulty and health.state in ("up", "draining") and not health.suspect

    def _time_out(self, member: Member, now_ns: int) -> None:
        """Requests that waited too long for their first or their next token."""
        late = [flight for flight in member.flights.values() if self._is_late(flight, member, now_ns)]
        for flight in late:
            if member.health.serving and member.health.attempt_failed() and self._outage.may_eject(member):
                self._outage.eject(member, "error", now_ns)
            self._gateway.router.update(member)
            if flight.id in member.flights:
                self._failover.move(member, [flight], now_ns)

    def _is_late(self, flight: Flight, member: Member, now_ns: int) -> bool:
        last_ns = member.progress(flight, now_ns).last_ns
        if last_ns >= 0:
            return now_ns - last_ns >= self._idle_ns
        due_ns = flight.opened_ns + self._first_token_ns
        if not flight.has_token:
            due_ns = min(due_ns, self._failover.ends_ns(flight))
        return now_ns >= due_ns

    def _judge(self, member: Member, now_ns: int) -> None:
        """Is its silence too long?"""
        silent_s = self._silent_s(member, now_ns)
        if not silent_s or member.leaving is not None or silent_s < self._patience_s(member, now_ns):
            return
        if not member.health.serving:
            member.leaving = "timeout"  # out for being slow, and silent now
        elif self._outage.may_eject(member):
            self._outage.eject(member, "stall", now_ns)
        else:
            member.health.suspect = True
            self._gateway.router.update(member)

    @staticmethod
    def _silent_s(member: Member, now_ns: int) -> float:
        """How long requests that wait for this replica have got nothing from it; 0 when none waits."""
        if not member.flights:
            return 0.0
        lasts_ns = [member.progress(flight, now_ns).last_ns for flight in member.flights.values()]
        longest_wait_ns = max(
            now_ns - max(last_ns, flight.opened_ns)
            for last_ns, flight in zip(lasts_ns, member.flights.values(), strict=True)
        )
        progress_ns = max(member.progress_ns, *lasts_ns)
        member.health.progress_at = max(member.health.progress_at, progress_ns / NS)
        return max(0.0, min(now_ns / NS - member.health.progress_at, longest_wait_ns / NS))

    @staticmethod
    def _patience_s(member: Member, now_ns: int) -> float:
        decoding = any(member.progress(flight, now_ns).last_ns >= 0 for flight in member.flights.values())
        prompts = [flight.prompt + (flight.past.emitted if flight.past else 0) for flight in member.flights.values()]
        return member.health.patience_s(decoding=decoding, prefill_tokens=0 if decoding else sum(prompts))

    def _compare(self, now_ns: int) -> None:
        """Take out who is much slower than the others."""
        if not self._health.slow_factor:
            return
        for member in [member for member in self._followed if member in self._faulty and member.health.routable]:
            others = self._steps_of((other for other in self._membership.members if other is not member), now_ns)
            usual_s = median(others) if others else None
            if member.health.is_slow(usual_s) and self._outage.may_eject(member):
                self._outage.eject(member, "slow", now_ns)

    @staticmethod
    def _steps_of(members: Iterable[Member], now_ns: int) -> list[float]:
        steps = [usual_step_s(member, now_ns) for member in members if member.health.routable]
        return [step_s for step_s in steps if step_s is not None]

    def _probe(self, member: Member, now_ns: int) -> None:
        """One inference decides; on a replica that hangs it ends with its timeout."""
        health = member.health
        if member.process not in ("ready", "draining") or (since := self._probing(member, now_ns)) is None:
            return
        if member not in self._hung:
            if member.flights and now_ns - self._woke_ns.get(member, 0) < _BEAT_NS:
                return  # its engine has all of that to begin with; the idle ones come back first
            self._end_probe(member)
            self._outage.back(member, now_ns)
        elif now_ns - since >= self._probe_timeout_ns:
            self._end_probe(member)
            if health.progress_at * NS > since:
                health.suspect = False
            else:
                self._outage.eject(member, "probe", now_ns)

    def _probing(self, member: Member, now_ns: int) -> int | None:
        """Since when it is probed; None when it is not."""
        health = member.health
        if member not in self._probing_since and health.probe_due(now_ns / NS, busy=bool(member.flights)):
            health.probe_began(now_ns / NS)
            self._probing_since[member] = now_ns
        return self._probing_since.get(member)

    def _end_probe(self, member: Member) -> None:
        del self._probing_since[member]
        member.health.probe_ended()

    def _replace(self, now_ns: int) -> None:
        """The supervisor kills a replica whose process lives and that the gateway has held out for long."""
        members = self._membership.members
        held = [(m.health.down_s(now_ns / NS), m) for m in self._followed if m.process == "ready"]
        due = [(down_s, member) for down_s, member in held if down_s >= self._unhealthy_s]
        if any(member.health.serving for member in members):
            self._none_before_ns = 0
        elif now_ns < self._none_before_ns:
            return
        else:
            due = sorted(due, key=lambda entry: entry[0])[-1:]
        for down_s, member in due:
            self._membership.note(now_ns, "replica_unhealthy", member, {"down_s": round(down_s, 3)})
            cold_start_ns = round(member.group.cold_start_s * NS)
            self._none_before_ns = now_ns + _START_LIMIT_NS + cold_start_ns + round(self._unhealthy_s * NS)
            self._outage.crash([member], now_ns)


def _one_less(counts: dict[Member, int], member: Member) -> None:
    counts[member] = counts.get(member, 0) - 1
    if counts[member] <= 0:
        del counts[member]
