"""The child process: vLLM's asynchronous engine behind our socket. Runs in vLLM's environment alone.

Text, stop strings and the seam of a resumed answer are decided here (`AnswerText`), not by vLLM, which knows nothing
of what a client already has; vLLM schedules and samples.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from serving.engine.vllm.config import VllmConfig
from serving.engine.vllm.protocol import (
    CANCEL,
    COUNTS,
    COUNTS_INTERVAL_S,
    DEAD,
    ENDED,
    FAILED,
    GENERATE,
    LINE_LIMIT_BYTES,
    READY,
    decode,
    encode,
    pack_counts,
)
from serving.errors import ServingError

_DEATH_LOOK_S = 0.05
_ORPHAN_LOOK_S = 0.25
_WARMUP_TOKENS = 4


def main(*, socket_fd: int, config_path: Path, owner_pid: int, server_pid: int) -> None:
    """Serve until the socket closes or the engine dies; then leave at once: what we started dies with us.

    `server_pid` is Triton's, 0 without one. The owner may hang for good when it dies, see `_watch_over`.
    """
    if server_pid:
        threading.Thread(target=_watch_over, args=(owner_pid, server_pid), daemon=True).start()
    os.set_inheritable(socket_fd, False)
    connection = socket.socket(fileno=socket_fd)
    try:
        code = asyncio.run(_serve(connection, config_path))
    except BaseException as error:  # noqa: BLE001  whatever ended the start must reach the replica's log in one line
        traceback.print_exc()
        connection.setblocking(True)
        connection.sendall(encode(FAILED, f"{type(error).__name__}: {error}"))
        code = 1
    os._exit(code)


def _watch_over(owner_pid: int, server_pid: int) -> None:
    """End the owner, and ourselves with it, once its server is gone.

    A stub of server 2.51 that waits for a lock in shared memory held by a killed server waits for ever, so nothing in
    the stub itself can be relied on then.
    """
    while _parent_of(owner_pid) == server_pid:
        time.sleep(_ORPHAN_LOOK_S)
    os.kill(owner_pid, signal.SIGKILL)  # safe: we die with the owner, so its pid is not somebody else's yet
    os._exit(143)


def _parent_of(pid: int) -> int:
    """Parent of a process (`/proc/PID/stat`, the second field after the name in parentheses); 0 when it is gone."""
    try:
        return int(Path("/proc", str(pid), "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


async def _serve(connection: socket.socket, config_path: Path) -> int:
    config = VllmConfig.from_json(config_path.read_text(encoding="utf-8"), path=str(config_path))
    reader, writer = await asyncio.open_unix_connection(sock=connection, limit=LINE_LIMIT_BYTES)
    phases = _Phases()
    from serving.engine.vllm.generating import Generator, start_engine

    phases.end("import")
    engine, stats = start_engine(config, phases.end)
    generator = Generator(engine)
    await generator.warm_up(_WARMUP_TOKENS)
    phases.end("warmup")
    stats.reset()
    writer.write(encode(READY, {"cold_start_s": phases.seconds, "kv_tokens": generator.kv_tokens}))
    jobs = _Jobs(generator, writer)
    listening = asyncio.create_task(jobs.listen(reader))
    reporting = asyncio.create_task(_report(stats, writer))
    dying = asyncio.create_task(_until_dead(engine))
    done, _ = await asyncio.wait({listening, reporting, dying}, return_when=asyncio.FIRST_COMPLETED)
    if dying not in done:
        for task in done:
            task.result()
        return 0
    writer.write(encode(DEAD, "vLLM's engine core or a worker died"))
    await writer.drain()
    return 1


class _Phases:
    """Seconds of each part of the start, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def end(self, phase: str) -> None:
        now = time.monotonic()
        self.seconds[phase], self._last = round(now - self._last, 3), now


class _Jobs:
    """Requests under way, each a task."""

    def __init__(self, generator: Any, writer: asyncio.StreamWriter) -> None:
        self._generator = generator
        self._writer = writer
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Until the model closes its end."""
        while line := await reader.readline():
            match decode(line):
                case [str() as name, str() as request_id, prompt, sampling] if name == GENERATE:
                    self._tasks[request_id] = asyncio.create_task(self._run(request_id, prompt, sampling))
                case [str() as name, str() as request_id] if name == CANCEL and request_id in self._tasks:
                    self._tasks[request_id].cancel()

    async def _run(self, request_id: str, prompt: str, sampling: dict[str, Any]) -> None:
        error: str | None = None
        try:
            async for message in self._generator.answer(request_id, prompt, sampling):
                self._writer.write(encode(*message))
                await self._writer.drain()
            return
        except asyncio.CancelledError:
            error = None
        except TimeoutError:
            error = "DEADLINE_EXCEEDED: deadline_at passed before the first token: none was made"
        except ServingError as refused:
            error = f"INVALID_ARG: {refused}"
        except Exception as failed:  # noqa: BLE001  one request's failure is told to its client; the others go on
            if self._generator.is_dead:
                return  # all end together, with the reason of the death
            error = f"vLLM: {type(failed).__name__}: {failed}"
        finally:
            self._tasks.pop(request_id, None)
        self._writer.write(encode(ENDED, request_id, error))


async def _report(stats: Any, writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(encode(COUNTS, pack_counts(stats.metrics, stats.steps)))
        await asyncio.sleep(COUNTS_INTERVAL_S)


async def _until_dead(engine: Any) -> None:
    while not engine.errored:
        await asyncio.sleep(_DEATH_LOOK_S)
