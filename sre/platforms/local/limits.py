"""The kernel's limit on the size of files, set on a running process: its disk is full, nobody else's is.

Nothing is left behind: the limit is the process's own and ends with it.
"""

from __future__ import annotations

import resource

from sre.errors import PlatformError
from sre.platforms.local.signals import process_of
from sre.platforms.model import Handle


def file_limit_of(handle: Handle) -> int | None:
    """Bytes; None: no limit. Raises PlatformError when the process is gone."""
    process = process_of(handle)
    if process is None:
        raise PlatformError(f"process {handle['pid']} is gone: it has no limit any more")
    soft, _ = _limits(process.pid)
    return None if soft == resource.RLIM_INFINITY else soft


def limit_files(handle: Handle, limit: int | None) -> bool:
    """False when the process is gone. Raises PlatformError when the limit may not be set."""
    process = process_of(handle)
    if process is None:
        return False
    try:
        _, hard = _limits(process.pid)
        wanted = hard if limit is None else limit
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (wanted, hard))
    except ProcessLookupError:
        return False
    except (OSError, ValueError) as error:
        raise PlatformError(
            f"process {handle['pid']}: its file limit cannot be set ({error}): run as its owner"
        ) from error
    return True


def _limits(pid: int) -> tuple[int, int]:
    return resource.prlimit(pid, resource.RLIMIT_FSIZE)
