"""What each `sre` call does first: undo faults whose run is gone or whose lease is over, when nobody else did.

Costs one `stat` where no fault was ever injected, and imports nothing then.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sre.cli.options import DEFAULT_STATE_DIR

LEDGER_FILE = "chaos.jsonl"
OPTION = "--state-dir"


def heal_what_was_left(arguments: Sequence[str]) -> None:
    """Look in the state directory that this call names; a line on stderr for each fault, never an error.

    `sre chaos heal` undoes all by itself, and says so itself.
    """
    state_dir = named_state_dir(arguments)
    if tuple(arguments[:2]) == ("chaos", "heal") or not (state_dir / LEDGER_FILE).exists():
        return
    from sre.chaos.leases.healing import may_have_leftovers

    if may_have_leftovers(state_dir):
        for line in _heal(state_dir.resolve()):
            sys.stderr.write(f"sre: {line}\n")


def named_state_dir(arguments: Sequence[str]) -> Path:
    """The last `--state-dir` of the command line, else $SRE_STATE_DIR, else `.sre`."""
    named = os.environ.get("SRE_STATE_DIR") or str(DEFAULT_STATE_DIR)
    for argument, value in itertools.pairwise((*arguments, "")):
        if argument == OPTION:
            named = value
        elif argument.startswith(f"{OPTION}="):
            named = argument.partition("=")[2]
    return Path(named)


def _heal(state_dir: Path) -> list[str]:
    from sre.chaos.leases.healing import heal_leftovers
    from sre.chaos.leases.standing import standing
    from sre.chaos.leases.watchdog import start_watchdog, watches
    from sre.errors import SreError
    from sre.platforms.local import LocalPlatform

    platform = LocalPlatform(state_dir)
    try:
        healed = heal_leftovers(platform, by="sre")
        if standing(state_dir).open and not watches(state_dir):
            start_watchdog(platform)
    except SreError as error:
        return [f"a fault may have been left behind, and nobody could look ({error})"]
    undone = [
        f"undid {one.fault} of {one.plan.target} ({one.fault_id}): its run or its lease was over, nobody else did"
        for one in healed.undone
    ]
    stayed = [
        f"{one.lease.fault} of {one.lease.plan.target} ({one.lease.fault_id}) stays: {one.why}: try `sre chaos heal`"
        for one in healed.stayed
    ]
    return [*undone, *stayed]
