"""Generated files on disk: all of them or none, and the comparison that CI makes.

Every file is written beside its place first; only when the last one is on disk are they moved into place. A move that
fails half-way (it hardly can) is taken back.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from sre.errors import EnvironmentLacks
from sre.slo.rules.generate import RULES, TESTS
from sre.slo.rules.text import GENERATOR


def write_all(files: Mapping[str, str], out: Path) -> tuple[Path, ...]:
    """Replace the files below `out`. Raises EnvironmentLacks, with everything as it was, when one cannot be written."""
    staged: list[tuple[Path, Path]] = []
    try:
        for name, text in files.items():
            target = out / name
            target.parent.mkdir(parents=True, exist_ok=True)
            staged.append((_beside(target, text), target))
        _move(staged)
    except OSError as error:
        raise EnvironmentLacks(
            f"{error.filename or out}: cannot be written ({error.strerror}): nothing was changed; "
            "free space, or give another --out"
        ) from error
    finally:
        for temporary, _ in staged:
            temporary.unlink(missing_ok=True)
    return tuple(out / name for name in files)


def differences(files: Mapping[str, str], out: Path) -> tuple[str, ...]:
    """What `out` would change by: a line for each file that is missing, differs, or belongs to no document."""
    found = []
    for name, text in files.items():
        path = out / name
        if not path.is_file():
            found.append(f"{path}: is missing")
        elif path.read_bytes() != text.encode("utf-8"):
            found.append(f"{path}: differs from what its document generates")
    return (*found, *(f"{path}: belongs to no document any more: remove it" for path in left_over(files, out)))


def left_over(files: Mapping[str, str], out: Path) -> tuple[Path, ...]:
    """Files that an earlier run generated for an SLO that is not among these."""
    wanted = {out / name for name in files}
    present = (path for folder in (RULES, TESTS) for path in sorted((out / folder).glob("*.yaml")))
    return tuple(path for path in present if path not in wanted and GENERATOR in _first_line(path))


def digests(paths: Mapping[str, Path]) -> dict[str, str]:
    """The sha256 of each document, by the name under which it is called."""
    return {name: sha256(path.read_bytes()).hexdigest() for name, path in paths.items() if path.is_file()}


def _beside(target: Path, text: str) -> Path:
    with tempfile.NamedTemporaryFile("wb", dir=target.parent, prefix=f".{target.name}.", delete=False) as stream:
        temporary = Path(stream.name)
        try:
            stream.write(text.encode("utf-8"))
            stream.flush()
            os.fsync(stream.fileno())
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    temporary.chmod(0o644)
    return temporary


def _move(staged: list[tuple[Path, Path]]) -> None:
    before: list[tuple[Path, bytes | None]] = []
    try:
        for temporary, target in staged:
            old = target.read_bytes() if target.is_file() else None
            temporary.replace(target)
            before.append((target, old))
    except OSError:
        for target, old in before:
            if old is None:
                target.unlink(missing_ok=True)
            else:
                target.write_bytes(old)
        raise


def _first_line(path: Path) -> str:
    with path.open(encoding="utf-8", errors="replace") as stream:
        return stream.readline()
