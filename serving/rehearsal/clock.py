"""An event loop whose time is virtual: instead of waiting for the next timer it goes there at once.

Everything awaits as it does live, in the same order; only nobody waits. Nothing outside the process is listened to, so
a loop in which nobody is ready and no timer runs would stand still for ever: that is an error.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from serving.errors import ServingError

_Result = TypeVar("_Result")


_MOST_TURNS = 100_000  # of the loop at one moment: the busiest rehearsal needs some hundreds


class Standstill(ServingError):  # noqa: N818
    """Somebody goes on and on without letting time pass."""


class Deadlock(ServingError):  # noqa: N818  (reads as a sentence)
    """Everybody waits for somebody, and no time that passes will change that."""


class _NoFiles(selectors.BaseSelector):
    """Knows files by name, never looks at them: `elapse` gets the seconds that would have been waited."""

    def __init__(self, elapse: Callable[[float | None], None]) -> None:
        self._elapse = elapse
        self._keys: dict[int, selectors.SelectorKey] = {}

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        fd = fileobj if isinstance(fileobj, int) else int(fileobj.fileno())
        self._keys[fd] = selectors.SelectorKey(fileobj, fd, events, data)
        return self._keys[fd]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj if isinstance(fileobj, int) else int(fileobj.fileno()))

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._elapse(timeout)
        return []

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time` begins at 0 and is seconds of virtual time, which passes only when nobody is ready.

    A timer fires at its time and not a clock's resolution before it, as live loops have it: who then waits for the rest
    would wait for ever, since no time passes by itself here.
    """

    _clock_resolution: float

    def __init__(self) -> None:
        self._now_s = 0.0
        self._turns = 0
        super().__init__(_NoFiles(self._elapse))
        self._clock_resolution = math.ulp(self._now_s)

    def time(self) -> float:
        return self._now_s

    def _elapse(self, seconds: float | None) -> None:
        """Let the time pass until the next timer: 0 when somebody is ready, None when there is no timer."""
        if seconds is None:
            raise Deadlock("rehearsal: nobody is ready and no timer runs: something waits for what nobody will do")
        if seconds > 0:
            self._turns = 0
            self._now_s = max(self._now_s + seconds, math.nextafter(self._now_s, math.inf))
            self._clock_resolution = math.ulp(self._now_s)
            return
        self._turns += 1
        if self._turns > _MOST_TURNS:
            raise Standstill(f"rehearsal: time stands still at {self._now_s:.6f} s: something goes on without waiting")


def run_virtually(main: Coroutine[Any, Any, _Result]) -> _Result:
    """Run `main` to its end in a loop of its own, as `asyncio.run` does. Raises Deadlock, what `main` raises, and what
    a callback or a task nobody waited for has raised: live it would be a line in a log.
    """
    unheard: list[BaseException] = []

    def hear(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        unheard.append(context.get("exception") or RuntimeError(context["message"]))

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.get_loop().set_exception_handler(hear)
        result = runner.run(main)
    if unheard:
        raise unheard[0]
    return result


class VirtualClock:
    """The clocks of everything in the loop: `monotonic` is the loop's own, `unix` begins at `epoch`."""

    __slots__ = ("epoch", "monotonic")

    def __init__(self, loop: asyncio.AbstractEventLoop, epoch: float) -> None:
        self.epoch = epoch
        self.monotonic = loop.time

    def unix(self) -> float:
        return self.epoch + self.monotonic()
