"""The lint: files in, findings out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from sre.chaos.drill import read_drill_section
from sre.chaos.lint.document import ENDINGS, read_experiment
from sre.chaos.lint.engine import ask_the_engine
from sre.chaos.lint.leaks import check_leaks
from sre.chaos.lint.method import check_method
from sre.chaos.lint.model import Checked, Finding, Notes
from sre.chaos.lint.scope import scope_of
from sre.chaos.lint.suite import check_suite
from sre.chaos.lint.whole import check_whole, our_extension
from sre.errors import BadDocument, SreError
from sre.slo.documents import Node


def lint(paths: Sequence[Path]) -> tuple[Checked, ...]:
    """Every experiment of files and folders, checked alone, by Chaos Toolkit, and against one another.

    Raises SreError when a path is not there or a folder holds no experiment.
    """
    checked = [check_experiment(path) for path in experiment_files(paths)]
    return check_suite([ask_the_engine(one) for one in checked])


def check_experiment(path: Path) -> Checked:
    """One file on its own, without Chaos Toolkit's word."""
    try:
        root = read_experiment(path)
    except BadDocument as error:
        found = tuple(Finding(str(path), _line(path, text), "error", text) for text in error.faults)
        return Checked(path, None, found)
    return _checked(path, root)


def experiment_files(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Files as they are given, those of folders by name, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix in ENDINGS and file.is_file())
            if not inside:
                raise SreError(f"{path}: holds no experiment ({', '.join(ENDINGS)}): name another folder")
            found.update(dict.fromkeys(inside))
        elif path.exists():
            found[path] = None
        else:
            raise SreError(f"{path}: no such file: name an experiment or a folder of them")
    return tuple(found)


def _checked(path: Path, root: Node) -> Checked:
    notes, scope = Notes.of(path), scope_of(root)
    check_whole(root, notes, scope)
    drill = read_drill_section(root, our_extension(root, notes), path=path, faults=notes.errors)
    check_method(root, drill, notes, scope)
    check_leaks(root, notes)
    return Checked(path, None if notes.errors.found else drill, notes.findings())


def _line(path: Path, text: str) -> int:
    number = text.removeprefix(f"{path}:").partition(":")[0]
    return int(number) if number.isdecimal() else 0
