"""Where a request goes whose replica failed it: the rules of `serving.gateway.generation` and `.failover`.

Before its first token it starts anew elsewhere, after it the rest is made elsewhere; both are paid from the retry
budget, both avoid the replicas that failed it. With nowhere to go it waits for a replica to come up. What the live
gateway does by looking again each 20 ms is done here by moments of the agenda 20 ms apart.
"""

from __future__ import annotations

from serving.gateway.replica import Fallen
from serving.gateway.suspects import Suspects, who_may_have_done_it
from serving.simulator.agenda import RETRY, Agenda
from serving.simulator.engine import Progress
from serving.simulator.flight import Flight, Past, Reason
from serving.simulator.gateway import Gateway
from serving.simulator.member import Member
from serving.simulator.membership import Membership
from serving.simulator.model import NS
from serving.simulator.records import ERROR, TRUNCATED
from serving.simulator.scenario import GatewayRules

_SURE_AFTER = 2  # replicas; these four are `serving.gateway.failover`'s
_DOUBT_NS = 2_500_000_000
_TURN_NS = NS
_LOOK_NS = 20_000_000


class Failover:
    """For all requests of one run."""

    def __init__(self, rules: GatewayRules, gateway: Gateway, membership: Membership, agenda: Agenda) -> None:
        self._rules, self._gateway, self._membership, self._agenda = rules, gateway, membership, agenda
        self._idle_ns = round(rules.idle_timeout_s * NS)
        self._deadline_ns = round(rules.deadline_s * NS)
        self._now_ns = 0
        self._tallies = gateway.accounts.tallies
        self.suspects = Suspects(
            deaths=rules.failover.poison_deaths,
            quarantine_s=rules.failover.quarantine_s,
            clock=lambda: self._now_ns / NS,
            quarantined=self._count_quarantined,
        )
        self._stranded: dict[int, tuple[Flight, int]] = {}
        self._on_trial: set[int] = set()
        gateway.on_up, gateway.on_served = self.evacuate, self._place_stranded
        gateway.on_first_again = self._first_again
        gateway.on_placed_again = self._placed

    # a replica is lost

    def died(self, member: Member, progress: list[Progress], now_ns: int) -> None:
        """It died, or as good as that: who waited for its first token then is a suspect."""
        self._now_ns = now_ns
        heard_ns = max([member.progress_ns, *(one.last_ns for one in progress)])
        for one in progress:
            if one.last_ns >= 0 and self._rules.failover.poison_deaths:
                self.suspects.answered(_fingerprint(one.id))
        waiting = [
            Fallen(_fingerprint(one.id), member.flights[one.id].opened_ns / NS) for one in progress if one.last_ns < 0
        ]
        suspects = who_may_have_done_it(waiting, progress_at=heard_ns / NS)
        self.suspects.died(suspects, member.name, member.health.life)

    def evacuate(self, now_ns: int) -> None:
        """Move the requests of replicas that are to be left, when there is another one in rotation."""
        members = self._membership.members
        if not any(member.health.routable for member in members):
            return
        for member in list(members):
            if member.leaving is not None and not member.health.routable:
                self.move(member, list(member.flights.values()), now_ns, is_moved=member.leaving == "moved")

    def move(self, member: Member, flights: list[Flight], now_ns: int, *, is_moved: bool = False) -> None:
        """Take requests off a replica whose process lives."""
        for flight in flights:
            progress = member.progress(flight, now_ns)
            if flight.is_inside:
                member.core.cancel(flight.id, now_ns)
            self.lost(flight, member, progress, now_ns, reason="timeout", is_moved=is_moved)
        self._gateway.follow(member, now_ns)
        if flights and not member.flights and not member.staying:
            self._gateway.on_empty(member, now_ns)

    def lost(
        self,
        flight: Flight,
        member: Member,
        progress: Progress,
        now_ns: int,
        *,
        reason: Reason,
        is_moved: bool = False,
    ) -> None:
        """The request lost its replica; so far it had got there."""
        self._gateway.release(flight, member)
        if flight.past is not None and flight.past.emitted and progress.last_ns < 0:
            self._tallies.count("sre_gateway_replays_total", "failed")
        self._on_trial.discard(flight.id)
        past = flight.past = flight.past or Past()
        if progress.last_ns >= 0:
            past.emitted, past.last_ns = progress.emitted, progress.last_ns
            past.gap_ns = max(past.gap_ns, progress.longest_gap_ns)
        past.is_moved, past.sought_ns, past.reason = is_moved, now_ns, reason
        if not is_moved:
            past.failures += 1
            past.lives[member.name] = member.health.life
            if self._is_enough(flight, past, now_ns):
                self._give_up(flight, now_ns)
                return
        self._seek(flight, past, now_ns)

    def _is_enough(self, flight: Flight, past: Past, now_ns: int) -> bool:
        """Whether the request's own bounds forbid another attempt."""
        failover = self._rules.failover
        if flight.has_token:
            return past.replays >= failover.max_replays
        return past.failures >= failover.max_attempts or now_ns >= self.ends_ns(flight)

    def ends_ns(self, flight: Flight) -> int:
        """When all attempts until its first token must have led to one."""
        return self._gateway.accounts.records.placed_ns[flight.id] + self._deadline_ns

    # where it goes

    def _seek(self, flight: Flight, past: Past, now_ns: int) -> None:
        """Find a place, after a moment of doubt or of waiting for one's turn where that is due."""
        self._now_ns = now_ns
        fingerprint = _fingerprint(flight.id)
        if self._is_uncertain(flight, past, fingerprint, now_ns):
            self._agenda.at(now_ns + _LOOK_NS, RETRY, lambda at_ns: self._seek(flight, past, at_ns))
        elif self.suspects.in_quarantine(fingerprint) or (
            not past.is_moved and not self._gateway.budget.spend(now_ns / NS)
        ):
            self._give_up(flight, now_ns)
        elif not self._place(flight, past, now_ns):
            self._wait(flight, past, now_ns)

    def _is_uncertain(self, flight: Flight, past: Past, fingerprint: int, now_ns: int) -> bool:
        waited_ns = now_ns - past.sought_ns
        if len(past.lives) >= _SURE_AFTER and waited_ns < _DOUBT_NS and self._in_doubt(past):
            return True
        if waited_ns >= _TURN_NS or not self.suspects.suspected(fingerprint):
            return False
        return any(id_ != flight.id for id_ in self._on_trial)

    def _in_doubt(self, past: Past) -> bool:
        """Whether one that failed it may prove dead any moment."""
        return any(
            member.health.serving and member.health.suspect and past.lives.get(member.name) == member.health.life
            for member in self._membership.members
        )

    def _place(self, flight: Flight, past: Past, now_ns: int) -> bool:
        members = self._membership.members
        exclude = past.excluded({member.name: member.health.life for member in members})
        member = self._gateway.router.elsewhere(members, flight.cost, flight.prefix, exclude)
        if member is None:
            return False
        if flight.has_token:
            past.replays += not past.is_moved
        elif not past.is_moved:
            self._tallies.count("sre_gateway_retries_total", past.reason)
        self._gateway.place(flight, member, now_ns)
        return True

    def _wait(self, flight: Flight, past: Past, now_ns: int) -> None:
        """For a replica to come up, as long as that is worth it."""
        if flight.has_token:
            until_ns = past.last_ns + self._idle_ns
        else:
            until_ns = min(now_ns + self._idle_ns, self.ends_ns(flight))
        if until_ns <= now_ns:
            self._give_up(flight, now_ns, "failed")
            return
        self._stranded[flight.id] = flight, until_ns
        self._agenda.at(until_ns, RETRY, lambda at_ns: self._late(flight, at_ns))

    def _late(self, flight: Flight, now_ns: int) -> None:
        if self._stranded.get(flight.id) == (flight, now_ns):
            del self._stranded[flight.id]
            self._give_up(flight, now_ns, "failed")

    def _place_stranded(self, now_ns: int) -> None:
        """Replicas came up: the line had its turn on them, as it has in the live gateway."""
        for flight, _ in list(self._stranded.values()):
            if flight.past is not None and self._place(flight, flight.past, now_ns):
                del self._stranded[flight.id]

    def _give_up(self, flight: Flight, now_ns: int, result: str = "refused") -> None:
        if flight.has_token:
            self._tallies.count("sre_gateway_replays_total", result)
        self._gateway.accounts.end(flight, TRUNCATED if flight.has_token else ERROR, now_ns)

    # what is told by the gateway

    def _placed(self, flight: Flight) -> None:
        if self.suspects.suspected(_fingerprint(flight.id)):
            self._on_trial.add(flight.id)

    def _first_again(self, flight: Flight, now_ns: int) -> None:
        """It kills nobody."""
        self._now_ns = now_ns
        self._on_trial.discard(flight.id)
        self.suspects.answered(_fingerprint(flight.id))

    def _count_quarantined(self) -> None:
        self._tallies.count("sre_gateway_poison_total", "quarantined")


def _fingerprint(id_: int) -> int:
    """Each request has a prompt of its own; 0 is nobody's."""
    return id_ + 1
