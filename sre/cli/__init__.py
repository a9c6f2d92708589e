"""The `sre` command: parse, call one function, print. Imports stay inside commands so that `sre --help` is instant."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


class Terminated(KeyboardInterrupt):
    """SIGTERM, taken as an interruption: what Ctrl-C cleans up, it cleans up too."""


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def main() -> None:
    """Entry point. Turns errors raised on purpose into one line on stderr and their exit code."""
    from sre.cli.app import app
    from sre.errors import SreError

    signal.signal(signal.SIGTERM, _terminate)
    try:
        app(prog_name="sre")
    except SreError as error:
        _tell(getattr(error, "faults", None) or [str(error)], error.exit_code)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # the reader of our output went away (`sre ... | head`); keep the interpreter from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _tell(faults: list[str], exit_code: int) -> None:
    """One line a fault on stderr; with --json the same as an object on stdout."""
    from sre.incidents.visible import visible

    for fault in faults:
        sys.stderr.write(f"sre: {visible(fault)}\n")
    if "--json" in sys.argv:
        import json

        sys.stdout.write(json.dumps({"ok": False, "errors": faults, "exit_code": exit_code}) + "\n")
