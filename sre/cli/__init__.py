"""The `sre` command: parse, call one function, print. Imports stay inside commands so that `sre --help` is instant."""

from __future__ import annotations

import errno
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
    signal.signal(signal.SIGTERM, _terminate)
    try:
        _run()
    except BrokenPipeError:
        _silence_stdout()  # the reader of our output went away (`sre ... | head`)
        sys.exit(141)
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        _silence_stdout()
        sys.stderr.write("sre: the output cannot be written, no space is left there: free some, or write elsewhere\n")
        sys.exit(3)


def _run() -> None:
    from sre.cli.app import app
    from sre.errors import SreError

    try:
        app(prog_name="sre")
    except SreError as error:
        _tell(getattr(error, "faults", None) or [str(error)], error.exit_code)
        sys.exit(error.exit_code)
    finally:
        sys.stdout.flush()


def _silence_stdout() -> None:
    """Keep the interpreter from complaining at exit about what it could not write."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _tell(faults: list[str], exit_code: int) -> None:
    """One line a fault on stderr; with --json the same as an object on stdout."""
    from sre.incidents.visible import visible

    for fault in faults:
        sys.stderr.write(f"sre: {visible(fault)}\n")
    if "--json" in sys.argv:
        import json

        sys.stdout.write(json.dumps({"ok": False, "errors": faults, "exit_code": exit_code}) + "\n")
