"""`manifest.json`: sha256 and size of every file of a report folder, so that a forwarded report can be checked.

It finds damage and careless edits. It is not signed: who can write the folder can write the manifest too.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from sre.errors import BadDocument
from sre.reports.atomic import write_text

NAME = "manifest.json"
_SHA256 = re.compile(r"[0-9a-f]{64}")


def write_manifest(directory: Path) -> Path:
    """Hash every file under `directory` but the manifest itself; raises BadDocument on symlinks and special files."""
    refused = [
        f"{directory / name}: is {what}; a report folder holds plain files only" for name, what in _odd(directory)
    ]
    if refused:
        raise BadDocument(refused)
    files = {name: _facts(directory / name) for name in _plain(directory)}
    path = directory / NAME
    write_text(path, json.dumps({"schema": 1, "files": files}, indent=1) + "\n")
    return path


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


def _read(path: Path) -> Mapping[str, Mapping[str, Any]]:
    if path.is_symlink():
        raise BadDocument([f"{NAME}: is a symbolic link"])
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BadDocument([f"{NAME}: missing; nothing can be verified"]) from error
    except (OSError, ValueError) as error:
        raise BadDocument([f"{NAME}: cannot be read ({error})"]) from error
    files = document.get("files") if isinstance(document, dict) and document.get("schema") == 1 else None
    if not isinstance(files, dict):
        raise BadDocument([f"{NAME}: not a manifest of schema 1"])
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
        elif path != directory / NAME or path.is_symlink():
            yield path
