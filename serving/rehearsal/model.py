"""What a rehearsal is given and what it tells. The levers are a Protocol: whoever plays an experiment sees no more.

All times are Unix seconds of the virtual clock, which starts at the `epoch` that is passed in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Protocol

from serving.engine.faults import Faults
from serving.errors import BadInput
from serving.fleet.spec import PlatformSpec
from serving.loadgen.model import RequestRecord

Part = Literal["server", "stub"]
"""A replica's processes: Triton, and the model process in which the engine runs."""
Condition = Literal["running", "stopped", "gone"]
PageMode = Literal["true", "down", "frozen", "scaled"]
OfferKind = Literal["surge", "retry", "hang-up"]
ToFrom = Literal["both", "to_replica", "from_replica"]
Event = Mapping[str, Any]
"""One line of `events.jsonl`: at, event, replica, pid, detail."""
OnScrape = Callable[[float, str, str | None], None]
"""(at, target, page): target is `gateway`, `autoscaler` or a replica's name; page None when it did not answer."""

MOST_LOSS = 0.9  # beyond, a retransmission's turn comes too rarely: a cut is meant


def _require_numbers(of: object, *, most: Mapping[str, float]) -> None:
    """Each named number is 0 to so much. Raises BadInput naming every one that is not."""
    values = {name: getattr(of, name) for name in most}
    wrong = [
        f"{name} is {value!r}: use 0 to {most[name]:g}"
        for name, value in values.items()
        if value is not None and not 0 <= value <= most[name]  # NaN compares as no
    ]
    if wrong:
        raise BadInput(f"rehearsal: {type(of).__name__}: {'; '.join(wrong)}")


@dataclass(frozen=True, slots=True)
class Starts:
    """Seconds a process of the local platform takes to start, besides the profile's own scaled cold start.

    `server_start_s` and `model_load_s` are phases of `replica_ready` in events.jsonl; `gateway_start_s` and
    `autoscaler_start_s` run from the spawn to the first answer, `recorder_start_s` to the first scrape, `load_start_s`
    from the load generator's to its clock's 0. `stop_s` is what a replica takes over SIGTERM.
    """

    server_start_s: float = 1.2
    model_load_s: float = 1.1
    gateway_start_s: float = 1.0
    autoscaler_start_s: float = 1.0
    recorder_start_s: float = 0.5
    stop_s: float = 2.5
    load_start_s: float = 0.7

    def __post_init__(self) -> None:
        _require_numbers(self, most={part.name: 3600.0 for part in fields(self)})


@dataclass(frozen=True, slots=True)
class Latencies:
    """One-way seconds: `request_s` from the gateway into the engine (gRPC, Triton's queue, its Python stub), `token_s`
    from the engine to the gateway, `client_s` between client and gateway, each way.
    """

    request_s: float = 0.003
    token_s: float = 0.0015
    client_s: float = 0.0005

    def __post_init__(self) -> None:
        _require_numbers(self, most={part.name: 60.0 for part in fields(self)})


@dataclass(frozen=True, slots=True)
class VirtualSpec:
    """The platform to rehearse on. `gateway` are keys of `gateway.json` that replace what the supervisor would write;
    `zones` names the zone of a replica where that is known; `client_headers` are what clients send, a key for instance.
    """

    platform: PlatformSpec
    gateway: Mapping[str, Any] = field(default_factory=dict)
    starts: Starts = Starts()
    latencies: Latencies = Latencies()
    zones: Mapping[str, str] = field(default_factory=dict)
    client_headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """A replica as `state.json` and the gateway show it. `inflight` are attempts of the gateway on it."""

    name: str
    state: str
    rotation: str | None
    serving: bool
    inflight: int
    zone: str
    restarts: int
    ready_at: float | None


@dataclass(frozen=True, slots=True)
class NetworkRules:
    """What a fault proxy between gateway and replica does, in `direction`. `loss_ratio` is of segments.

    A `cut` holds everything until it is over. `reset_after_bytes` resets the connection (all streams on it) once it
    carried more than so many; 0 at once. `reset_share` of connections are so treated, drawn by `seed`.
    """

    delay_s: float = 0.0
    jitter_s: float = 0.0
    loss_ratio: float = 0.0
    bandwidth_bps: float = 0.0
    cut: bool = False
    direction: ToFrom = "both"
    reset_after_bytes: int | None = None
    reset_share: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        most = {"delay_s": 60.0, "jitter_s": 60.0, "loss_ratio": MOST_LOSS, "bandwidth_bps": 1e12}
        _require_numbers(self, most={**most, "reset_after_bytes": 1e12, "reset_share": 1.0})


@dataclass(frozen=True, slots=True)
class Offer:
    """Clients beside the drill's load, as `sre.chaos.processes.storm` sends them.

    `surge`: `rate_rps` requests (Poisson), or `factor` of the traffic found, read to the end; `hang-up`: the same, left
    after the first token; `retry`: `clients` that repeat every failure at once.
    """

    kind: OfferKind
    prompt_tokens: int = 200
    output_tokens: int = 100
    timeout_s: float = 30.0
    seed: int = 1
    rate_rps: float | None = None
    factor: float | None = None
    clients: int = 0
    attempts: int = 1
    pause_s: float = 1.0

    def __post_init__(self) -> None:
        most = {"prompt_tokens": 1e6, "output_tokens": 1e6, "timeout_s": 3600.0, "rate_rps": 1e4, "factor": 1e3}
        _require_numbers(self, most={**most, "clients": 1e4, "attempts": 1e3, "pause_s": 3600.0})


