"""What chaos, SLOs and reports may ask of a platform, whichever driver serves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

ReplicaState = Literal["starting", "ready", "backoff", "stopped", "draining", "drained"]


@dataclass(frozen=True, slots=True)
class Replica:
    """One serving replica as the platform sees it now. `pid` is None where the driver has no process (Kubernetes).

    `state` is its process's. `serving` says whether the gateway gives it work, `rotation` in which condition (up,
    half_open, ejected, draining, down); None where that is not known.
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


@dataclass(frozen=True, slots=True)
class KillProof:
    """What was seen from outside after a kill: the process that was there and how it was found gone."""

    replica: str
    pid: int
    killed_at: float
    gone_at: float
    how: str


class Platform(Protocol):
    """The two drivers, local processes and Kubernetes, implement this."""

    @property
    def state_dir(self) -> Path:
        """Where the ledger and the samples of this platform lie."""
        ...

    @property
    def gateway_url(self) -> str: ...

    def replicas(self) -> tuple[Replica, ...]:
        """Current replicas. Raises PlatformError when the platform is not up."""
        ...

    def inflight(self) -> Mapping[str, float]:
        """Requests in flight on each replica now, by the gateway's count. Raises PlatformError when it does not say."""
        ...

    def kill_replica(self, name: str) -> KillProof:
        """kill -9 the replica's server process; returns when it is seen gone. PlatformError if that is not proven."""
        ...

    def wait_ready(self, name: str, *, timeout_s: float) -> float:
        """Block until the replica answers a real inference; returns since when it does, Unix time.

        Raises PlatformError on timeout, and at once when nothing is left that could restart it.
        """
        ...

    def scale(self, replicas: int, *, reason: str = "") -> None:
        """Ask for that many replicas; returns at once. Raises PlatformError when it is refused."""
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
