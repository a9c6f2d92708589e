"""The folder of a simulation: what was asked, what came out, the page, and a manifest that says that nothing changed.

`scenario.yaml` and the files it names are enough to make the folder again, byte for byte.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from sre.errors import EnvironmentLacks, SreError
from sre.incidents.build import incident_to_json
from sre.platforms.simulation import EPOCH, RequestColumns
from sre.reports.atomic import write_text
from sre.reports.manifest import write_manifest
from sre.reports.room import require_writable
from sre.reports.simulation.json_file import to_text
from sre.reports.simulation.model import SimulationReport
from sre.reports.simulation.page import render
from sre.reports.simulation.samples import sample_lines

HEAD = "# Simulated by sre simulate; run again: sre simulate scenario.yaml --out FOLDER\n"


def require_room(folder: Path) -> None:
    """Before anything is simulated: raise SreError when the folder holds something already or is a file,
    EnvironmentLacks when it cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise SreError(f"{folder}: is no folder: choose another --out")
    if folder.is_dir() and any(folder.iterdir()):
        raise SreError(f"{folder}: is not empty: choose another --out, so that nothing old stays among the new")
    require_writable(folder)


def write_report(report: SimulationReport, folder: Path) -> tuple[Path, ...]:
    """Every file. Raises EnvironmentLacks when the folder cannot be written."""
    simulation = report.simulation
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in simulation.files:
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source, folder / name)
        _write_lines(folder / "requests.jsonl", request_lines(simulation.requests))
        if simulation.series:
            _write_lines(folder / "samples.jsonl", sample_lines(simulation))
    except OSError as error:
        raise EnvironmentLacks(f"{folder}: cannot be written ({error.strerror}): choose another --out") from error
    write_text(folder / "scenario.yaml", HEAD + simulation.document)
    write_text(folder / "result.json", to_text(report))
    if report.incident is not None:
        write_text(folder / "incident.json", incident_to_json(report.incident))
    write_text(folder / "report.html", render(report))
    write_manifest(folder)
    return tuple(sorted(folder.iterdir()))


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(lines)


def request_lines(requests: RequestColumns) -> Iterator[str]:
    """The load generator's records (`requests.jsonl` in docs/contracts.md) at simulated Unix times, with the class."""
    tried = requests.attempts.tolist()
    for row in range(len(requests)):
        replica = int(requests.replica[row])
        at = EPOCH + float(requests.at_s[row])
        ended = _instant(float(requests.ended_s[row]))
        gap = float(requests.longest_gap_s[row])
        yield (
            json.dumps(
                {
                    "id": f"r{row:06d}",
                    "scheduled_at": at,
                    "sent_at": at,
                    "first_token_at": _instant(float(requests.first_s[row])),
                    "last_token_at": _instant(float(requests.last_s[row])),
                    "finished_at": at if ended is None else ended,
                    "prompt_tokens": int(requests.prompt_tokens[row]),
                    "max_tokens": int(requests.output_tokens[row]),
                    "output_tokens": int(requests.emitted[row]),
                    "max_gap_s": None if np.isnan(gap) else gap,
                    "outcome": requests.outcomes[int(requests.outcome[row])],
                    "status": None,
                    "error": None,
                    "finish_reason": None,
                    "replicas": [] if replica < 0 else [requests.replicas[replica]],
                    "attempts": tried[row],
                    "class": requests.classes[int(requests.klass[row])],
                },
                separators=(",", ":"),
            )
            + "\n"
        )


def _instant(seconds: float) -> float | None:
    return None if np.isnan(seconds) else EPOCH + seconds
