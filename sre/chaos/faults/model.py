"""What a fault is: a plan made before anything is touched, an act, a proof from outside, an undo that can be repeated.

Everything after the plan works from the lease alone, because the process that undoes a fault is often not the one that
caused it: the watchdog, `sre chaos heal`, the next run.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from sre.errors import PlatformError
from sre.platforms.model import Platform
from sre.platforms.processes import ProcessRef

Family = Literal["replica", "engine", "network", "host", "control-plane", "telemetry", "traffic", "capacity"]


class NotProven(PlatformError):  # noqa: N818  (reads as a sentence)
    """The fault was applied, and from outside nothing shows that it took effect."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fault will hit. `replicas` and `components` are what the blast radius counts: replicas by name that are
    taken away or made worse, and `gateway`, `autoscaler`, `recorder`, `prometheus`, `host` or `traffic`. `at_most` is
    how many of the replicas are hit where that is fewer, and nobody can say which.

    `handles` is JSON: all that applying, proving and undoing need to know, e.g. which process or what was there before.
    """

    replicas: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    handles: Mapping[str, Any] = field(default_factory=dict)
    at_most: int | None = None

    @property
    def target(self) -> str:
        """For people: what is hit."""
        some = "" if self.at_most is None else f" (at most {self.at_most} of them)"
        return ", ".join((*self.replicas, *self.components)) + some


@dataclass(frozen=True, slots=True)
class Lease:
    """One fault as it was written down before it was applied. `deadline_at` is Unix time: then it is undone, whoever
    may have forgotten it. `run` is the process that asked for it: gone, the fault is undone as well. `reference` finds
    the platform again (`Platform.reference`).
    """

    fault_id: str
    fault: str
    plan: Plan
    deadline_at: float
    run: ProcessRef | None = None
    run_id: str = ""
    begin: float = 0.0
    reference: Mapping[str, Any] = field(default_factory=dict)


class Fault(ABC):
    """One kind of fault. An instance (a frozen dataclass) holds its parameters, checked when it is made: units are in
    their names, and a wrong value raises SreError with the mend. Only `plan` needs the instance.
    """

    name: ClassVar[str]
    family: ClassVar[Family]
    summary: ClassVar[str]
    """One line for the fault table: what happens."""
    protects: ClassVar[str]
    """One line for the fault matrix: what should protect the service."""
    platforms: ClassVar[tuple[str, ...]] = ("local",)
    needs: ClassVar[tuple[str, ...]] = ()
    """What it cannot do without, e.g. `root`, `autoscaler`."""

    @abstractmethod
    def plan(self, platform: Platform) -> Plan:
        """Choose the targets, look at what is there, touch nothing. Raises PlatformError when it cannot be done."""

    @staticmethod
    @abstractmethod
    def apply(platform: Platform, lease: Lease) -> None:
        """Do it. What is half done when this raises is undone by `undo`. Raises PlatformError."""

    @staticmethod
    @abstractmethod
    def prove(platform: Platform, lease: Lease) -> str:
        """Look from outside, for a few seconds, until it is seen to work; say what was seen. Raises NotProven."""

    @staticmethod
    @abstractmethod
    def undo(platform: Platform, lease: Lease) -> None:
        """Take it away, also when it was never applied, was applied by half, or was undone before; in a few seconds,
        without waiting for the service to recover. Raises PlatformError when it is not gone; then it is tried again.
        """

    @staticmethod
    def recovered(platform: Platform, lease: Lease, *, timeout_s: float) -> float:
        """Wait until what was hit is well again; since when it is, Unix time. Raises PlatformError on timeout.

        By default: every replica of the plan answers a real inference.
        """
        return max((platform.wait_ready(name, timeout_s=timeout_s) for name in lease.plan.replicas), default=0.0)
