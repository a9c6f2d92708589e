"""Evidence from files: a journal that some `chaos run` left, and the ledger beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

from sre.chaos.leases.ledger import salvage_ledger
from sre.chaos.verdict.evidence import Evidence
from sre.errors import BadDocument

_KEYS = ("experiment", "status", "steady_states", "run")


def evidence_of(journal: Path, ledger: Path) -> Evidence:
    """What a journal and a ledger file say of a run that is over. A ledger that does not exist is an empty one.

    Raises BadDocument. Nothing the journal names is imported, so that one of unknown origin can be judged.
    """
    content, found = read_journal(journal), salvage_ledger(ledger)
    return Evidence(
        journal=content,
        ledger=found.records,
        returncode=None,
        missing_controls=absent_controls(content),
        ledger_damage=found.damage,
    )


def read_journal(path: Path) -> dict[str, Any]:
    """The journal in a file. Raises BadDocument when there is none, it is cut short, or something else."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise BadDocument([f"{path}: does not exist: name the journal of a `chaos run` (--journal-path)"]) from error
    except OSError as error:
        raise BadDocument([f"{path}: cannot be read ({error.strerror}): name the journal of a `chaos run`"]) from error
    except (ValueError, RecursionError) as error:
        raise BadDocument([f"{path}: is no JSON ({error}): its writer was cut short; run it again"]) from error
    if not isinstance(content, dict) or not any(key in content for key in _KEYS):
        raise BadDocument([f"{path}: is no journal of Chaos Toolkit: it has none of {', '.join(_KEYS)}"])
    return content


def absent_controls(journal: Mapping[str, Any]) -> tuple[str, ...]:
    """Modules of the journal's controls that cannot be found here, without importing them."""
    names = dict.fromkeys(_control_modules(journal.get("experiment")))
    return tuple(name for name in names if not _is_found(name))


def _control_modules(node: Any) -> Iterator[str]:
    """The Python modules of every `controls` list, at whatever level."""
    if isinstance(node, Mapping):
        controls = node.get("controls")
        for control in controls if isinstance(controls, list) else ():
            provider = control.get("provider") if isinstance(control, Mapping) else None
            module = provider.get("module") if isinstance(provider, Mapping) else None
            if isinstance(module, str) and module:
                yield module
    for child in node.values() if isinstance(node, Mapping) else node if isinstance(node, list) else ():
        yield from _control_modules(child)


def _is_found(module: str) -> bool:
    """Step by step down the packages: `find_spec` of a whole dotted name would import them."""
    path: Any = None
    parts = module.split(".")
    for depth in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:depth]), path)
        if spec is None:
            return False
        path = spec.submodule_search_locations
        if path is None:
            return depth == len(parts)
    return True
