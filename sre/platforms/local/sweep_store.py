"""The finished points of a sweep on disk, so that an interrupted one goes on where it was.

`sweep.json` says which sweep a folder belongs to, `points.jsonl` has a line a finished point, in the order in which
they were finished; a line that was cut by a kill is left out. Another sweep's folder is refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
        self._folder = folder
        self.found: dict[Key, SweepPoint] = {}
        if folder is not None:
            self._open(folder, json.dumps(spec, indent=1, sort_keys=True) + "\n")

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

    def finish(self, points: tuple[SweepPoint, ...]) -> None:
        """The whole file anew, in the sweep's own order: the same whatever was finished first."""
        if self._folder is not None:
            path = self._folder / POINTS
            part = path.with_suffix(".part")
            part.write_bytes(b"".join(_ADAPTER.dump_json(point) + b"\n" for point in points))
            part.replace(path)

    def _open(self, folder: Path, spec: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            known = folder / SPEC
            if known.exists():
                if known.read_text("utf-8") != spec:
                    raise SreError(f"{folder}: holds another sweep: choose another --out, or ask for the same again")
                self._read(folder / POINTS)
            elif any(folder.iterdir()):
                raise SreError(f"{folder}: is not empty and no sweep: choose another --out")
            else:
                known.write_text(spec, "utf-8")
        except OSError as error:
            raise EnvironmentLacks(f"{folder}: cannot be used ({error.strerror}): choose another --out") from error

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