@dataclass(slots=True)
class OfferCounts:
    """What such clients did so far; each ended request is in exactly one of the endings."""

    rate_rps: float | None = None
    sent: int = 0
    inflight: int = 0
    retries: int = 0
    skipped: int = 0
    ok: int = 0
    rejected: int = 0
    denied: int = 0
    invalid: int = 0
    failed: int = 0
    timeout: int = 0
    hung_up: int = 0
    note: str = ""


class Offered(Protocol):
    """An offer under way; `stop` ends it and hangs up on what is in flight."""

    @property
    def counts(self) -> OfferCounts: ...
    def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Inference:
    """What an inference straight at a replica gave, or the gateway gave to one client."""

    text: str
    seconds: float
    error: str | None = None


class VirtualPlatform(Protocol):
    """The platform while it runs, and what can be done to it. Names that do not exist raise BadInput.

    Levers return at once, like a signal that was sent; coroutines return when their call would.
    """

    # what is seen

    def now(self) -> float: ...
    async def sleep(self, seconds: float) -> None: ...
    def replicas(self) -> tuple[ReplicaView, ...]: ...
    def desired_replicas(self) -> int: ...
    def events(self) -> tuple[Event, ...]: ...
    def records(self) -> tuple[RequestRecord, ...]:
        """The drill's requests that have ended so far."""

    def condition(self, name: str, part: Part = "server") -> Condition: ...
    def gateway_ready(self) -> bool:
        """Whether `/ready` says 200."""

    def page(self, target: str) -> str | None:
        """The target's metrics page as observers get it now; None when it does not answer."""

    async def infer(
        self, name: str, prompt: str, *, max_tokens: int = 8, deadline_at: float | None = None, timeout_s: float = 2.0
    ) -> Inference:
        """Straight at a replica, past the gateway and its network faults. Its engine drops it unserved at
        `deadline_at` (Unix time); who gives up after `timeout_s` is not heard.
        """

    async def ask(self, prompt: str, *, max_tokens: int = 8, timeout_s: float = 20.0) -> Inference:
        """One client's request through the gateway."""

    # processes

    def crash(self, name: str, part: Part = "server") -> None:
        """SIGKILL. Of the stub alone: the server stays, and every request fails."""

    def freeze(self, name: str, part: Part = "server") -> None:
        """SIGSTOP: nothing is answered, connections stay."""

    def thaw(self, name: str, part: Part = "server") -> None:
        """SIGCONT."""

    def hold_restart(self, name: str) -> None:
        """Its next lives do not start until `release_restart`: the machine is gone."""

    def release_restart(self, name: str) -> None: ...
    def kill_gateway(self) -> None: ...
    def stop_autoscaler(self) -> None:
        """SIGSTOP until `start_autoscaler`. BadInput when the platform has none."""

    def start_autoscaler(self) -> None: ...
    def kill_autoscaler(self) -> None:
        """SIGKILL: it is started again."""

    # engines and their network

    def faults(self, name: str) -> Faults: ...
    def set_faults(self, name: str, faults: Faults) -> None:
        """What the engine's control file says from now on, over restarts too."""

    def network(self, name: str, rules: NetworkRules | None) -> None:
        """Put a proxy with these rules in the way, or take it out (None)."""

    # observers

    def metrics(self, target: str, mode: PageMode, *, factor: float = 1.0, prefix: str = "") -> None:
        """What observers get of a target's page from now on; `recorder` stands for all scrapes at once."""

    # load and size

    def offer(self, offer: Offer) -> Offered: ...
    async def scale(self, replicas: int, *, reason: str = "") -> int: ...
    async def drain(self, name: str, *, grace_s: float = 30.0, restart: bool = False, force: bool = False) -> None: ...
    async def undrain(self, name: str) -> None: ...


Script = Callable[[VirtualPlatform], Awaitable[None]]
"""Plays the experiment; awaited in the virtual event loop once the warm-up is over."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How a drill runs besides its experiment, seconds. The load begins `before_load_s` after the platform is ready and
    the script `warmup_s` later. Afterwards the load goes on to its end, or `tail_s` more; in `settle_s` the last
    requests are scraped. A request is given up after `load_timeout_s`; `longest_s` bounds the whole.
    """

    before_load_s: float = 3.0
    warmup_s: float = 12.0
    tail_s: float | None = None
    settle_s: float = 2.0
    load_timeout_s: float = 60.0
    longest_s: float = 7200.0

    def __post_init__(self) -> None:
        _require_numbers(self, most={part.name: 1e6 for part in fields(self)})


@dataclass(frozen=True, slots=True)
class Played:
    """A rehearsal that is over. `replica_s` is replica-seconds that were paid for, from the load's begin to the end.

    `gateway_log` and `autoscaler_log` are their structured log lines.
    """

    records: tuple[RequestRecord, ...]
    events: tuple[Event, ...]
    began_at: float
    ready_at: float
    load_began_at: float
    script_began_at: float
    script_ended_at: float
    ended_at: float
    replica_s: float
    gateway_log: tuple[Mapping[str, Any], ...] = ()
    autoscaler_log: tuple[Mapping[str, Any], ...] = ()
