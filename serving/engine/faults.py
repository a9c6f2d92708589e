"""Faults that the running emulated engine can be told to have, through a file beside its model (docs/contracts.md).

A file that cannot be understood changes nothing: what holds stays as it was, and the reason is logged once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from serving.engine.inference import MODEL_NAME
from serving.errors import BadInput

FAULTS_FILE = "faults.json"
GPU_ERRORS: Mapping[int, str] = MappingProxyType(
    {
        48: "double-bit ECC error",
        79: "GPU has fallen off the bus",
        94: "contained memory error",
        95: "uncontained memory error",
    }
)
"""XID codes of NVIDIA's driver: at 48 and 95 the engine dies once, with 79 no start succeeds, 94 costs one request."""
GPU_LOST_XID, CONTAINED_XID = 79, 94
_INFINITE = float("inf")


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the engine now; the default is a sound one."""

    slow_factor: float = 1.0
    hang: bool = False
    crash: bool = False
    kv_blocks: int | None = None
    poison: str | None = None
    bad_output_every: int | None = None
    error_every: int | None = None
    xid: int | None = None
    fail_load: bool = False
    cold_start_extra_s: float = 0.0
    clock_skew_s: float = 0.0


NO_FAULTS = Faults()


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 1


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and -_INFINITE < value < _INFINITE  # type: ignore[operator]


_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "slow_factor": (lambda v: _is_number(v) and v > 0, "a number above 0"),
    "hang": (lambda v: isinstance(v, bool), "true or false"),
    "crash": (lambda v: isinstance(v, bool), "true or false"),
    "kv_blocks": (lambda v: type(v) is int and v >= 0, "a whole number of at least 0"),
    "poison": (lambda v: isinstance(v, str) and len(v.split()) == 1, "one word"),
    "bad_output_every": (_is_count, "a whole number of at least 1"),
    "error_every": (_is_count, "a whole number of at least 1"),
    "xid": (lambda v: type(v) is int and v in GPU_ERRORS, f"one of {', '.join(map(str, GPU_ERRORS))}"),
    "fail_load": (lambda v: isinstance(v, bool), "true or false"),
    "cold_start_extra_s": (lambda v: _is_number(v) and v >= 0, "a number of at least 0"),
    "clock_skew_s": (_is_number, "a finite number"),
}


def why_no_load(faults: Faults) -> str | None:
    """Why an engine that has these cannot be loaded; None when it can."""
    if faults.fail_load:
        return "injected fault: the model cannot be loaded"
    if faults.xid == GPU_LOST_XID:
        return f"injected fault: XID {GPU_LOST_XID}, {GPU_ERRORS[GPU_LOST_XID]}: no GPU to load the model on"
    return None


def parse_faults(text: str) -> Faults:
    """Read the file's content. Raises BadInput, one line with every fault of it; then none of it is to be applied."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{FAULTS_FILE}: not JSON ({error}): write an object, or remove the file") from error
    if not isinstance(data, dict):
        raise BadInput(f"{FAULTS_FILE}: {type(data).__name__} instead of an object: write one, or remove the file")
    wrong = [complaint for key, value in data.items() if (complaint := _complaint(key, value))]
    if wrong:
        raise BadInput(f"{FAULTS_FILE}: {'; '.join(wrong)}")
    return Faults(**data)


def _complaint(key: str, value: object) -> str | None:
    if key not in _RULES:
        return f"{key} is unknown: known are {', '.join(_RULES)}"
    accepts, need = _RULES[key]
    return None if accepts(value) else f"{key} is {json.dumps(value)}: write {need}"


class FaultFile:
    """Looks whether the faults file of a model repository changed. Not thread-safe: one thread asks."""

    def __init__(self, model_directory: Path) -> None:
        self.path = model_directory / FAULTS_FILE
        self._seen: tuple[int, int, int] | None = None

    @classmethod
    def of_model(cls, model_repository: str) -> FaultFile:
        """The file of the model whose directory Triton gives as `model_repository`; the repository itself will do."""
        directory = Path(model_repository)
        return cls(directory if directory.name == MODEL_NAME else directory / MODEL_NAME)

    def changed(self) -> Faults | None:
        """The faults to have from now on; None when nothing changed since the last call.

        Raises BadInput once for a file that is no good, OSError once for one that cannot be read.
        """
        signature = self._signature()
        if signature == self._seen:
            return None
        self._seen = signature
        if signature is None:
            return NO_FAULTS
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            self._seen = None
            return NO_FAULTS
        except UnicodeDecodeError as error:
            raise BadInput(f"{FAULTS_FILE}: not UTF-8 ({error.reason}): write UTF-8, or remove the file") from error
        return parse_faults(text)

    def _signature(self) -> tuple[int, int, int] | None:
        """Time of change, size and inode: a file replaced within one tick of the clock is another one still."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
