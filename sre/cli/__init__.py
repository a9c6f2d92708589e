"""The `sre` command: parse, call one function, print. Imports stay inside commands so that `sre --help` is instant."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Entry point. Turns errors raised on purpose into one line on stderr and their exit code."""
    from sre.cli.app import app
    from sre.errors import SreError

    try:
        app(prog_name="sre")
    except SreError as error:
        faults = getattr(error, "faults", None) or [str(error)]
        for fault in faults:
            sys.stderr.write(f"sre: {fault}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.stderr.write("sre: interrupted\n")
        sys.exit(130)
    except BrokenPipeError:
        # the reader of our output went away (`sre ... | head`); keep the interpreter from complaining at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
