"""One experiment on the platform that is up, by the real `chaos run`, with a verdict at the end."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from sre.chaos.experiment import load_drill, missing_controls
from sre.chaos.leases.ledger import LEDGER_FILE, fault_windows, salvage_ledger
from sre.chaos.runs.rehearsal import configuration_of
from sre.chaos.runs.run import run_chaos
from sre.chaos.runs.toolkit import Notes, follow, uncoloured
from sre.chaos.verdict import Evidence, Examination, examine
from sre.chaos.verdict.files import read_journal
from sre.errors import BadDocument, EnvironmentLacks
from sre.platforms.interrupts import interrupts_held
from sre.platforms.select import select_platform
from sre.platforms.spawn import last_lines

LOG = Path("logs") / "chaos.log"
UNDONE_WITHIN_S = 5.0
"""How long the watchdog may take for what a killed run leaves behind."""
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Files:
    """Where a run leaves what it was judged by."""

    journal: Path
    ledger: Path
    log: Path


def files_of(state_dir: Path, journal: Path) -> Files:
    """The files of a run in this state directory. Raises EnvironmentLacks when the journal's folder is not there."""
    if not journal.resolve().parent.is_dir() or not os.access(journal.resolve().parent, os.W_OK):
        raise EnvironmentLacks(f"{journal}: its folder does not exist or cannot be written: choose another --journal")
    return Files(journal, state_dir / LEDGER_FILE, state_dir / LOG)


def play(experiment: Path, *, state_dir: Path, files: Files, progress: Notes) -> Examination:
    """Check the file, run it, judge it. Main thread only. Raises SreError when it cannot be started.

    Ctrl-C makes the toolkit play its rollbacks and leave; a second one kills it, and the watchdog undoes what is open.
    """
    load_drill(experiment)
    platform = select_platform({**configuration_of(experiment), "state_dir": str(state_dir)})
    platform.replicas()
    absent, began_at = missing_controls(experiment), time.time()
    chaos = run_chaos(
        experiment,
        journal=files.journal,
        log=files.log,
        state_dir=state_dir,
        platform_id=getattr(platform, "platform_id", None),
    )
    returncode = _wait(chaos, files.log, progress=progress)
    with interrupts_held():
        if returncode < 0:
            _await_undone(files.ledger)
        return examine(_evidence(files, returncode, absent, began_at))


def _wait(chaos: Popen[bytes], log: Path, *, progress: Notes) -> int:
    try:
        return follow(chaos, log, progress=progress, tick=lambda: None)
    except KeyboardInterrupt:
        if chaos.poll() is None:
            chaos.kill()
            progress.note("killed: what is broken is undone by the watchdog")
        return chaos.wait()


def _await_undone(ledger: Path) -> None:
    deadline = time.monotonic() + UNDONE_WITHIN_S
    while any(fault.is_open for fault in fault_windows(salvage_ledger(ledger).records)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _evidence(files: Files, returncode: int, absent: tuple[str, ...], began_at: float) -> Evidence:
    try:
        journal, said = read_journal(files.journal), ""
    except BadDocument as error:
        journal, said = None, str(error)
        if not files.journal.exists():  # a toolkit that crashed says why in the end, one that was killed does not
            said = uncoloured(last_lines(files.log, count=2)) if returncode > 0 else ""
    ledger = salvage_ledger(files.ledger)
    return Evidence(
        journal=journal,
        ledger=ledger.records,
        returncode=returncode,
        missing_controls=absent,
        log_tail=said,
        began_at=began_at,
        ledger_damage=ledger.damage,
    )
