"""Errors of the serving platform: what went wrong, where, and how to mend it, in one line."""


class ServingError(Exception):
    """Base of every error the platform raises on purpose.

    `exit_code` is what a command-line entry returns: 2 for wrong use, 3 when the environment lacks something.
    """

    exit_code = 2


class EnvironmentLacks(ServingError):  # noqa: N818  (reads as a sentence: "the environment lacks Triton")
    """The machine misses a component (Triton's wheel, libpython, a free port)."""

    exit_code = 3


class BadInput(ServingError):  # noqa: N818
    """A file, option or request is malformed; the message names the place and the mend."""


class ProfileNotFound(BadInput):
    """No GPU profile has this name; the message lists those that exist."""
