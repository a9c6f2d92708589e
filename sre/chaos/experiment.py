"""An experiment file as a drill, refused unless the lint finds no error in it.

Chaos Toolkit ignores misspelt keys and control modules it cannot import, and stops at the first fault. Here every fault
is told at once as `file:line: path: what: mend`.
"""

from __future__ import annotations

from pathlib import Path

from sre.chaos.drill import EXTENSION
from sre.chaos.lint.controls import control_modules
from sre.chaos.lint.document import read_experiment
from sre.chaos.lint.functions import import_fault
from sre.chaos.lint.run import check_experiment
from sre.chaos.lint.tree import field, items, text
from sre.chaos.model import Drill
from sre.errors import BadDocument


def load_drill(path: Path) -> Drill:
    """The drill of an experiment file. Raises BadDocument with every error of the file."""
    checked = check_experiment(path)
    if checked.drill is None:
        raise BadDocument(list(checked.errors))
    return checked.drill


def id_in(path: Path) -> str:
    """The id that an experiment file gives itself, whatever else is wrong with it; "" where it cannot be read."""
    try:
        root = read_experiment(path)
    except BadDocument:
        return ""
    found = (text(one, "id") for one in items(field(root, "extensions")) if text(one, "name") == EXTENSION)
    return next(found, "")


def missing_controls(path: Path) -> tuple[str, ...]:
    """Modules of declared controls that cannot be imported: Chaos Toolkit runs the experiment without them."""
    names = [str(module.scalar) for module in control_modules(read_experiment(path))]
    return tuple(name for name in dict.fromkeys(names) if import_fault(name) is not None)
