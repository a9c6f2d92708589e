"""Where an act of a rehearsal stands: the virtual platform, the virtual recorder, and how long real tools take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

from sre.errors import PlatformError
from sre.platforms.model import Replica, ReplicaState

if TYPE_CHECKING:
    from sre.gameday.rehearsal.samples import VirtualRecorder
    from sre.platforms.local.rehearse import Inference, ReplicaView, VirtualPlatform

POLL_S = 0.1
PROMPT = "are you still there"
ASK_TIMEOUT_S = 2.0


class WouldFail(PlatformError):  # noqa: N818  (reads as a sentence)
    """An act of a rehearsal went as a real one that fails: refused, not proven, not well in time."""


@dataclass(frozen=True, slots=True)
class Page:
    """One scrape: `target` is `gateway`, `autoscaler` or a replica's name; `text` None when it did not answer."""

    at: float
    target: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Paces:
    """Seconds that tools on the real machine take, none of them the platform's own doing.

    `chaos_start_s`: from the start of `chaos run` to its first probe. `helper_start_s`: a helper process of a fault
    (proxy, storm). `command_s`: one `sre ...` command of a runbook. `act_s`: an action without a wait of its own.
    """

    chaos_start_s: float = 2.7
    helper_start_s: float = 1.0
    command_s: float = 1.0
    act_s: float = 0.05


@dataclass(frozen=True, slots=True)
class Scene:
    """What acts act on."""

    platform: VirtualPlatform
    recorder: VirtualRecorder
    paces: Paces = Paces()

    def now(self) -> float:
        return self.platform.now()

    def replicas(self) -> tuple[Replica, ...]:
        """As `sre.platforms.model` has them, so that targets are chosen by the code that chooses real ones."""
        return tuple(_replica(view) for view in self.platform.replicas())

    def seen(self, name: str) -> Replica | None:
        return next((replica for replica in self.replicas() if replica.name == name), None)

    def inflight(self) -> dict[str, float]:
        return {view.name: float(view.inflight) for view in self.platform.replicas()}

    async def infer(
        self,
        name: str,
        prompt: str = PROMPT,
        *,
        max_tokens: int = 1,
        deadline_at: float | None = None,
        timeout_s: float = ASK_TIMEOUT_S,
    ) -> Inference:
        """One inference straight at a replica; one that is not done in time has an error and took `timeout_s`."""
        return await self.platform.infer(
            name, prompt, max_tokens=max_tokens, deadline_at=deadline_at, timeout_s=timeout_s
        )

    async def until(self, seen: Callable[[], bool], *, within_s: float, poll_s: float = POLL_S) -> bool:
        """Whether it is seen within so many seconds of virtual time."""
        deadline = self.now() + within_s
        while not seen():
            if self.now() > deadline:
                return False
            await self.platform.sleep(poll_s)
        return True


def _replica(view: ReplicaView) -> Replica:
    return Replica(
        name=view.name,
        state=_state(view.state),
        pid=None,
        created=None,
        restarts=view.restarts,
        metrics_url="",
        ready_at=view.ready_at,
        serving=view.serving,
        rotation=view.rotation,
    )


def _state(said: str) -> ReplicaState:
    """Any other word is of a replica that does not serve."""
    return next((known for known in get_args(ReplicaState) if known == said), "stopped")
