"""The gateway under the virtual clock: who is admitted, placed, served and answered.

Its decisions are made by the platform's own code: waiting line, routing rule, retry budget, forecast. Left out are its
network and its own time. What happens when a replica fails is `failover.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from serving.gateway.budget import RetryBudget
from serving.simulator.accounts import Accounts
from serving.simulator.agenda import JOIN, RETRY, Agenda
from serving.simulator.flight import Flight
from serving.simulator.line import Line, Refusal
from serving.simulator.member import Member
from serving.simulator.model import NS
from serving.simulator.records import ERROR, INVALID, REJECTED, TRUNCATED
from serving.simulator.routing import Router
from serving.simulator.scenario import Scenario


class Gateway:
    """`on_up` hears that replicas take work again, `on_served` that the line had its turn on them, `on_empty` of a
    draining one that finished its own, `on_poison` of a request that kills the replica it came to; `on_placed_again`
    and `on_first_again` of requests that lost a replica: they have another, and its first token. Times are ns.
    """

    def __init__(self, scenario: Scenario, accounts: Accounts, agenda: Agenda) -> None:
        rules = scenario.gateway
        self.accounts = accounts
        self.router = Router(rules, len(scenario.groups))
        self.line = Line(rules.admission, self._refused)
        failover = rules.failover
        self.budget = RetryBudget(
            ratio=failover.budget_ratio, min_per_s=failover.budget_min_per_s, window_s=failover.budget_window_s, now=0.0
        )
        self.max_queue = self.waiting_inside = 0
        self.poison: bytearray | None = None
        self.on_up: Callable[[int], None] = _ignore
        self.on_served: Callable[[int], None] = _ignore
        self.on_empty: Callable[[Member, int], None] = _ignore
        self.on_poison: Callable[[Member, int], None] = _ignore
        self.on_placed_again: Callable[[Flight], None] = _ignore
        self.on_first_again: Callable[[Flight, int], None] = _ignore
        self._agenda = agenda
        self._hands_out = False
        self._longest_tokens = max(group.longest_tokens for group in scenario.groups)
        self._prefixes = scenario.workload.prefix
        self._prefix_block_tokens = scenario.workload.prefix_block_tokens

    # on the way in

    def arrive(self, id_: int, now_ns: int, prompt: int, output: int, priority: int) -> None:
        """A request comes."""
        line = self.line
        if line.head is not None:
            line.expire(now_ns)
        flight = Flight(id_, now_ns, prompt, output, priority, self._prefixes[id_] if self._prefixes else ())
        if self.poison is not None and self.poison[id_]:
            flight.poisonous = True
        self.enter(flight, now_ns)
        waiting = len(line) + self.waiting_inside
        if waiting > self.max_queue:
            self.max_queue = waiting

    def enter(self, flight: Flight, now_ns: int) -> None:
        """A place at once, one in the line, or none."""
        if flight.cost > self._longest_tokens:
            self.accounts.end(flight, INVALID, now_ns)
            return
        if self.line.outranks_all(flight.priority):
            member = self.router.choice(flight.cost, flight.prefix)
            if member is not None:
                self._admit(flight, member, now_ns)
                return
        self.line.join(flight, now_ns)

    def serve_line(self, now_ns: int) -> None:
        """Give places to the line's front while there are any; nobody overtakes."""
        line = self.line
        if line.head is None:
            return
        line.expire(now_ns)
        while (flight := line.head) is not None:
            member = self.router.choice(flight.cost, flight.prefix)
            if member is None:
                return
            line.leave(flight)
            self._admit(flight, member, now_ns)

    def _admit(self, flight: Flight, member: Member, now_ns: int) -> None:
        self.accounts.admitted(flight, now_ns)
        self.budget.request(now_ns / NS)
        self.place(flight, member, now_ns)

    def place(self, flight: Flight, member: Member, now_ns: int) -> None:
        """Give it to the replica, with what its client has already."""
        self.accounts.tried(flight, member)
        if flight.cost > member.longest_tokens:
            # its engine refuses it: the gateway knows the size of a cache, and not the longest sequence
            self.accounts.end(flight, TRUNCATED if flight.has_token else INVALID, now_ns)
            return
        flight.member, flight.opened_ns, flight.first_here_ns = member, now_ns, -1
        member.flights[flight.id] = flight
        member.outstanding_tokens += flight.cost
        self.router.taken(member, flight.prefix)
        self.router.update(member)
        if flight.past is not None:
            self.on_placed_again(flight)
        if member.overhead_ns:
            flight.is_inside = False
            self._agenda.at(
                now_ns + member.overhead_ns, JOIN, lambda at_ns: self._later(flight, now_ns, at_ns), index=member.index
            )
        else:
            self._join(flight, member, now_ns)

    def _later(self, flight: Flight, opened_ns: int, now_ns: int) -> None:
        """The replica has read the request, if that is still there."""
        if flight.member is not None and flight.opened_ns == opened_ns and not flight.is_inside:
            self._join(flight, flight.member, now_ns)

    def _join(self, flight: Flight, member: Member, now_ns: int) -> None:
        """Into the queue of the replica's engine."""
        flight.is_inside = True
        member.core.add(
            flight.id,
            prompt_tokens=flight.prompt,
            output_tokens=flight.output,
            now_ns=now_ns,
            resumed_tokens=0 if flight.past is None else flight.past.emitted,
            priority=flight.priority,
            prefix=self._kv_blocks(flight.prefix, member) if flight.prefix else (),
        )
        self.follow(member, now_ns)
        if flight.poisonous:
            self.on_poison(member, now_ns)

    def _kv_blocks(self, prefix: tuple[int, ...], member: Member) -> tuple[int, ...]:
        """The workload's blocks as the replica's, which may be smaller: a part has a name of its own."""
        parts = self._prefix_block_tokens // member.group.scheduler.block_size_tokens
        if parts == 1:
            return prefix
        return tuple(abs(hash((block, part))) for block in prefix for part in range(parts))

    # on the way out

    def step(self, member: Member, now_ns: int) -> None:
        """The steps under way of a replica end."""
        core = member.core
        if core.next_ns != now_ns:
            return  # cut short meanwhile
        finished, has_room, tokens = False, False, core.complete()
        self.accounts.stretched(member, tokens, now_ns)
        for token in tokens:
            flight = member.flights[token.id]
            if token.is_first:
                has_room = self._first_token(flight, member, now_ns) or has_room
            if token.is_last:
                self.release(flight, member)
                self.accounts.last_token(flight, token, now_ns)
                finished = True
        if finished or has_room:
            self.serve_line(now_ns)
        self.follow(member, now_ns)
        if finished and not member.flights and not member.staying:
            self.on_empty(member, now_ns)

    def _first_token(self, flight: Flight, member: Member, now_ns: int) -> bool:
        """Whether the replica may have more room by it."""
        health, was_strained = member.health, False
        member.progress_ns = flight.first_here_ns = now_ns
        member.prompt_tokens += flight.prompt
        if health.suspect or health.state == "half_open":
            was_strained = True
            health.served(now_ns / NS)
            self.router.update(member)
        if flight.past is not None:
            self.on_first_again(flight, now_ns)
            self.accounts.resumed(flight, now_ns)
        if not flight.has_token:
            self.accounts.first_token(flight, now_ns)
        return was_strained

    def release(self, flight: Flight, member: Member) -> None:
        """It gives its place back."""
        del member.flights[flight.id]
        member.outstanding_tokens -= flight.cost
        flight.member = None
        self.router.update(member)

    def _refused(self, flight: Flight, now_ns: int, why: Refusal) -> None:
        if why != "no_replica":
            self.accounts.tallies.count("sre_gateway_rejections_total", why)
        self.accounts.end(flight, ERROR if why == "no_replica" else REJECTED, now_ns)

    # replicas

    def fleet_is(self, members: Sequence[Member]) -> None:
        """Who is there, whatever its condition: what fits none of these is refused at once. Nobody is no reason."""
        if members:
            self._longest_tokens = max(member.longest_tokens for member in members)

    def follow(self, member: Member, now_ns: int) -> None:
        """Start what runs next, and note when it ends."""
        core = member.core
        core.start(now_ns)
        self.waiting_inside += core.waiting - member.waiting
        member.waiting = core.waiting
        ends_ns = core.next_ns
        if ends_ns is not None and ends_ns != member.followed_ns:
            member.followed_ns = ends_ns
            self._agenda.step(ends_ns, member.index)

    def came_up(self, member: Member, now_ns: int) -> None:
        """A replica takes work. What waits is given out when all that come up at this instant are there, as the
        gateway's tasks wake after the look that brought the replicas back.
        """
        self.line.expire(now_ns)
        self.line.no_replica_since(None)
        self.router.update(member)
        if not self._hands_out:
            self._hands_out = True
            self._agenda.at(now_ns, RETRY, self._hand_out)

    def _hand_out(self, now_ns: int) -> None:
        self._hands_out = False
        self.on_up(now_ns)
        self.serve_line(now_ns)
        self.on_served(now_ns)

    def takes_more(self, member: Member, now_ns: int) -> None:
        """A replica in rotation did well: it may have whole rotation again, and room for who waits."""
        self.router.update(member)
        self.serve_line(now_ns)

    def went_out(self, member: Member, members: Sequence[Member], now_ns: int) -> None:
        """A replica takes no more work."""
        self.router.update(member)
        self.router.forget(member)
        if not any(other.health.routable for other in members):
            self.line.expire(now_ns)
            self.line.no_replica_since(now_ns)

    def predicted_ttft_s(self, now_ns: int) -> float:
        """What a request that comes now has to expect."""
        forecast = self.accounts.forecast
        if forecast is None:
            return 0.0
        return forecast.ttft_s(
            now_ns / NS,
            queued_tokens=self.line.tokens,
            head_age_s=self.line.head_age_ns(now_ns) / NS,
            longest_s=self.line.patience_s,
        )


def _ignore(*_: object) -> None:
    return
