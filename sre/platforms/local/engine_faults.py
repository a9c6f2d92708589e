"""The faults file beside a replica's model (docs/contracts.md), replaced atomically."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sre.errors import PlatformError
from sre.platforms.local.errors import serving_errors_as_ours


def read_engine_faults(state_dir: Path, replica: str) -> Mapping[str, Any]:
    """What the file says; empty without one. Raises PlatformError for a file that is no JSON object."""
    path = _path(state_dir, replica)
    try:
        return dict(json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise PlatformError(f"{path}: cannot be understood ({error}): remove it") from error


def write_engine_faults(state_dir: Path, replica: str, faults: Mapping[str, Any]) -> None:
    """Replace the file, or remove it when `faults` is empty. Raises SreError for what the engine would not accept."""
    path = _path(state_dir, replica)
    if not faults:
        path.unlink(missing_ok=True)
        return
    text = json.dumps(dict(faults), allow_nan=False)
    with serving_errors_as_ours():
        from serving.engine.faults import parse_faults

        parse_faults(text)
    if not path.parent.is_dir():
        raise PlatformError(f"{path.parent}: replica {replica} has no model repository here: start it with `sre up`")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise PlatformError(f"{path}: cannot be written ({error.strerror}): check its permissions") from error


def _path(state_dir: Path, replica: str) -> Path:
    """`replica` is a name from state.json, never a path."""
    if replica in ("", ".", "..") or "/" in replica:
        raise PlatformError(f"replica {replica!r}: no such name")
    return state_dir / "models" / replica / "llm" / "faults.json"
