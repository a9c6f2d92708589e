"""One life of a replica: Triton's process, the model process behind it, and the calls that are open on them.

Both start in the phases that the local platform shows. Ports open when the model is loaded; a stopped server takes what
comes in and answers nothing; a killed one takes every call with it at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from serving.engine.cold_start import INJECTED_PHASE
from serving.engine.events import Ended, Event, Token
from serving.engine.faults import Faults, why_no_load
from serving.errors import BadInput
from serving.gateway.errors import ReplicaFailed
from serving.gateway.model import Finish, Piece
from serving.gateway.wire import failure_of
from serving.profiles import Profile
from serving.rehearsal.clock import VirtualClock
from serving.rehearsal.model import Condition, Starts
from serving.rehearsal.stub import Stub

UNHEALTHY_AFTER_S = 1.0  # what Triton waits for a model process before it calls it unhealthy
DRAIN_LIMIT_S = 4.0  # what a replica may take over SIGTERM with work in hand
_KILLED, _ABORTED = -9, -6
_LOOK_S = 0.1
_INSTANCE = "llm_0_0"

Item = Piece | Exception


class Call(Protocol):
    """The gateway's end of one inference."""

    def give(self, item: Item) -> None:
        """A response is on its way back; an exception is the last."""

    def lose(self, failure: ReplicaFailed) -> None:
        """The connection is gone."""


@dataclass(frozen=True, slots=True)
class Make:
    """What all lives of one replica have in common. `faults` is the control file's content at that moment."""

    name: str
    profile: Profile
    time_scale: float
    cold_start_scale: float
    starts: Starts
    faults: Callable[[], Faults]


