"""Runs a command of a page in `bash`, as a person would paste it: with the page's variables, and never for ever.

Commands come from the knowledge that is shipped, never from input. Values reach them by the environment only.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sre.errors import EnvironmentLacks

STATE_NAME = ".sre"
MOST_OUTPUT_BYTES = 256 * 1024
_POLL_S = 0.2
_GRACE_S = 2.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a command. `exit_code` is None when it was ended because its time was over; `output` is standard
    output and error as they came, cut after `MOST_OUTPUT_BYTES`. Times are Unix seconds.
    """

    exit_code: int | None
    output: str
    began_at: float
    ended_at: float


@dataclass(frozen=True, slots=True)
class Shell:
    """Where commands run: `folder` holds `.sre`, `values` are the page's variables."""

    folder: Path
    state_dir: Path
    values: Mapping[str, str]

    def run(
        self,
        command: str,
        *,
        timeout_s: float,
        tell: Callable[[str], None] | None = None,
        now: Callable[[], float] = time.time,
    ) -> Ran:
        """Run it to its end, or end it with all it started. `tell` gets the output as it comes.

        Raises EnvironmentLacks without bash.
        """
        began_at = now()
        with self._started(command) as process:
            output = _Output(tell)
            ended = _read(process, output, deadline=time.monotonic() + timeout_s)
            code = process.wait() if ended else None
        return Ran(code, output.text, began_at, now())

    @contextmanager
    def _started(self, command: str) -> Iterator[subprocess.Popen[bytes]]:
        bash = shutil.which("bash")
        if bash is None:
            raise EnvironmentLacks("bash is not here, in which a runbook's commands run: install it")
        process = subprocess.Popen(
            [bash, "-c", command],
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            with process:
                try:
                    yield process
                finally:
                    _end(process)
        finally:
            process.poll()

    def _environment(self) -> dict[str, str]:
        beside = str(Path(sys.executable).parent)  # this kit's own `sre`, whatever else is installed
        path = os.pathsep.join((beside, os.environ.get("PATH", os.defpath)))
        own = {"PATH": path, "SRE_STATE_DIR": str(self.state_dir), "COLUMNS": "160"}
        return {**os.environ, **own, **self.values}


@contextmanager
def shell_beside(state_dir: Path, values: Mapping[str, str]) -> Iterator[Shell]:
    """A shell in the folder that holds the state directory, as a page asks for.

    A state directory of another name is shown as `.sre` in a folder of its own, which is gone afterwards.
    """
    state_dir = state_dir.resolve()
    if state_dir.name == STATE_NAME:
        yield Shell(state_dir.parent, state_dir, values)
        return
    with TemporaryDirectory(prefix="sre-runbook-") as folder:
        (Path(folder) / STATE_NAME).symlink_to(state_dir, target_is_directory=True)
        yield Shell(Path(folder), state_dir, values)


class _Output:
    """Collects what is read, up to a size, and passes whole pieces on."""

    def __init__(self, tell: Callable[[str], None] | None) -> None:
        self._tell = tell
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, part: bytes) -> None:
        room = MOST_OUTPUT_BYTES - self._size
        self._size += len(part)
        if room > 0:
            self._parts.append(part[:room])
            if self._tell is not None:
                self._tell(part[:room].decode("utf-8", "replace"))

    @property
    def text(self) -> str:
        text = b"".join(self._parts).decode("utf-8", "replace")
        cut = self._size - MOST_OUTPUT_BYTES
        return f"{text}\n[{cut} bytes more]" if cut > 0 else text


def _read(process: subprocess.Popen[bytes], output: _Output, *, deadline: float) -> bool:
    """Read until its output ends; False when the deadline came first.

    A process left in the background may hold the pipe open: the end of the command itself is enough then.
    """
    assert process.stdout is not None  # noqa: S101  (asked for above)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            if selector.select(min(left, _POLL_S)):
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    return _ended(process, deadline)
                output.add(part)
            elif process.poll() is not None:
                return True
    return False


def _ended(process: subprocess.Popen[bytes], deadline: float) -> bool:
    with suppress(subprocess.TimeoutExpired):
        process.wait(max(deadline - time.monotonic(), 0.0))
        return True
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End it and what it started, when it still runs."""
    if process.poll() is not None:
        return
    for what in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, what)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
            return
