"""Runs an experiment through the real `chaos run`, in a child process that ends with us.

The toolkit is told to leave with SIGUSR1, not SIGTERM: its Python provider turns the exception of a SIGTERM that
arrives inside an activity into a failed activity and plays on. SIGUSR1 raises SystemExit, which it lets through, and it
still plays the rollbacks.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from sre.chaos.probes import SLO_DIR
from sre.platforms.processes import PLATFORM_ID, STATE_DIR
from sre.platforms.spawn import spawn

LEAVE = signal.SIGUSR1


def run_chaos(
    experiment: Path, *, journal: Path, log: Path, state_dir: Path, platform_id: str | None = None
) -> subprocess.Popen[bytes]:
    """Start `chaos run` on the file; rollbacks are always played. Main thread only (see `spawn`).

    The log gets all the toolkit says, debug lines included: they alone tell why a control was dropped. `platform_id`
    marks the process as the platform's, so that `sre down` ends it too.
    """
    journal.unlink(missing_ok=True)
    env = {**os.environ, STATE_DIR: str(state_dir.resolve())}
    slo_dir = experiment.resolve().parent.parent / "slo"
    if slo_dir.is_dir():  # a workspace keeps experiments/ and slo/ side by side, wherever it is run from
        env.setdefault(SLO_DIR, str(slo_dir))
    if platform_id is not None:
        env[PLATFORM_ID] = platform_id
    return spawn(chaos_command(experiment, journal=journal), env=env, log=log, dies_with_us=LEAVE)


def chaos_command(experiment: Path, *, journal: Path) -> tuple[str, ...]:
    """The command line. `python -m` makes sure that the toolkit is the one installed beside us."""
    return (
        *(sys.executable, "-m", "chaostoolkit", "--verbose", "--no-version-check", "--no-log-file", "run"),
        *("--rollback-strategy", "always", "--journal-path", str(journal), str(experiment)),
    )


def leave(process: subprocess.Popen[bytes], *, timeout_s: float) -> int:
    """Ask a running `chaos run` to play its rollbacks and leave, kill it after `timeout_s`; returns its exit code."""
    if process.poll() is None:
        process.send_signal(LEAVE)
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
