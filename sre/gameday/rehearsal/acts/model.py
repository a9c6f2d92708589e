"""What a rehearsed fault is: the life of `sre.chaos.faults.model.Fault` as coroutines.

An act does what the real fault does to the platform, and waits as long as the real one would: how long a proof takes
decides when the next step of the method begins.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

from sre.chaos.faults.model import Fault, Lease, Plan
from sre.gameday.rehearsal.stage import POLL_S, Scene, WouldFail
from sre.platforms.model import Replica
from sre.platforms.selection import choose
from sre.reports.rehearsal.model import Fidelity


class Act(ABC):
    """One injection. `fault` holds the parameters, checked by the fault's own class."""

    fidelity: ClassVar[Fidelity] = "exact"
    note: ClassVar[str] = ""

    def __init__(self, scene: Scene, fault: Fault) -> None:
        self.scene = scene
        self.platform = scene.platform
        self.fault = fault

    @abstractmethod
    def plan(self) -> Plan:
        """Choose targets. Raises PlatformError when it cannot be done."""

    @abstractmethod
    async def apply(self, lease: Lease) -> None: ...

    @abstractmethod
    async def prove(self, lease: Lease) -> str:
        """What is seen of it, when it would be seen. Raises WouldFail when it would not be proven."""

    async def undo(self, lease: Lease) -> None:
        """Take it away; nothing by default, as after a kill."""
        del lease

    async def recovered(self, lease: Lease, *, timeout_s: float) -> float:
        """Since when what was hit is well again, Unix time. Raises WouldFail on timeout."""
        return await serving_again(self.scene, lease.plan.replicas, timeout_s=timeout_s)

    def param(self, name: str) -> Any:
        return getattr(self.fault, name)

    def chosen(self) -> Replica:
        """The replica meant, by the selection of the real platform."""
        selector = str(self.param("replica"))
        return choose(selector, self.scene.replicas(), inflight=self.scene.inflight(), seed=int(self.param("seed")))


async def why_silent(scene: Scene, name: str) -> str | None:
    """Why a small inference straight at the replica fails; None when it does not."""
    error = (await scene.infer(name)).error
    return None if error is None else " ".join(error.split())


def revive(scene: Scene, name: str) -> None:
    """Kill a server that stands green over a dead engine: it would never mend itself."""
    replica = scene.seen(name)
    if replica is None or replica.state != "ready":
        return
    if scene.platform.condition(name, "stub") == "gone":
        scene.platform.crash(name)


async def serving_again(scene: Scene, names: Iterable[str], *, timeout_s: float) -> float:
    """Wait until each answers an inference and the gateway routes to it; since when, Unix time. Raises WouldFail."""
    deadline = scene.now() + timeout_s
    since = 0.0
    for name in names:
        since = max(since, await _serving_again(scene, name, deadline))
    return since


async def _serving_again(scene: Scene, name: str, deadline: float) -> float:
    waited = False
    while (why := await _why_not_serving(scene, name)) is not None:
        if scene.now() > deadline:
            raise WouldFail(f"replica {name} is up but does not serve in time ({why})")
        await scene.platform.sleep(POLL_S)
        waited = True
    replica = scene.seen(name)
    if replica is None or replica.state == "drained":
        return 0.0
    return scene.now() if waited else replica.ready_at or 0.0


async def _why_not_serving(scene: Scene, name: str) -> str | None:
    replica = scene.seen(name)
    if replica is None or replica.state == "drained":
        return None
    if replica.state != "ready":
        return f"it is {replica.state}"
    if replica.serving is False:
        return f"the gateway holds it out: {replica.rotation}"
    return await why_silent(scene, name)
