"""The threads between an engine and Triton, the same whatever engine runs in the model.

Every call into Triton is a round trip to the server process, so none is made on the engine's thread: one thread sends,
another looks for cancelled streams and publishes metrics. Only for use inside Triton's Python stub.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import triton_python_backend_utils as pb_utils

from serving.engine.triton_io import Stream

_WATCH_INTERVAL_S = 0.05  # each look is a round trip a stream; a cancelled one must stop within 0.1 s
_PUBLISH_INTERVAL_S = 0.25
_JOIN_TIMEOUT_S = 2
_LAST_CALL_S = 0.03  # for those under way

AnyStream = TypeVar("AnyStream", bound=Stream)
AnyEvent = TypeVar("AnyEvent")


class Serving(Generic[AnyStream, AnyEvent]):
    """Carries events to their streams, and cancellations to the engine.

    `deliver` sends one event of a stream, `cancel` stops a request of the engine, `publish` brings the metrics to
    Triton; `look` is called at each round of the watcher besides.
    """

    def __init__(
        self,
        *,
        deliver: Callable[[AnyStream, AnyEvent], None],
        cancel: Callable[[str], None],
        publish: Callable[[], None],
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._deliver = deliver
        self._cancel = cancel
        self._publish = publish
        self._look = look
        self._outbox: queue.SimpleQueue[tuple[AnyStream, AnyEvent] | None] = queue.SimpleQueue()
        self._streams: set[AnyStream] = set()
        self._stopping = threading.Event()
        self._fallen_silent = False
        self._threads = [
            threading.Thread(target=self._send_all, name="send", daemon=True),
            threading.Thread(target=self._watch, name="watch", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Send what is left, then end the threads. Stop the engine first."""
        self._outbox.put(None)
        self._stopping.set()
        for thread in self._threads:
            thread.join(_JOIN_TIMEOUT_S)

    def fall_silent(self) -> None:
        """Make no further call into Triton. Whoever dies in the midst of one takes the server along: the lock that both
        share stays locked, and the server aborts.
        """
        self._fallen_silent = True
        time.sleep(_LAST_CALL_S)

    def add(self, stream: AnyStream) -> None:
        """Look whether its client cancels it, from now on."""
        self._streams.add(stream)

    def receiver(self, stream: AnyStream) -> Callable[[AnyEvent], None]:
        """What the engine calls with the stream's events, on its own thread."""
        return lambda event: self._outbox.put((stream, event))

    @property
    def is_flushed(self) -> bool:
        """Whether every event is out and every stream over."""
        return self._outbox.empty() and all(stream.is_over for stream in self._streams)

    def _send_all(self) -> None:
        while (item := self._outbox.get()) is not None:
            if self._fallen_silent:
                return
            stream, event = item
            try:
                self._deliver(stream, event)
            except Exception as error:  # noqa: BLE001  one broken stream must not silence the others
                pb_utils.Logger.log_error(f"stream {stream.request_id}: {type(error).__name__}: {error}")
                stream.is_over = True
                self._cancel(stream.request_id)

    def _watch(self) -> None:
        rounds_between = round(_PUBLISH_INTERVAL_S / _WATCH_INTERVAL_S)
        rounds = 0
        while not self._stopping.wait(_WATCH_INTERVAL_S) and not self._fallen_silent:
            rounds += 1
            try:
                self._look()
                self._look_for_cancelled()
                if rounds % rounds_between == 0:
                    self._publish()
            except Exception as error:  # noqa: BLE001  a failed look must not be the last one
                pb_utils.Logger.log_error(f"watch: {type(error).__name__}: {error}")

    def _look_for_cancelled(self) -> None:
        for stream in list(self._streams):
            if self._fallen_silent:
                return
            if stream.is_over:
                self._streams.discard(stream)
            elif stream.is_cancelled():
                self._cancel(stream.request_id)
