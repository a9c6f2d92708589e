"""Checks an experiment file before anything is started, stricter than `chaos validate`, and reads its drill.

Chaos Toolkit ignores misspelt keys and control modules it cannot import, and stops at the first fault. Here every fault
is told at once as `file:line: path: what: mend`. Modules named by activities and controls are imported, as `chaos
validate` does: an experiment file is code, treat it so.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from sre.chaos.drill import EXTENSION, read_drill_section
from sre.chaos.model import Drill
from sre.errors import BadDocument
from sre.slo.documents import Faults, Node, Scalar, read_documents

TOP_LEVEL = (
    *("version", "title", "description", "tags", "contributions", "configuration", "secrets", "controls"),
    *("steady-state-hypothesis", "method", "rollbacks", "runtime", "extensions", "dry"),
)
ACTIVITY = (
    *("type", "name", "ref", "provider", "tolerance", "pauses", "background", "controls", "configuration", "secrets"),
    *("timeout", "dry"),
)
PROVIDERS = ("python", "process", "http")


def load_drill(path: Path) -> Drill:
    """The drill of an experiment file. Raises BadDocument with every fault of the file."""
    documents = read_documents(path)
    if len(documents) != 1:
        raise BadDocument([f"{path}:1: document: holds {len(documents)} documents: write exactly one experiment"])
    root, faults = documents[0], Faults(path)
    _check_top_level(root, faults)
    _check_hypothesis(faults.required(root, "steady-state-hypothesis", "say what must hold before and after"), faults)
    _check_activities(root, "method", "say what is done to the platform", faults)
    _check_activities(root, "rollbacks", "say how it is undone; it must be harmless to play twice", faults)
    _check_controls(_field(root, "controls"), faults)
    section = read_drill_section(root, _extension(root, faults), path=path, faults=faults)
    if faults.found or section is None:
        raise BadDocument(faults.found)
    return section


def missing_controls(path: Path) -> tuple[str, ...]:
    """Modules of declared controls that cannot be imported: Chaos Toolkit runs the experiment without them."""
    names = [module.scalar for root in read_documents(path) for module in _control_modules(root)]
    return tuple(str(name) for name in dict.fromkeys(names) if _import_fault(str(name)) is not None)


def _check_top_level(root: Node, faults: Faults) -> None:
    if root.fields is None:
        raise BadDocument([f"{faults.file}:{root.line}: document: is {root.kind}: write an experiment"])
    for key, child in root.fields.items():
        if key not in TOP_LEVEL:
            near = get_close_matches(key, TOP_LEVEL, n=1)
            faults.add(child, f"unknown key: {f'did you mean `{near[0]}`?' if near else 'remove it'}")
    for key in ("title", "description"):
        faults.text(faults.required(root, key, "write one line of text"), "write text")
    strategy = _field(_field(_field(root, "runtime"), "rollbacks"), "strategy")
    if strategy is not None:
        faults.constant(strategy, "always", "write `always`, or an interrupted run leaves its fault behind")


def _check_hypothesis(node: Node | None, faults: Faults) -> None:
    if node is None:
        return
    faults.mapping(node, ("title", "probes", "controls"))
    faults.text(faults.required(node, "title", "say what holds, in a sentence"), "write text")
    probes = _items(faults.required(node, "probes", "list at least one probe"), faults, at_least_one=True)
    for probe in probes:
        _check_activity(probe, faults)
        tolerance = faults.required(probe, "tolerance", "say which readings are good, e.g. a range")
        if tolerance is not None:
            _check_tolerance(tolerance, faults)


def _check_tolerance(node: Node, faults: Faults) -> None:
    if node.kind == "nothing":
        faults.add(node, "is nothing: say which readings are good, e.g. a range")
    if isinstance(node.scalar, float):
        faults.add(node, f"is {node.kind}, which Chaos Toolkit refuses: write a range, e.g. [0.99, 1.0]")
    bounds = node if node.items is not None else _field(node, "range")
    if bounds is None or bounds.items is None or len(bounds.items) != 2:
        return
    low, high = (faults.number(bound, "write a number") for bound in bounds.items)
    if low is not None and high is not None and not (math.isfinite(low) and math.isfinite(high) and low <= high):
        faults.add(bounds, f"is {low:g} to {high:g}: write a finite range, the lower bound first")


def _check_activities(root: Node, key: str, mend: str, faults: Faults) -> None:
    for activity in _items(faults.required(root, key, mend), faults, at_least_one=True):
        _check_activity(activity, faults)


def _check_activity(node: Node, faults: Faults) -> None:
    fields = faults.mapping(node, ACTIVITY)
    if not fields or "ref" in fields:
        return
    if "pauses" in fields:
        faults.mapping(fields["pauses"], ("before", "after"))
    faults.text(faults.required(node, "name", "give it a name"), "write text")
    kind = faults.required(node, "type", "write `probe` or `action`")
    if kind is not None and kind.scalar not in ("probe", "action"):
        faults.add(kind, f"is {kind.kind}: write `probe` or `action`")
    provider = faults.required(node, "provider", "say what it calls")
    provider_kind = None if provider is None else faults.required(provider, "type", f"write {' or '.join(PROVIDERS)}")
    if provider is None or provider_kind is None:
        return
    if provider_kind.scalar not in PROVIDERS:
        faults.add(provider_kind, f"is {provider_kind.kind}: use one of {', '.join(PROVIDERS)}")
    if provider_kind.scalar == "python":
        _check_python(provider, faults)
    _check_controls(fields.get("controls"), faults)


def _check_controls(node: Node | None, faults: Faults) -> None:
    """Chaos Toolkit drops a control that it cannot load without a word, so each must name a module that is there."""
    for control in _items(node, faults):
        provider = faults.required(control, "provider", "say which module holds the control")
        if provider is not None:
            _check_module(faults.required(provider, "module", "name the Python module of the control"), faults)


def _check_python(provider: Node, faults: Faults) -> None:
    module = faults.required(provider, "module", "name the Python module")
    function = faults.required(provider, "func", "name the function in that module")
    if module is None or function is None or not _check_module(module, faults):
        return
    loaded = importlib.import_module(str(module.scalar))
    called = getattr(loaded, str(function.scalar), None)
    if not callable(called):
        known = ", ".join(getattr(loaded, "__all__", ())) or "see its documentation"
        faults.add(function, f"{module.scalar} has no function {function.scalar!r}: use one of {known}")
        return
    _check_arguments(_field(provider, "arguments"), called, at=provider, faults=faults)


def _check_arguments(node: Node | None, called: Any, *, at: Node, faults: Faults) -> None:
    if node is not None and node.fields is None and node.kind != "nothing":
        faults.add(node, f"is {node.kind}: write a mapping of argument names and values")
        return
    signature = inspect.signature(called)
    injected = {name: None for name in ("configuration", "secrets") if name in signature.parameters}
    given = {} if node is None or node.fields is None else dict.fromkeys(node.fields)
    try:
        signature.bind(**{**given, **injected})
    except TypeError as error:
        accepted = ", ".join(name for name in signature.parameters if name not in injected)
        faults.add(node or at, f"{error}: {called.__name__} takes {accepted or 'no arguments'}")


def _check_module(node: Node | None, faults: Faults) -> bool:
    if node is None:
        return False
    fault = _import_fault(str(node.scalar))
    if fault is not None:
        faults.add(node, f"cannot be imported ({fault}): install what provides it, or mend the name")
    return fault is None


def _import_fault(module: str) -> str | None:
    try:
        importlib.import_module(module)
    except Exception as error:  # noqa: BLE001  (a module may raise anything at import; all of it means "cannot be used")
        return f"{type(error).__name__}: {error}"
    return None


def _extension(root: Node, faults: Faults) -> Node | None:
    extensions = faults.required(root, "extensions", f"add one named {EXTENSION} with the drill's workload")
    if extensions is None:
        return None
    for item in _items(extensions, faults):
        name = _field(item, "name")
        if name is not None and name.scalar == EXTENSION:
            return item
    faults.add(extensions, f"none is named {EXTENSION}: add it with the drill's workload")
    return None


def _control_modules(root: Node) -> Iterator[Node]:
    """Every `controls: - provider: module:` of the document, at whatever level."""
    for key, child in (root.fields or {}).items():
        for control in (child.items or ()) if key == "controls" else ():
            module = _field(_field(control, "provider"), "module")
            if module is not None:
                yield module
        yield from _control_modules(child)
    for item in root.items or ():
        yield from _control_modules(item)


def _field(node: Node | None, key: str) -> Node | None:
    return None if node is None or node.fields is None else node.fields.get(key)


def _scalar(node: Node | None) -> Scalar:
    return None if node is None else node.scalar


def _items(node: Node | None, faults: Faults, *, at_least_one: bool = False) -> tuple[Node, ...]:
    if node is None:
        return ()
    if node.items is None or (at_least_one and not node.items):
        faults.add(node, f"is {'empty' if node.items is not None else node.kind}: write a list")
        return ()
    return node.items
