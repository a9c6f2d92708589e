"""Who gets a request: the choice of `serving.gateway.routing.choose`, found without a look at every replica.

Replicas that may be given work stand in lists sorted by load, one for each group, since within a group the least loaded
has room if anybody has. Whoever has no seat left stands in none. A test compares every choice with the gateway's. What
has to go elsewhere is rare, and is put to the gateway's own function. In round robin all loads look alike: it gives to
whoever was chosen longest ago and has room.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Collection, Iterable, Sequence

from serving.gateway.routing import Candidate, Standing, choose
from serving.simulator.member import Member
from serving.simulator.prefixes import PrefixHolders
from serving.simulator.scenario import GatewayRules

_FREE, _SPARE = 0, 1
_MOST_HASHES = 256  # of one prompt, as `prefix_hashes`
_Key = tuple[int, int, int]


def _tier(member: Member, half_open_requests: int) -> int | None:
    """Where it stands when only its own condition counts; None when it gets nothing now."""
    health, running = member.health, len(member.flights)
    if not health.routable or running >= member.seats:
        return None
    if health.state == "half_open" and running >= half_open_requests:
        return None
    return _SPARE if health.suspect else _FREE


class Router:
    """Tell it of every change of a member by `update`, before the next choice."""

    def __init__(self, rules: GatewayRules, groups: int) -> None:
        self._overflow_tokens = rules.routing.overflow_tokens
        self._half_open_requests = rules.health.half_open_requests
        self._in_turn = rules.balancing == "round_robin"
        self.prefixes = PrefixHolders(rules.routing.max_blocks) if rules.routing.affinity else None
        self._by_load: list[list[list[_Key]]] = [[[] for _ in range(groups)] for _ in (_FREE, _SPARE)]
        self._by_turn: list[list[list[_Key]]] = [[[] for _ in range(groups)] for _ in (_FREE, _SPARE)]
        self._members: dict[int, Member] = {}
        self._turn = 0

    def update(self, member: Member) -> None:
        """Its load or its condition may have changed."""
        tier = _tier(member, self._half_open_requests)
        new = None if tier is None else (tier, member.outstanding_tokens, member.last_turn, member.index)
        old = member.listed
        if new == old:
            return
        if old is not None:
            self._unlist(member, old)
        member.listed = new
        if new is not None:
            tier, tokens, turn, index = new
            self._members[index] = member
            insort(self._by_load[tier][member.group_index], (tokens, turn, index))
            if self._in_turn:
                insort(self._by_turn[tier][member.group_index], (turn, tokens, index))

    def _unlist(self, member: Member, listed: tuple[int, int, int, int]) -> None:
        tier, tokens, turn, index = listed
        keys = self._by_load[tier][member.group_index]
        del keys[bisect_left(keys, (tokens, turn, index))]
        if self._in_turn:
            keys = self._by_turn[tier][member.group_index]
            del keys[bisect_left(keys, (turn, tokens, index))]

    def taken(self, member: Member, prefix: Sequence[int]) -> None:
        """It was chosen; `update` follows when its load is noted."""
        self._turn += 1
        member.last_turn = self._turn
        if self.prefixes is not None and prefix:
            self.prefixes.note(member.index, prefix[:_MOST_HASHES])

    def forget(self, member: Member) -> None:
        """Its cache is gone."""
        if self.prefixes is not None:
            self.prefixes.forget(member.index)

    def choice(self, cost: int, prefix: Sequence[int] = ()) -> Member | None:
        """Who has room for a request of `cost` tokens and should get it; None when nobody has."""
        for tier in (_FREE, _SPARE):
            least = self._least(tier, cost)
            if least is None:
                continue
            holder = self._holder(tier, cost, prefix[:_MOST_HASHES]) if prefix and self.prefixes is not None else None
            if self._in_turn:
                return holder or self._next_in_turn(tier, cost)
            if holder and holder.outstanding_tokens - least.outstanding_tokens <= self._overflow_tokens:
                return holder
            return least
        return None

    def _least(self, tier: int, cost: int) -> Member | None:
        """The least loaded with room: within a group nobody has room if the least loaded has none."""
        best: _Key | None = None
        for keys in self._by_load[tier]:
            if keys and (best is None or keys[0] < best) and _fits(self._members[keys[0][2]], cost):
                best = keys[0]
        return None if best is None else self._members[best[2]]

    def _next_in_turn(self, tier: int, cost: int) -> Member | None:
        best: _Key | None = None
        for keys in self._by_turn[tier]:
            found = next((key for key in keys if _fits(self._members[key[2]], cost)), None)
            if found is not None and (best is None or (found[0], found[2]) < (best[0], best[2])):
                best = found
        return None if best is None else self._members[best[2]]

    def _holder(self, tier: int, cost: int, prefix: Sequence[int]) -> Member | None:
        """The least loaded of those with room that hold the most of the prefix."""
        prefixes, looked_at = self.prefixes, 0
        if prefixes is None:
            return None
        for depth in range(prefixes.depth(prefix), 0, -1):
            holders = prefixes.holders(prefix[depth - 1])
            if len(holders) == looked_at:
                continue  # the same as one block deeper
            looked_at = len(holders)
            found = self._least_of(tier, cost, holders)
            if found is not None:
                return found
        return None

    def _least_of(self, tier: int, cost: int, holders: set[int]) -> Member | None:
        """By whichever is shorter: the holders, or the sorted lists until one of many holders comes."""
        lists = (self._by_turn if self._in_turn else self._by_load)[tier]
        if len(holders) ** 2 <= sum(map(len, lists)):
            return self._best(holders, lambda m: m.listed is not None and m.listed[0] == tier and _fits(m, cost))
        firsts = [
            index
            for keys in lists
            if (index := next((i for _, _, i in keys if i in holders and _fits(self._members[i], cost)), None))
            is not None
        ]
        return self._best(firsts, lambda _: True)

    def _best(self, indices: Iterable[int], wanted: Callable[[Member], bool]) -> Member | None:
        members = [m for i in indices if (m := self._members.get(i)) is not None and wanted(m)]
        return min(members, key=lambda m: (self._load(m), m.last_turn, m.index), default=None)

    def _load(self, member: Member) -> int:
        return 0 if self._in_turn else member.outstanding_tokens

    def elsewhere(
        self, members: Sequence[Member], cost: int, prefix: Sequence[int], exclude: Collection[str]
    ) -> Member | None:
        """Who takes work that was admitted once and lost its replica: room or not, but none of `exclude`."""
        prefix = prefix[:_MOST_HASHES]
        candidates = [
            Candidate(
                member.name,
                self._load(member),
                member.last_turn,
                self.prefixes.matched(member.index, prefix) if self.prefixes is not None else 0,
                self._standing(member, cost, exclude),
            )
            for member in members
        ]
        choice = choose(candidates, overflow_tokens=self._overflow_tokens)
        return None if choice is None else next(m for m in members if m.name == choice.name)

    def _standing(self, member: Member, cost: int, exclude: Collection[str]) -> Standing:
        health, running = member.health, len(member.flights)
        if not health.routable or member.name in exclude or cost > member.most_tokens:
            return "out"
        strained = health.state == "half_open" and (
            running >= self._half_open_requests or not self._has_room(member, cost)
        )
        return "spare" if health.suspect or strained else "free"

    @staticmethod
    def _has_room(member: Member, cost: int) -> bool:
        return len(member.flights) < member.seats and _fits(member, cost)


def _fits(member: Member, cost: int) -> bool:
    """Into an empty replica everything fits that its cache can hold at all."""
    return member.outstanding_tokens + cost <= member.room_tokens or (not member.flights and cost <= member.most_tokens)
