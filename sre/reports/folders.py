"""Report folders as people name them: one drill's, or a folder of many."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sre.errors import BadDocument
from sre.reports.json_report import load_report
from sre.reports.model import DrillReport
from sre.reports.write import JSON


def reports_in(folders: Sequence[Path]) -> dict[Path, DrillReport]:
    """The drills reported in these folders or one level below them. Raises BadDocument with every fault."""
    found, faults = {}, []
    for folder in dict.fromkeys(place for given in folders for place in _report_folders(given)):
        try:
            found[folder] = load_report(folder / JSON)
        except BadDocument as error:
            faults += error.faults
    if faults:
        raise BadDocument(faults)
    return found


def _report_folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise BadDocument([f"{folder}: no such folder: give reports/, or the folders of drills"])
    if (folder / JSON).is_file():
        return [folder]
    return sorted(path for path in folder.iterdir() if (path / JSON).is_file())
