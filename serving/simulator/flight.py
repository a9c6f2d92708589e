"""One request between its arrival and its end; nothing of it stays but its line in the records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from serving.gateway.waiting import Ticket
    from serving.simulator.member import Member

Reason = Literal["connect", "timeout"]


class Past:
    """What a request has behind it that lost a replica.

    `emitted` tokens its client has, the last of them at `last_ns` (-1: none), the longest gap between two was `gap_ns`.
    `lives` are the replicas that failed it, by name, with their life then; `failures` how many did, `replays` its
    changes of replica after the first token that were no operator's wish. It lost the last replica for that `reason`
    and seeks a place since `sought_ns`. `wasted` tokens were computed anew.
    """

    __slots__ = (
        "emitted",
        "failures",
        "gap_ns",
        "is_moved",
        "last_ns",
        "lives",
        "reason",
        "replays",
        "sought_ns",
        "wasted",
    )

    def __init__(self) -> None:
        self.emitted = self.failures = self.replays = self.wasted = self.gap_ns = 0
        self.last_ns = self.sought_ns = -1
        self.is_moved = False
        self.reason: Reason = "connect"
        self.lives: dict[str, int] = {}

    def excluded(self, lives: Mapping[str, int]) -> set[str]:
        """The replicas that failed it and are still in that very life."""
        return {name for name, life in self.lives.items() if lives.get(name) == life}


class Flight:
    """`cost` is the most tokens it can occupy, which is what the gateway reckons with; `prefix` its leading blocks.

    `past` is None for a request that never lost a replica, `has_token` says whether its client has one. `opened_ns` and
    `first_here_ns` are when its present replica got it and gave its first token; it `is_inside` once that replica's
    engine has it.
    """

    __slots__ = (
        "cost",
        "first_here_ns",
        "has_token",
        "id",
        "is_inside",
        "member",
        "opened_ns",
        "output",
        "past",
        "poisonous",
        "prefix",
        "priority",
        "prompt",
        "since_ns",
        "ticket",
    )

    def __init__(
        self, id_: int, since_ns: int, prompt: int, output: int, priority: int, prefix: tuple[int, ...]
    ) -> None:
        self.id, self.since_ns, self.prompt, self.output, self.priority = id_, since_ns, prompt, output, priority
        self.prefix = prefix
        self.cost = prompt + output
        self.has_token = self.poisonous = self.is_inside = False
        self.opened_ns = self.first_here_ns = -1
        self.past: Past | None = None
        self.member: Member | None = None
        self.ticket: Ticket | None = None
