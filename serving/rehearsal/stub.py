"""The model process of a replica: the emulated engine, each of whose steps is a timer of the virtual loop.

What is around the engine live (the thread that looks for cancelled streams, for faults to have) is here the moment of
its next look. Beside a stopped or dead engine Triton stays green, and fails what is sent to it after a second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from serving.engine.emulated import EmulatedEngine
from serving.engine.events import Event
from serving.engine.faults import Faults
from serving.engine.metrics import EngineMetrics
from serving.engine.sampling import parse_sampling
from serving.errors import BadInput, ServingError
from serving.profiles import Profile
from serving.rehearsal.clock import VirtualClock
from serving.rehearsal.model import Condition

LOOK_S = 0.05


class _Exited(ServingError):  # noqa: N818  (reads as a sentence)
    """A fault ended the process in the midst of a step."""


class Stub:
    """One engine. `looked` tells the faults of the control file, each time it is looked at.

    `xid` is what the replica's page says, also when the engine did not live to tell.
    """

    def __init__(
        self, profile: Profile, *, time_scale: float, clock: VirtualClock, faults: Faults, looked: Callable[[], Faults]
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._engine = EmulatedEngine(
            profile,
            time_scale=time_scale,
            clock=clock.monotonic,
            wall_clock=clock.unix,
            crash=self._exit,
            past_xid=faults.xid,
        )
        self._began_at = self._loop.time()
        self._looked = looked
        self._faults = faults
        self._timer: asyncio.Handle | None = None
        self._steps = False
        self._is_due = False
        self.xid = faults.xid or 0
        self.condition: Condition = "running"
        self.last_metrics: EngineMetrics | None = None
        self._engine.set_faults(faults)
        self._wake()

    def submit(self, prompt: str, sampling: str, receive: Callable[[Event], None]) -> str:
        """Queue a request as it comes over the wire. Raises BadInput."""
        if not prompt.split():
            raise BadInput("text_input: it holds no word: send at least one")
        request_id = self._engine.submit(prompt, parse_sampling(sampling), receive)
        self._wake()
        return request_id

    def cancel(self, request_id: str) -> None:
        """Its client is gone; found at the next look."""
        self._at_next_look(lambda: self._engine.cancel(request_id))

    def look_for_faults(self) -> None:
        """The control file changed; found at the next look."""
        self._at_next_look(self._take_faults)

    def metrics(self) -> EngineMetrics:
        """Those of a dead engine stay as they were."""
        return self.last_metrics or self._engine.read_metrics()

    def stop(self) -> None:
        """SIGSTOP."""
        if self.condition == "running":
            self.condition = "stopped"

    def go_on(self) -> None:
        """SIGCONT."""
        if self.condition == "stopped":
            self.condition = "running"
            self._take_faults()
            if self._is_due:
                self._is_due = False
                self._turn()

    def kill(self) -> None:
        """The process is gone, without a word to anybody."""
        if self.condition != "gone":
            self.last_metrics = self._engine.read_metrics()
            self.condition = "gone"
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _exit(self, reason: str) -> None:
        raise _Exited(reason)

    def _at_next_look(self, act: Callable[[], None]) -> None:
        late_s = (self._loop.time() - self._began_at) % LOOK_S
        self._loop.call_later(LOOK_S - late_s, self._look, act)

    def _look(self, act: Callable[[], None]) -> None:
        if self.condition == "running":
            act()
            self._wake()

    def _take_faults(self) -> None:
        faults = self._looked()
        if faults != self._faults:
            self._faults = faults
            self.xid = faults.xid or 0
            self._engine.set_faults(faults)

    def _wake(self) -> None:
        """There is something to do; at the end of the step, when one is under way."""
        if not self._steps and self._engine.has_work:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """End the step under way, begin the next."""
        self._timer = None
        if self.condition != "running":
            self._is_due = self.condition == "stopped"
            return
        try:
            if self._steps:
                self._steps = False
                self._engine.finish()
            ends_at = self._engine.begin()
        except _Exited:
            self.kill()
            return
        if ends_at is not None:
            self._steps = True
            self._timer = self._loop.call_at(ends_at, self._turn)
        elif (limit_s := self._engine.idle_limit_s()) is not None:
            self._timer = self._loop.call_later(limit_s, self._turn)
