"""A package on disk: documents for players, for the facilitator's hands, and for the control side, apart in folders.

`package.json` is the exercise itself, the source of everything else and of `sre tabletop run`; the manifest comes last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from sre.errors import BadDocument, EnvironmentLacks, SreError
from sre.incidents.codec import decode, encode
from sre.reports.atomic import write_text
from sre.reports.manifest import NAME, verify, write_manifest
from sre.tabletop.documents.control import evaluation_guide, handbook, inject_list, sign_off_sheet
from sre.tabletop.documents.html import to_html
from sre.tabletop.documents.markdown import to_markdown
from sre.tabletop.documents.model import Document
from sre.tabletop.documents.player import feedback_form, handouts, player_manual
from sre.tabletop.model import SCHEMA, Exercise
from sre.tabletop.secrecy import refuse_leaks

PACKAGE = "package.json"
PLAYERS, HANDOUTS, CONTROL = "players", "handouts", "control"
_BANNERS = {
    PLAYERS: "FOR PLAYERS",
    HANDOUTS: "FOR PLAYERS, ONE PAGE AT A TIME",
    CONTROL: "EXERCISE CONTROL ONLY: NOT FOR PLAYERS",
}


def documents_of(exercise: Exercise) -> tuple[tuple[str, Document], ...]:
    """Every document with its folder."""
    return (
        (PLAYERS, player_manual(exercise)),
        (PLAYERS, feedback_form(exercise)),
        (HANDOUTS, handouts(exercise)),
        (CONTROL, handbook(exercise)),
        (CONTROL, inject_list(exercise)),
        (CONTROL, evaluation_guide(exercise)),
        (CONTROL, sign_off_sheet(exercise)),
    )


def files_of(exercise: Exercise) -> dict[str, str]:
    """Every file by its name in the package, manifest aside. Raises SreError when one would tell players the cause."""
    files = dict(_documents(exercise))
    for inject in exercise.injects:
        for artefact in inject.artefacts:
            if not artefact.absent:
                ending, text = ("svg", artefact.svg) if artefact.svg else ("txt", f"{artefact.text}\n")
                files[f"{HANDOUTS}/artefacts/{artefact.name}.{ending}"] = text
    read_by_players = [(name, text) for name, text in files.items() if not name.startswith(f"{CONTROL}/")]
    refuse_leaks(read_by_players, exercise.cause.terms)
    files[PACKAGE] = to_json(exercise)
    return files


def _documents(exercise: Exercise) -> Iterator[tuple[str, str]]:
    for folder, document in documents_of(exercise):
        yield f"{folder}/{document.name}.md", to_markdown(document, _BANNERS[folder])
        yield f"{folder}/{document.name}.html", to_html(document, _BANNERS[folder])


def write_package(exercise: Exercise, folder: Path) -> Path:
    """Write all files and the manifest. A folder that holds something else than a package is left alone: SreError."""
    files = files_of(exercise)
    _clear(folder)
    try:
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentLacks(f"{folder}: no folder can be made there ({error.strerror}): choose another") from error
    for name, text in files.items():
        write_text(folder / name, text)
    return write_manifest(folder)


def _clear(folder: Path) -> None:
    """Take an older package's files away; anything else in the folder is somebody's work."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise SreError(f"{folder}: is a file: choose another folder with --out")
    present = [path for path in folder.rglob("*") if path.is_file()]
    if present and not (folder / PACKAGE).is_file():
        raise SreError(f"{folder}: holds files that are no package: choose an empty folder with --out")
    (folder / NAME).unlink(missing_ok=True)
    places = tuple(folder / name for name in (PLAYERS, HANDOUTS, CONTROL))
    for path in present:
        if path.name == PACKAGE or any(path.is_relative_to(place) for place in places):
            path.unlink(missing_ok=True)


def to_json(exercise: Exercise) -> str:
    return json.dumps({"schema": SCHEMA, **encode(exercise)}, indent=1, ensure_ascii=False) + "\n"


def read_package(folder: Path, *, edited: bool = False) -> tuple[Exercise, str]:
    """The exercise and the sha256 of its `package.json`. Raises BadDocument when it is not as its manifest says, unless
    `edited`: then the changed package is what is played, and its hash is what the session is bound to.
    """
    path = folder / PACKAGE
    if not path.is_file():
        raise BadDocument([f"{folder}: holds no {PACKAGE}: give the folder that `sre tabletop new` wrote"])
    changed = [] if edited else verify(folder)
    if changed:
        mend = "build it anew, or say --edited to play it as it is"
        raise BadDocument([f"{folder}: {problem}: {mend}" for problem in changed])
    data = path.read_bytes()
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadDocument([f"{path}: not JSON ({error}): build the package anew"]) from error
    schema = document.pop("schema", None) if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise BadDocument([f"{path}: schema {schema!r} is not {SCHEMA}: build the package anew"])
    return decode(Exercise, document, str(path)), hashlib.sha256(data).hexdigest()
