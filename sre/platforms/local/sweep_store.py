"""The finished points of a sweep on disk, so that an interrupted one goes on where it was.

`sweep.json` says which sweep a folder belongs to, `points.jsonl` has a line a finished point, in the order in which
they were finished; a line that was cut by a kill is left out. A folder of another sweep, or in use, is refused.
"""

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pydantic import TypeAdapter, ValidationError

from sre.errors import EnvironmentLacks, SreError
from sre.platforms.simulation import SweepPoint

SPEC, POINTS = "sweep.json", "points.jsonl"
Key = tuple[tuple[tuple[str, str], ...], float]
_ADAPTER: TypeAdapter[SweepPoint] = TypeAdapter(SweepPoint)


def key_of(point: SweepPoint) -> Key:
    """What a point is found again by."""
    return point.settings, point.fidelity


class PointStore:
    """`folder` None: nothing is kept."""

    def __init__(self, folder: Path | None, spec: dict[str, Any]) -> None:
        self._folder, self._spec = folder, json.dumps(spec, indent=1, sort_keys=True) + "\n"
        self._held: IO[str] | None = None
        self.found: dict[Key, SweepPoint] = {}

    def __enter__(self) -> Self:
        """Raises SreError for a folder that cannot be this sweep's, EnvironmentLacks for one that cannot be used."""
        try:
            if self._folder is not None:
                self._open(self._folder, self._spec)
        except SreError:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def add(self, point: SweepPoint) -> None:
        """Keep it. Raises EnvironmentLacks when the folder cannot be written."""
        self.found[key_of(point)] = point
        if self._folder is None:
            return
        try:
            with (self._folder / POINTS).open("ab") as file:
                file.write(_ADAPTER.dump_json(point) + b"\n")
        except OSError as error:
            raise EnvironmentLacks(f"{self._folder}: cannot be written ({error.strerror}): free space") from error

    def finish(self) -> None:
        """The whole file anew, sorted: the same whatever was finished first. Raises EnvironmentLacks."""
        if self._folder is None:
            return
        points = sorted(self.found.values(), key=lambda point: (point.fidelity, point.settings))
        path = self._folder / POINTS
        part = path.with_suffix(".part")
        try:
            part.write_bytes(b"".join(_ADAPTER.dump_json(point) + b"\n" for point in points))
            part.replace(path)
        except OSError as error:
            raise EnvironmentLacks(f"{self._folder}: cannot be written ({error.strerror}): free space") from error

    def _open(self, folder: Path, spec: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            known = folder / SPEC
            if known.exists():
                if known.read_text("utf-8") != spec:
                    raise SreError(f"{folder}: holds another sweep: choose another --out, or ask for the same again")
                self._hold(known)
                self._read(folder / POINTS)
                return
            if any(folder.iterdir()):
                raise SreError(f"{folder}: is not empty and no sweep: choose another --out")
            known.write_text(spec, "utf-8")
            self._hold(known)
        except OSError as error:
            raise EnvironmentLacks(f"{folder}: cannot be used ({error.strerror}): choose another --out") from error

    def _hold(self, known: Path) -> None:
        """Nobody else writes here meanwhile; the kernel lets go when this process ends."""
        self._held = known.open("r", encoding="utf-8")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._held.close()
            raise SreError(
                f"{known.parent}: a sweep is being played there: wait for it, or choose another --out"
            ) from error

    def _close(self) -> None:
        if self._held is not None:
            self._held.close()

    def _read(self, path: Path) -> None:
        if not path.exists():
            return
        whole, newline, _ = path.read_bytes().rpartition(b"\n")
        for number, line in enumerate(whole.split(b"\n") if newline else (), start=1):
            try:
                point = _ADAPTER.validate_json(line)
            except ValidationError as error:
                raise SreError(f"{path}:{number}: is no point of a sweep: remove the folder") from error
            self.found[key_of(point)] = point
        path.write_bytes(whole + newline)
