"""SIGTERM ends a run wherever it arrives, and outside of a run means what it always meant."""

import os
import signal
from contextlib import suppress

import pytest
from chaoslib.exit import exit_signals

from sre.chaos.runs.leaving import leave_on_sigterm


def test_inside_the_toolkit_sigterm_asks_to_leave_with_rollbacks():
    with exit_signals():
        leave_on_sigterm()
        with pytest.raises(SystemExit) as left:
            os.kill(os.getpid(), signal.SIGTERM)
        assert left.value.code == 20  # chaoslib.exit: leave, rollbacks included


def test_no_handler_of_exceptions_takes_it_for_its_own():
    with exit_signals():
        leave_on_sigterm()
        with pytest.raises(SystemExit), suppress(Exception):  # which logging and the toolkit's activities do
            os.kill(os.getpid(), signal.SIGTERM)


def test_after_the_run_it_means_what_it_meant_before():
    before = signal.getsignal(signal.SIGTERM)
    with exit_signals():
        leave_on_sigterm()
    assert signal.getsignal(signal.SIGTERM) is before


def test_outside_of_the_toolkit_nothing_is_changed():
    before = signal.getsignal(signal.SIGTERM)
    leave_on_sigterm()
    assert signal.getsignal(signal.SIGTERM) is before
