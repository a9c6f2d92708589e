"""`manifest.json`: sha256 and size of every file of a report folder, so that a forwarded report can be checked.

It finds damage and careless edits. Who can write the folder can write the manifest too, so it may be signed
(`sre.reports.signature`: `manifest.sig`, which it does not list). It may hold anchors of the incident store: where the
chain of events ended when the report was built.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from sre.errors import BadDocument
from sre.incidents.store.model import Anchor
from sre.reports.atomic import write_text

NAME = "manifest.json"
SIGNATURE = "manifest.sig"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def write_manifest(directory: Path, anchors: Sequence[Anchor] = ()) -> Path:
    """Hash every file under `directory` but the manifest itself; raises BadDocument on symlinks and special files.

    A signature of an earlier manifest is taken away: it would no longer hold. With no `anchors` those of the manifest
    that is replaced are kept.
    """
    refused = [
        f"{directory / name}: is {what}; a report folder holds plain files only" for name, what in _odd(directory)
    ]
    if refused:
        raise BadDocument(refused)
    path = directory / NAME
    kept = tuple(anchors) or anchors_if_any(directory)
    (directory / SIGNATURE).unlink(missing_ok=True)
    files = {name: _facts(directory / name) for name in _plain(directory)}
    chain = {"anchors": [{"position": one.position, "hash": one.hash} for one in kept]} if kept else {}
    write_text(path, json.dumps({"schema": 1, **chain, "files": files}, indent=1) + "\n")
    return path


def read_anchors(directory: Path) -> tuple[Anchor, ...]:
    """Where the incident store's chain ended when the report was built; none when its manifest names none.

    Raises BadDocument when the manifest cannot be read, or holds anchors that are none.
    """
    return _anchors_of(_document(directory / NAME))


def verify(directory: Path) -> list[str]:
    """Every difference between the folder and its manifest, one line each; empty when they agree."""
    if not directory.is_dir():
        return ["no such folder"]
    try:
        listed = _read(directory / NAME)
    except BadDocument as error:
        return error.faults
    problems = [f"{name}: is {what}" for name, what in _odd(directory)]
    odd = {name for name, _ in _odd(directory)}
    safe = {}
    for name, facts in sorted(listed.items()):
        if _leaves(name):
            problems.append(f"{name}: the manifest names a path outside the folder")
        elif name not in odd:
            safe[name] = facts
    present = set(_plain(directory))
    problems += [f"{name}: missing" for name in sorted(safe.keys() - present)]
    problems += [f"{name}: not in the manifest" for name in sorted(present - safe.keys())]
    for name in sorted(safe.keys() & present):
        problems += _compare(name, safe[name], _facts(directory / name))
    return problems


def _document(path: Path) -> dict[str, Any]:
    if path.is_symlink():
        raise BadDocument([f"{NAME}: is a symbolic link"])
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BadDocument([f"{NAME}: missing; nothing can be verified"]) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadDocument([f"{NAME}: cannot be read ({error})"]) from error
    if not isinstance(document, dict) or document.get("schema") != 1 or not isinstance(document.get("files"), dict):
        raise BadDocument([f"{NAME}: not a manifest of schema 1"])
    return document


def _anchors_of(document: Mapping[str, Any]) -> tuple[Anchor, ...]:
    found = document.get("anchors", [])
    if not isinstance(found, list) or not all(_is_anchor(one) for one in found):
        raise BadDocument([f"{NAME}: anchors must be a list of position and hash"])
    return tuple(Anchor(one["position"], one["hash"]) for one in found)


def _is_anchor(one: Any) -> bool:
    if not isinstance(one, dict) or type(one.get("position")) is not int:
        return False
    return isinstance(one.get("hash"), str) and _SHA256.fullmatch(one["hash"]) is not None


def anchors_if_any(directory: Path) -> tuple[Anchor, ...]:
    """As `read_anchors`; none where the manifest is missing or broken."""
    try:
        return read_anchors(directory)
    except BadDocument:
        return ()


def _read(path: Path) -> Mapping[str, Mapping[str, Any]]:
    document = _document(path)
    _anchors_of(document)
    files: dict[str, Any] = document["files"]
    bad = [
        f"{NAME}: {name}: needs sha256 and bytes" for name, facts in sorted(files.items()) if not _well_formed(facts)
    ]
    if bad:
        raise BadDocument(bad)
    return files


def _well_formed(facts: Any) -> bool:
    if not isinstance(facts, dict) or type(facts.get("bytes")) is not int:
        return False
    return isinstance(facts.get("sha256"), str) and _SHA256.fullmatch(facts["sha256"]) is not None


def _compare(name: str, expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    if expected["bytes"] != found["bytes"]:
        return [f"{name}: changed ({found['bytes']} bytes, the manifest says {expected['bytes']})"]
    return [] if expected["sha256"] == found["sha256"] else [f"{name}: changed (sha256 differs)"]


def _leaves(name: str) -> bool:
    path = PurePosixPath(name)
    return not name or path.is_absolute() or ".." in path.parts or "\\" in name or path.as_posix() != name


def _facts(path: Path) -> dict[str, Any]:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return {"sha256": digest, "bytes": path.stat().st_size}


def _plain(directory: Path) -> list[str]:
    """Names of plain files below `directory`, the manifest left out, sorted; links are never followed."""
    return sorted(p.relative_to(directory).as_posix() for p in _walk(directory) if p.is_file() and not p.is_symlink())


def _odd(directory: Path) -> list[tuple[str, str]]:
    odd = []
    for path in _walk(directory):
        if path.is_symlink():
            odd.append((path.relative_to(directory).as_posix(), "a symbolic link"))
        elif not path.is_file():
            odd.append((path.relative_to(directory).as_posix(), "neither a file nor a folder"))
    return sorted(odd)


def _walk(directory: Path) -> Iterator[Path]:
    for path in directory.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        elif path not in (directory / NAME, directory / SIGNATURE) or path.is_symlink():
            yield path
