"""What `sre` tells a shell about a run of an experiment: one number for each verdict.

Chaos Toolkit ends with 0 for a failed action, a failed rollback and a refused start of the method, so a pipeline cannot
trust it. Here 0 means one thing: the fault was proven, and the service held. 2 and 3 are those of every `sre` command.
"""

from __future__ import annotations

from enum import IntEnum

from sre.chaos.model import Verdict


class ExitCode(IntEnum):
    """Exit codes of `sre chaos run`, `sre chaos verdict` and `sre gameday run`."""

    PASSED = 0
    """The steady state held before, during and after a proven fault, and after the rollbacks."""
    DEVIATED = 1
    """It did not: a weakness was found. This is the service's fault, all others are the drill's."""
    WRONG_USE = 2
    """The command line or a document is wrong; nothing was started."""
    ENVIRONMENT_LACKS = 3
    """No platform is up, or a component is missing; nothing was started."""
    VOID = 4
    """No fault was proven, so nothing was tested."""
    ABORTED = 5
    """A gate refused the start, the steady state was not there to begin with, or the guard stopped the method."""
    INTERRUPTED = 6
    """Somebody stopped it."""
    ERROR = 7
    """An activity, a rollback, a control, a probe or the toolkit itself failed: look before you run it again."""


def exit_code(verdict: Verdict) -> ExitCode:
    """The code of a verdict."""
    return ExitCode[verdict.upper()]
