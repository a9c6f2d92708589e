"""Child processes that end with us. The kernel delivers the signal, so it holds for `kill -9` of the parent as well."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from serving.fleet.process import at_parents_end
from serving.fleet.process import last_lines as last_lines


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    dies_with_us: signal.Signals | None = signal.SIGTERM,
    cwd: Path | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` (no shell) in a session of its own, stdin closed, stdout and stderr in `log` (begun anew).

    A session of its own keeps the terminal's Ctrl-C away: the parent decides what its end means. The kernel sends
    `dies_with_us` to the child when the *thread* that started it ends (Linux counts threads), hence only the main
    thread may start such a child; None lets it outlive us.
    """
    if dies_with_us is not None and threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start this child from the main thread: it would end with this one")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as sink:
        return subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=None if dies_with_us is None else at_parents_end(dies_with_us),
        )
