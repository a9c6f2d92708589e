"""What the local platform says of itself while it runs (`state.json`, see docs/contracts.md), and where its files lie.

All of it is mutable and has one owner, the supervisor.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from serving.fleet.spec import PlatformSpec as PlatformSpec
from serving.fleet.spec import Sidecar as Sidecar

ProcessState = Literal["starting", "ready", "backoff", "stopped", "draining", "drained"]
Phase = Literal["starting", "ready", "stopping", "stopped", "failed"]
SCALE_IN_GRACE_S = 30.0
DRAIN_MARGIN_S = 2.0  # what the gateway may take, after a grace, to move the rest elsewhere
SERVING_ROTATIONS = frozenset({"up", "half_open"})


@dataclass(slots=True)
class ProcessInfo:
    """One owned process. `created` is its creation time, so that a recycled pid is never taken for it."""

    name: str
    state: ProcessState = "starting"
    pid: int | None = None
    created: float | None = None


@dataclass(slots=True)
class Route:
    """Another way to a replica or to a metrics page, gone instead of its own address: through a fault proxy, say.

    It ends by itself at `until` (Unix time); before, only its `owner` takes it back.
    """

    owner: str
    until: float
    grpc_address: str | None = None
    metrics_url: str | None = None


@dataclass(slots=True)
class EndpointInfo(ProcessInfo):
    """`route` leads observers to another metrics page than the endpoint's own."""

    url: str = ""
    restarts: int = 0
    route: Route | None = None


@dataclass(slots=True)
class AutoscalerInfo(EndpointInfo):
    """The autoscaler's process; `policy` is the file it follows."""

    policy: str = ""


@dataclass(slots=True)
class ReplicaInfo(ProcessInfo):
    """One replica. `state` is the process's; `rotation` is what the gateway says of it (None: it has not said)."""

    http_url: str = ""
    grpc_address: str = ""
    metrics_url: str = ""
    restarts: int = 0
    ready_at: float | None = None
    rotation: str | None = None
    serving: bool = False
    route: Route | None = None

    @property
    def reached_at(self) -> str:
        """The gRPC address at which the gateway is to reach it."""
        return self.grpc_address if self.route is None else self.route.grpc_address or self.grpc_address

    def routed(self, rotation: str | None) -> bool:
        """Note where the gateway has it; True when that is news."""
        before = (self.rotation, self.serving)
        self.rotation, self.serving = rotation, rotation in SERVING_ROTATIONS
        return before != (self.rotation, self.serving)


@dataclass(slots=True)
class PlatformState:
    """The content of `state.json`. `replicas` are in the order they joined: the last is the youngest."""

    platform_id: str
    started_at: float
    supervisor: ProcessInfo
    gateway: EndpointInfo
    spec: PlatformSpec
    replicas: list[ReplicaInfo] = field(default_factory=list)
    desired_replicas: int = 0
    prometheus: EndpointInfo | None = None
    recorder: ProcessInfo | None = None
    autoscaler: AutoscalerInfo | None = None
    phase: Phase = "starting"
    error: str | None = None
    schema: int = 1

    def routable(self) -> list[EndpointInfo | ReplicaInfo]:
        """What can have a route."""
        return [self.gateway, *self.replicas]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1)


@dataclass(frozen=True, slots=True)
class StateFiles:
    """Where things lie below a state directory."""

    root: Path

    @property
    def spec(self) -> Path:
        return self.root / "spec.json"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def events(self) -> Path:
        return self.root / "events.jsonl"

    @property
    def control(self) -> Path:
        return self.root / "control.json"

    @property
    def gateway(self) -> Path:
        return self.root / "gateway.json"

    @property
    def recorder(self) -> Path:
        return self.root / "recorder.json"

    @property
    def prometheus(self) -> Path:
        return self.root / "prometheus"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def samples(self) -> Path:
        return self.root / "samples"
