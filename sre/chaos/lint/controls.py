"""Controls. Chaos Toolkit drops one that it cannot import, and swallows whatever one raises, without a word."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator

from sre.chaos.lint.functions import check_module
from sre.chaos.lint.model import Notes
from sre.chaos.lint.tree import field, items, known_fields, text
from sre.slo.documents import Node

OURS = "sre.chaos.control"
CONTROL = ("name", "provider", "scope", "automatic")
PROVIDER = ("type", "module", "arguments")
_LEVELS = ("experiment", "hypothesis", "method", "rollback", "activity", "loading_experiment")
HOOKS = tuple(f"{when}_{level}_control" for level in _LEVELS for when in ("before", "after"))
_GIVEN = ("context", "state", "experiment", "configuration", "secrets", "extensions", "settings", "event_registry")


def check_controls(node: Node | None, notes: Notes) -> None:
    """A list of controls, at whatever level."""
    if node is None:
        return
    for control in notes.errors.list_of(node, "write a list"):
        if control.fields is not None and "ref" in control.fields:
            notes.errors.add(control.fields["ref"], "Chaos Toolkit refuses a control that only refers: write it out")
            continue
        fields = known_fields(control, CONTROL, notes)
        if control.fields is None:
            continue
        notes.errors.text(notes.errors.required(control, "name", "give it a name"), "write text")
        notes.errors.one_of(fields.get("scope"), ("before", "after"), "write before or after")
        notes.errors.boolean(fields.get("automatic"), "write true or false")
        provider = notes.errors.required(control, "provider", "say which module holds the control")
        if provider is not None:
            _check_provider(provider, notes)


def require_ours(root: Node, notes: Notes) -> None:
    """The one control without which nothing is registered, watched and healed."""
    declared = field(root, "controls")
    ours = [control for control in items(declared) if text(field(control, "provider"), "module") == OURS]
    if not ours:
        said = f"none is {OURS}, without which no fault is applied: add it"
        notes.errors.add(declared or root, said, key=None if declared else "controls")
    for control in ours:
        scope, automatic = field(control, "scope"), field(control, "automatic")
        if scope is not None:
            notes.errors.add(scope, f"{OURS} must see begin and end of the run: remove it")
        if automatic is not None and automatic.scalar is False:
            notes.errors.add(automatic, f"{OURS} must see all of the run: remove it")


def control_modules(root: Node) -> Iterator[Node]:
    """Every `controls: - provider: module:` of the document, at whatever level."""
    for key, child in (root.fields or {}).items():
        for control in items(child) if key == "controls" else ():
            module = field(field(control, "provider"), "module")
            if module is not None:
                yield module
        yield from control_modules(child)
    for item in items(root):
        yield from control_modules(item)


def _check_provider(provider: Node, notes: Notes) -> None:
    fields = known_fields(provider, PROVIDER, notes)
    if provider.fields is None:
        return
    notes.errors.constant(notes.errors.required(provider, "type", "write python"), "python", "write python")
    module = notes.errors.required(provider, "module", "name the Python module of the control")
    arguments = fields.get("arguments")
    if arguments is not None and arguments.fields is None:
        notes.errors.add(arguments, f"is {arguments.kind}: write a mapping of argument names and values")
        return
    if module is not None and check_module(module, notes):
        _check_hooks(module, arguments, notes)


def _check_hooks(module: Node, arguments: Node | None, notes: Notes) -> None:
    loaded = importlib.import_module(str(module.scalar))
    hooks = [hook for name in (*HOOKS, "configure_control") if callable(hook := getattr(loaded, name, None))]
    if not hooks:
        notes.errors.add(module, f"holds no control: define one of {', '.join(HOOKS[:4])} ... in it")
    given = dict.fromkeys((arguments.fields or {}) if arguments is not None else ())
    for hook in hooks:
        signature = inspect.signature(hook)
        injected = {name: None for name in _GIVEN if name in signature.parameters or name == "context"}
        if hook.__name__ == "configure_control" and "context" not in signature.parameters:
            injected.pop("context")
        try:
            signature.bind(**{**given, **injected})
        except TypeError as error:
            notes.errors.add(arguments or module, f"{hook.__name__}: {error}: mend the arguments")
            return