class Server:
    """A process as its keeper has it (`serving.fleet.process.Process`), and a server as the gateway has it."""

    def __init__(self, make: Make, pid: int, clock: VirtualClock) -> None:
        self._loop = asyncio.get_running_loop()
        self._make = make
        self._clock = clock
        self.name = make.name
        self.pid = pid
        self.created: float | None = clock.unix()
        self.returncode: int | None = None
        self.stub_at: float | None = None
        self.listening_since: float | None = None
        self.stub: Stub | None = None
        self.cold_start_s: dict[str, float] = {}
        self.succeeded = self.failed = self.cancelled = 0
        self._stopped = False
        self._called_while_hung = False
        self._calls: dict[Call, str] = {}
        self._held: list[Callable[[], None]] = []
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._life = asyncio.create_task(self._start(), name=f"{make.name} starts")

    # what its keeper asks of it

    async def wait(self) -> int:
        return await asyncio.shield(self._ended)

    async def stop(self, *, grace_s: float) -> None:
        """SIGTERM, then SIGKILL after `grace_s`: a stopped process does not hear the first."""
        if self.returncode is None and not self._stopped:
            self.listening_since = None
            took_s = self._make.starts.stop_s if not self._calls else DRAIN_LIMIT_S
            await asyncio.wait([self._ended], timeout=min(grace_s, took_s))
            self._end(int(bool(self._calls)))
        elif self.returncode is None:
            await asyncio.wait([self._ended], timeout=grace_s)
        self.kill_session()

    def kill_session(self) -> None:
        self._end(_KILLED)

    # signals

    def condition(self) -> Condition:
        if self.returncode is not None:
            return "gone"
        return "stopped" if self._stopped else "running"

    def freeze(self) -> None:
        self._stopped = self.returncode is None

    def thaw(self) -> None:
        """What came in meanwhile is looked at now."""
        self._stopped = False
        held, self._held = self._held, []
        for act in held:
            act()

    def thaw_stub(self) -> None:
        """A server that was asked while its model process hung aborts on their common lock when that wakes."""
        if self.stub is not None and self.stub.condition == "stopped":
            if self._called_while_hung:
                self._end(_ABORTED)
            else:
                self.stub.go_on()

    # what clients ask of it

    @property
    def answers(self) -> bool:
        """Whether its ports are open and somebody is behind them."""
        return self.listening_since is not None and not self._stopped

    def call(self, call: Call, prompt: str, sampling: str) -> None:
        """An inference comes in."""
        if self.returncode is not None:
            call.lose(ReplicaFailed("connect", "Socket closed"))
        elif self._stopped:
            self._held.append(partial(self.call, call, prompt, sampling))
        else:
            self._calls[call] = ""
            self._infer(call, prompt, sampling)

    def hang_up(self, call: Call) -> None:
        """Its client cancels it."""
        if self._stopped:
            self._held.append(partial(self.hang_up, call))
        elif (request_id := self._calls.pop(call, None)) is not None:
            self.cancelled += 1
            if request_id and self.stub is not None:
                self.stub.cancel(request_id)

    def _infer(self, call: Call, prompt: str, sampling: str) -> None:
        stub = self.stub
        if stub is None or stub.condition != "running":
            self._called_while_hung = True
            self._loop.call_later(UNHEALTHY_AFTER_S, self._refuse, call)
            return
        try:
            request_id = stub.submit(prompt, sampling, _Receiver(self, call, len(prompt.split())))
            if call in self._calls:  # a complete answer is over at once
                self._calls[call] = request_id
        except BadInput as error:
            self.send(call, failure_of(f"INVALID_ARG: {error}"))

    def _refuse(self, call: Call) -> None:
        self.send(call, failure_of(f"Stub process '{_INSTANCE}' is not healthy."))

    def send(self, call: Call, item: Item) -> None:
        """A response leaves, as soon as the server runs."""
        if self._stopped:
            self._held.append(partial(self.send, call, item))
        elif call in self._calls:
            if isinstance(item, Exception) or item.finish is not None:
                del self._calls[call]
                self.failed += isinstance(item, Exception)
                self.succeeded += not isinstance(item, Exception)
            call.give(item)

    # its life

    async def _start(self) -> None:
        make, starts = self._make, self._make.starts
        await asyncio.sleep(starts.server_start_s)
        self.stub_at = self._clock.unix()
        await asyncio.sleep(starts.model_load_s)
        for phase, seconds in make.profile.cold_start_s.items():
            self.cold_start_s[phase] = seconds * make.cold_start_scale
            await asyncio.sleep(self.cold_start_s[phase])
        await self._wait_longer()
        if why_no_load(make.faults()) is not None:
            self._end(1)
            return
        self.stub = Stub(
            make.profile, time_scale=make.time_scale, clock=self._clock, faults=make.faults(), looked=make.faults
        )
        self.listening_since = self._loop.time()

    async def _wait_longer(self) -> None:
        """As long as a fault says, which is asked anew at each look."""
        begun = self._loop.time()
        while (left_s := self._make.faults().cold_start_extra_s - (self._loop.time() - begun)) > 0:
            await asyncio.sleep(min(left_s, _LOOK_S))
        if (took_s := self._loop.time() - begun) > _LOOK_S:
            self.cold_start_s[INJECTED_PHASE] = took_s

    def _end(self, returncode: int) -> None:
        if self.returncode is not None:
            return
        self.returncode = returncode
        self.listening_since = None
        self._life.cancel()
        self._held.clear()
        if self.stub is not None:
            self.stub.kill()
        calls, self._calls = self._calls, {}
        for call in calls:
            call.lose(ReplicaFailed("connect", "Socket closed"))
        self._ended.set_result(returncode)


class _Receiver:
    """Turns the engine's events of one request into what Triton would send."""

    __slots__ = ("_call", "_input_tokens", "_server")

    def __init__(self, server: Server, call: Call, input_tokens: int) -> None:
        self._server = server
        self._call = call
        self._input_tokens = input_tokens

    def __call__(self, event: Event) -> None:
        self._server.send(self._call, self._item(event))

    def _item(self, event: Event) -> Item:
        match event:
            case Token(text, _, None):
                return Piece(text, None)
            case Token(text, output_tokens, reason):
                return Piece(text, Finish(str(reason), self._input_tokens, output_tokens), (), int(bool(text)))
            case Ended(None):
                return ReplicaFailed("error", "the stream ended without a finish reason")
            case Ended(error):
                return failure_of(str(error))
