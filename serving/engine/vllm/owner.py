"""The model's end of the child that runs vLLM: starts it, hands it requests, knows when it is dead.

Runs in Triton's stub. Events are handed out from the reading thread: a receiver must return at once. When the engine
dies every open request ends at once with the same error, and `on_death` is told why, once.
"""

from __future__ import annotations

import itertools
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from serving.engine.events import Ended
from serving.engine.metrics import EngineMetrics
from serving.engine.sampling import Sampling
from serving.engine.vllm import protocol
from serving.engine.vllm.bookkeeping import Endings, Progress, honest
from serving.engine.vllm.config import VllmConfig
from serving.engine.vllm.environment import child_environment
from serving.engine.vllm.scratch import Scratch
from serving.errors import EnvironmentLacks, ServingError

WORKER = Path(__file__).resolve().with_name("worker.py")
_STOP_S = 2.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """New text and the ids of its tokens. `finish` is on the last: reason, input tokens, output tokens."""

    text: str
    token_ids: tuple[int, ...]
    finish: tuple[str, int, int] | None


Receiver = Callable[[Tokens | Ended], None]


class EngineFailed(ServingError):  # noqa: N818  (reads as a sentence)
    """vLLM's engine did not start, or died."""

    exit_code = 1


class VllmEngine:
    """One vLLM engine in a child process. Submit from any thread."""

    def __init__(
        self,
        command: Sequence[str],
        config: VllmConfig,
        *,
        on_death: Callable[[str], None],
        server_pid: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`command` is the child's command line without its arguments; `worker_command` gives the real one.

        With `server_pid`, our parent, the child ends this process and itself when that server is gone.
        """
        self._command = tuple(command)
        self._config = config
        self._on_death = on_death
        self._server_pid = server_pid
        self._clock = clock
        self._ids = itertools.count()
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._open: dict[str, Receiver] = {}
        self._counts = EngineMetrics()
        self._endings = Endings()
        self._progress = Progress(clock())
        self._failure: str | None = None
        self._is_stopping = False
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, name="vllm-reader", daemon=True)
        self.kv_tokens = 0
        self.cold_start_s: dict[str, float] = {}

    def start(self, config_path: Path) -> None:
        """Start the child and wait until it answers. Call from a thread that lives as long as the engine: the kernel
        ends the child with the thread that started it. Raises EngineFailed with the reason.
        """
        self._scratch = Scratch.make()
        ours, theirs = socket.socketpair()
        env = child_environment(os.environ, kv_cache_gib=self._config.kv_cache_gib, scratch=self._scratch.path)
        arguments = (str(theirs.fileno()), str(config_path), str(os.getpid()), str(self._server_pid))
        try:
            self._process = subprocess.Popen(
                [*self._command, *arguments], env=env, pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL
            )
        except OSError as error:
            ours.close()
            self._scratch.remove()
            raise EnvironmentLacks(f"vLLM: {self._command[0]} does not run ({error}): run `make setup-vllm`") from error
        finally:
            theirs.close()
        self._socket = ours
        self._reader.start()
        if not self._ready.wait(self._config.start_timeout_s):
            self._die(f"not ready within start_timeout_s {self._config.start_timeout_s:g}")
        if self._failure is not None:
            self._end_child()
            raise EngineFailed(f"vLLM: {self._failure}: look at the replica's log above this line")

    def stop(self) -> None:
        """End the child and every open request."""
        self._is_stopping = True
        self._die("the engine was stopped")
        self._end_child()
        self._reader.join(_STOP_S)

    def submit(self, prompt: str, sampling: Sampling, receive: Receiver) -> str:
        """Hand a request over; `receive` gets its events. Returns the id to cancel it by."""
        request_id = str(next(self._ids))
        with self._lock:
            failure = self._failure
            if failure is None:
                if not self._open:
                    self._progress.moved_at = self._clock()
                self._open[request_id] = receive
        if failure is not None:
            receive(Ended(failure))
        else:
            self._send(protocol.GENERATE, request_id, prompt, asdict(sampling))
        return request_id

    def cancel(self, request_id: str) -> None:
        """Stop a request; unknown and finished ones are ignored."""
        if request_id in self._open:
            self._send(protocol.CANCEL, request_id)

    def read_metrics(self) -> EngineMetrics:
        with self._lock:
            metrics = honest(self._counts, self._endings.counts, open_requests=len(self._open))
        metrics.cold_start_s = dict(self.cold_start_s)
        return metrics

    def stalled_s(self) -> float:
        """Seconds for which work was pending and vLLM made no step; declares it dead at `stall_timeout_s`."""
        with self._lock:
            stalled_s = self._progress.stalled_s(self._clock(), open_requests=len(self._open))
        if 0 < self._config.stall_timeout_s < stalled_s:
            self._die(f"no step for {stalled_s:.0f} s with requests open (stall_timeout_s)")
        return stalled_s

    def _send(self, *message: Any) -> None:
        try:
            with self._sending:
                self._socket.sendall(protocol.encode(*message))
        except OSError as error:
            self._die(f"the child does not listen ({error})")

    def _read(self) -> None:
        reason = "the child process ended"
        try:
            with self._socket.makefile("rb") as lines:
                for line in lines:
                    self._take(protocol.decode(line))
        except (OSError, ValueError, TypeError, KeyError) as error:
            reason = f"the child cannot be understood ({type(error).__name__}: {error})"
        self._die(reason)

    def _take(self, message: list[Any]) -> None:
        match message:
            case [protocol.TOKENS, str() as request_id, text, ids, finish]:
                self._take_tokens(request_id, Tokens(text, tuple(ids), tuple(finish) if finish else None))
            case [protocol.ENDED, str() as request_id, error]:
                self._take_end(request_id, Ended(error))
            case [protocol.COUNTS, dict() as data]:
                counts, steps = protocol.unpack_counts(data)
                with self._lock:
                    self._counts = counts
                    self._progress.note_steps(steps, self._clock())
            case [protocol.READY, {"cold_start_s": dict() as phases, "kv_tokens": int() as tokens}]:
                self.cold_start_s, self.kv_tokens = phases, tokens
                self._ready.set()
            case [protocol.FAILED | protocol.DEAD, str() as why]:
                self._die(why)
            case _:
                raise ValueError(f"unknown message {message[0]!r}")

    def _take_tokens(self, request_id: str, tokens: Tokens) -> None:
        with self._lock:
            receive = self._open.get(request_id)
            self._progress.moved_at = self._clock()
            if tokens.finish is not None and receive is not None:
                del self._open[request_id]
                self._endings.note(tokens.finish[0])
        if receive is not None:
            receive(tokens)

    def _take_end(self, request_id: str, ended: Ended) -> None:
        with self._lock:
            receive = self._open.pop(request_id, None)
            if receive is not None:
                self._endings.note_error(ended.error)
        if receive is not None:
            receive(ended)

    def _die(self, why: str) -> None:
        """The first reason counts: end every open request with it, and say so once."""
        with self._lock:
            if self._failure is not None:
                return
            self._failure = f"the engine is dead ({why}): the replica restarts"
            orphans, self._open = self._open, {}
            for _ in orphans:
                self._endings.note("error")
        was_ready = self._ready.is_set()
        for receive in orphans.values():
            receive(Ended(self._failure))
        self._ready.set()
        if was_ready and not self._is_stopping:
            self._on_death(why)

    def _end_child(self) -> None:
        """What the child started dies with it (`worker.py`)."""
        self._process.kill()
        self._process.wait()
        self._socket.close()
        self._scratch.remove()


def worker_command(python: Path) -> tuple[str, ...]:
    return (str(python), "-I", str(WORKER))
