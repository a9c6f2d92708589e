"""What chaos, SLOs and reports may ask of a platform, whichever driver serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from sre.errors import PlatformError

Part = Literal["server", "stub", "gateway", "autoscaler", "recorder", "prometheus"]
"""What a signal can be sent to. `server` and `stub` (the model's own process) are a replica's, the rest stand alone."""
Signal = Literal["kill", "stop", "continue"]
Condition = Literal["running", "stopped", "gone"]
Handle = Mapping[str, Any]
"""How a driver names one process: JSON values only, because it is written to the ledger and used by other processes."""

ReplicaState = Literal["starting", "ready", "backoff", "stopped", "draining", "drained"]


@dataclass(frozen=True, slots=True)
class Replica:
    """One serving replica as the platform sees it now. `pid` is None where the driver has no process (Kubernetes).

    `state` is its process's. `serving` says whether the gateway gives it work, `rotation` in which condition (up,
    half_open, ejected, draining, down); None where that is not known. `grpc_address` is its own; `routed_by` is the
    owner of the route that leads the gateway or observers another way to it.
    """

    name: str
    state: ReplicaState
    pid: int | None
    created: float | None
    restarts: int
    metrics_url: str
    ready_at: float | None = None
    serving: bool | None = None
    rotation: str | None = None
    grpc_address: str = ""
    routed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Inference:
    """What a replica made of one prompt: its text, seconds from request to end, and its error if it ended in one."""

    text: str
    seconds: float
    error: str | None = None


class Unsupported(PlatformError):  # noqa: N818  (reads as a sentence)
    """The driver has no such thing; the message says which has."""


class NoProcess(PlatformError):  # noqa: N818  (reads as a sentence)
    """Nothing runs this part now. Any other error of `process` means that nobody could look."""


@dataclass(frozen=True, slots=True)
class MetricSample:
    """One line of a /metrics page."""

    labels: Mapping[str, str]
    value: float


class Platform(Protocol):
    """The two drivers, local processes and Kubernetes, implement this.

    What breaks things (`signal`, `set_engine_faults` ...) is called by faults only, which write to the ledger before.
    """

    @property
    def driver(self) -> str:
        """`local` or `kubernetes`."""
        ...

    @property
    def reference(self) -> Mapping[str, Any]:
        """JSON from which `select_platform` makes the same platform in another process; holds no secret."""
        ...

    @property
    def state_dir(self) -> Path:
        """Where the ledger and the samples of this platform lie."""
        ...

    @property
    def gateway_url(self) -> str: ...

    def replicas(self) -> tuple[Replica, ...]:
        """Current replicas. Raises PlatformError when the platform is not up."""
        ...

    def desired_replicas(self) -> int:
        """How many there are to be: those that leave are not among them. Raises PlatformError."""
        ...

    def inflight(self) -> Mapping[str, float]:
        """Requests in flight on each replica now, by the gateway's count. Raises PlatformError when it does not say."""
        ...

    def process(self, part: Part, replica: str | None = None) -> Handle:
        """The process that runs this part now. Raises NoProcess without one, Unsupported for no such part."""
        ...

    def signal(self, handle: Handle, signal: Signal) -> bool:
        """Send it to exactly the process of the handle; False when that one is gone (its successor is not touched)."""
        ...

    def condition(self, handle: Handle) -> Condition:
        """What the process table says of it; a zombie is `gone`."""
        ...

    def file_limit(self, handle: Handle) -> int | None:
        """Bytes to which the process may grow a file; None: no limit. Raises PlatformError when it is gone."""
        ...

    def set_file_limit(self, handle: Handle, limit: int | None) -> bool:
        """Let it grow files to so many bytes and no further (the kernel's soft limit); None: as far as it may.

        False when the process is gone. What it has open is not closed: its next write fails.
        """
        ...

    def engine_faults(self, replica: str) -> Mapping[str, Any]:
        """The faults its engine has been told to have (docs/contracts.md, "Engine faults"); empty for none."""
        ...

    def set_engine_faults(self, replica: str, faults: Mapping[str, Any]) -> None:
        """Tell its engine to have these and no others; empty ends them. They outlive the engine's process."""
        ...

    def infer(
        self,
        replica: str,
        prompt: str,
        *,
        max_tokens: int = 1,
        deadline_at: float | None = None,
        timeout_s: float = 5.0,
    ) -> Inference:
        """One inference straight at the replica, past the gateway and ahead of users' work.

        `deadline_at` (Unix time) is what its engine is told: dropped unserved after it, by the replica's own clock.

        Raises PlatformError when it is not done in time; the work is given up then.
        """
        ...

    def metric(self, where: str, name: str) -> tuple[MetricSample, ...]:
        """The samples of that name on a /metrics page now; `where` is `gateway`, `autoscaler`, `prometheus` or
        a replica's name; read at its own address, past every route.

        Empty when the page has none. Raises PlatformError when the page does not answer.
        """
        ...

    def wait_ready(self, name: str, *, timeout_s: float) -> float:
        """Block until the replica answers a real inference; returns since when it does, Unix time.

        Raises PlatformError on timeout, and at once when nothing is left that could restart it.
        """
        ...

    def scale(self, replicas: int, *, reason: str = "") -> None:
        """Ask for that many replicas; returns at once. Raises PlatformError when it is refused."""
        ...

    def route(
        self,
        where: str,
        *,
        owner: str,
        until: float,
        grpc_address: str | None = None,
        metrics_url: str | None = None,
    ) -> None:
        """Until `until` (Unix time) at the latest, have the gateway reach a replica at another gRPC address, and
        observers its page at another URL; of `gateway` only the page. Both on this machine. Running streams stay.

        Raises PlatformError when another owner's route is there, Unsupported where there are no routes.
        """
        ...

    def unroute(self, where: str, *, owner: str) -> bool:
        """Take back the route of this owner; False when there is none of it any more."""
        ...

    def drain(self, name: str, *, grace_s: float = 30.0, restart: bool = False, force: bool = False) -> None:
        """Begin to take a replica out of service; its process ends when it is empty, at the latest after the grace.

        Returns at once. Raises PlatformError when it is refused: the last one that serves needs `force`.
        """
        ...

    def undrain(self, name: str) -> None:
        """Begin to bring a draining or drained replica back; returns at once."""
        ...


@dataclass(frozen=True, slots=True)
class DownReport:
    """What `down` did. `orphans` outlived the orderly stop and were killed; `notes` say what was unusual."""

    was_up: bool
    orphans: tuple[str, ...]
    segments: tuple[str, ...]
    notes: tuple[str, ...]
