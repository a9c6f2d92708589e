"""Errors of the framework. Every message is one line: what, where (file:line for documents), how to mend."""


class SreError(Exception):
    """Base of every error raised on purpose; `exit_code` is what the CLI returns (2 wrong use, 3 environment)."""

    exit_code = 2


class BadDocument(SreError):  # noqa: N818
    """A document (experiment, SLO, price book, report) is malformed. Carries every fault found, not only the first."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class EnvironmentLacks(SreError):  # noqa: N818
    """The machine misses a component; the message says which and how to get it."""

    exit_code = 3


class PlatformError(SreError):
    """The platform did not do what was asked (not up, replica unknown, not ready in time)."""

    exit_code = 3


class NoData(SreError):  # noqa: N818
    """A question about samples has no answer; carries the reason. Never replaced by 0."""

    exit_code = 1
