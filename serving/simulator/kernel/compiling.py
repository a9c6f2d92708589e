"""How the core is compiled, and when it is compiled anew.

Compiled code is kept on disk by numba, which looks for changes only in the file of the function that is called from
Python. So that function has the digest of all compiled sources in its name, by which the code is filed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")
_NOT_COMPILED = ("__init__.py", "play.py")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """For callers that are compiled too: without a way in from Python, which takes as long to compile as the rest.

    All memory belongs to the caller from Python, so nothing is counted (`_nrt`): that took four fifths of the time.
    """
    made: Callable[P, R] = njit(
        nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False
    )(function)
    return made


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """For calls from Python. Kept on disk: beside the sources or, when these cannot be written, in the user's cache."""
    function.__qualname__ = f"{function.__name__}_{_sources_digest()}"
    options = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True, "_nrt": False}
    try:
        made: Callable[P, R] = njit(cache=True, **options)(function)
    except RuntimeError:  # nowhere to keep it
        made = njit(**options)(function)
    return made


def is_kept(entry_: Any) -> bool:
    """Whether an entry's code is on disk, as these sources make it."""
    kept_at = entry_.stats.cache_path
    return kept_at is not None and any(Path(kept_at).glob(f"*{_sources_digest()}*.nbi"))


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.name not in _NOT_COMPILED:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
