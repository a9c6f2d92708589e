"""How the core is compiled, and when it is compiled anew.

Compiled code is kept on disk by numba, which looks for changes only in the file of the function that is called from
Python. So that function has the digest of all sources of this package in it: another digest is another function. The
digest is a closure's value, since these are part of numba's key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """For callers that are compiled too: without a way in from Python, which takes as long to compile as the rest.

    All memory belongs to the caller from Python, so nothing is counted (`_nrt`): that took four fifths of the time.
    """
    made: Callable[P, R] = njit(
        nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False
    )(function)
    return made


def entry(function: Callable[P, R]) -> Callable[P, R]:
    """For calls from Python. Kept on disk: beside the sources, or where numba's own settings say."""
    made: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True, _nrt=False)(
        function
    )
    return made


def sources_digest() -> int:
    """One number for all sources of this package."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return int.from_bytes(digest.digest()[:7], "big")
