"""A replica of the fleet: its engine, its health as the gateway sees it, and what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from serving.autoscale.model import Pod
from serving.backoff import Backoff
from serving.gateway.health import Health
from serving.simulator.engine import Progress

if TYPE_CHECKING:
    from serving.gateway.config import HealthConfig
    from serving.simulator.engine import Engine
    from serving.simulator.flight import Flight
    from serving.simulator.scenario import ReplicaGroup

Leaving = Literal["timeout", "moved"]
"""Why its requests are to go elsewhere: it fell silent, or it is to be left."""
Process = Literal["starting", "ready", "backoff", "draining"]
"""The states of a replica's process in the platform's `state.json`."""


class Member:
    """`index` is its place in the order of joining, `life` its present line in the run's lives.

    `core` is the engine of this life; it computed `prompt_tokens` and `generated_tokens`. `flights` are the requests
    it was given, in the order of giving; together they can occupy `outstanding_tokens`. `seats` and `room_tokens` are
    what the gateway grants it, `most_tokens` the largest request that it is ever given, `longest_tokens` the largest
    that its engine takes. `listed` is where the router has it, `followed_ns` the last end of steps that is planned.
    """

    __slots__ = (
        "backoff",
        "core",
        "drain_until_ns",
        "flights",
        "followed_ns",
        "generated_tokens",
        "group",
        "group_index",
        "health",
        "index",
        "last_turn",
        "leaving",
        "life",
        "listed",
        "longest_tokens",
        "most_tokens",
        "name",
        "outstanding_tokens",
        "overhead_ns",
        "process",
        "progress_ns",
        "prompt_tokens",
        "room_tokens",
        "scraped_busy_ns",
        "scraped_ns",
        "seats",
        "spot",
        "waiting",
        "zone",
    )

    def __init__(
        self,
        name: str,
        index: int,
        group: ReplicaGroup,
        *,
        group_index: int,
        zone: str,
        core: Engine,
        rules: HealthConfig,
        kv_overcommit: float,
    ) -> None:
        self.name, self.index, self.group, self.group_index, self.zone = name, index, group, group_index, zone
        self.core = core
        self.health = Health(rules, 0.0)
        self.flights: dict[int, Flight] = {}
        self.outstanding_tokens = self.last_turn = self.waiting = 0
        scheduler = group.scheduler
        self.seats = scheduler.max_num_seqs
        kv_tokens = scheduler.kv_blocks * scheduler.block_size_tokens
        self.room_tokens = kv_overcommit * kv_tokens
        self.most_tokens = max(1.0, kv_overcommit) * kv_tokens
        self.longest_tokens = group.longest_tokens
        self.listed: tuple[int, int, int, int] | None = None
        self.process: Process = "starting"
        self.spot = group.spot
        self.life = -1
        self.followed_ns = -1
        self.drain_until_ns = -1
        self.progress_ns = 0
        self.prompt_tokens = self.generated_tokens = 0
        self.overhead_ns = round(group.step_time.request_overhead_ms * 1e6)
        self.leaving: Leaving | None = None
        self.backoff = Backoff()
        self.scraped_ns = self.scraped_busy_ns = 0

    def progress(self, flight: Flight, now_ns: int) -> Progress:
        """How far one of its requests is here."""
        if flight.is_inside:
            return self.core.progress(flight.id, now_ns)
        return Progress(flight.id, flight.past.emitted if flight.past else 0, -1, 0, 0)

    def evict(self, now_ns: int) -> list[Progress]:
        """All its requests, when its process dies: those on the way to the engine last."""
        on_the_way = [self.progress(flight, now_ns) for flight in self.flights.values() if not flight.is_inside]
        return self.core.evict(now_ns) + on_the_way

    @property
    def staying(self) -> bool:
        """It is part of the fleet that is wanted."""
        return self.process != "draining"

    @property
    def pod(self) -> Pod:
        """As the autoscaler sees it: a replica that waits for its restart is starting."""
        if self.process == "draining":
            return Pod(self.name, "ending")
        return Pod(self.name, "ready" if self.process == "ready" else "starting")
