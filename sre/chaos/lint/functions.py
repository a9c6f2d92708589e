"""A Python provider: the module, the function, and whether its arguments fit.

Modules are imported, as `chaos validate` does: an experiment file is code, treat it so.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from sre.chaos.lint.model import Notes
from sre.chaos.lint.scope import Scope
from sre.chaos.lint.tree import did_you_mean, field, is_nothing, known_fields, text
from sre.errors import SreError
from sre.slo.documents import Node

PYTHON = ("type", "module", "func", "arguments", "secrets")
GIVEN_BY_TOOLKIT = ("configuration", "secrets")
_TIMEOUT = "Chaos Toolkit ignores the timeout of a function: give the function its own, e.g. `timeout_s`"


def check_function(node: Node, notes: Notes, scope: Scope) -> None:
    ignored = field(node, "timeout")
    if ignored is not None:
        notes.errors.add(ignored, _TIMEOUT)
    fields = known_fields(node, (*PYTHON, "timeout"), notes)
    module = notes.errors.required(node, "module", "name the Python module")
    function = notes.errors.required(node, "func", "name the function in that module")
    called = None
    if module is not None and function is not None and check_module(module, notes):
        called = _found(module, function, notes)
    if called is not None:
        _check_arguments(node, called, notes)
    _check_secrets(fields.get("secrets"), called, notes, scope)


def check_module(node: Node, notes: Notes) -> bool:
    """Whether it can be imported."""
    name = notes.errors.text(node, "name a Python module")
    fault = import_fault(name) if name else None
    if fault is not None:
        notes.errors.add(node, f"cannot be imported ({fault}): install what provides it, or mend the name")
    return bool(name) and fault is None


@functools.lru_cache(maxsize=256)
def import_fault(module: str) -> str | None:
    """Why a module cannot be imported; None when it can."""
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a module may raise anything; all of it means "unusable")
        said = str(error).splitlines()
        return f"{type(error).__name__}: {said[0] if said else 'no reason given'}"
    return None


def function_of(module: str, name: str) -> Callable[..., Any] | None:
    """The function as Chaos Toolkit finds it: no class, no other callable."""
    if not module or import_fault(module) is not None:
        return None
    found = getattr(importlib.import_module(module), name, None) if name else None
    return found if inspect.isfunction(found) or inspect.isbuiltin(found) else None


def _found(module: Node, function: Node, notes: Notes) -> Callable[..., Any] | None:
    found = function_of(str(module.scalar), str(function.scalar))
    if found is None:
        known = getattr(importlib.import_module(str(module.scalar)), "__all__", ())
        listed = f"use one of {', '.join(known)}" if known else "see its documentation"
        mend = did_you_mean(function.scalar, [name for name in known if isinstance(name, str)], listed)
        notes.errors.add(function, f"{module.scalar} has no function {str(function.scalar)!r}: {mend}")
    return found


def _check_arguments(provider: Node, called: Callable[..., Any], notes: Notes) -> None:
    node = field(provider, "arguments")
    if node is not None and is_nothing(node):
        return  # said already
    if node is not None and node.fields is None:
        notes.errors.add(node, f"is {node.kind}: write a mapping of argument names and values")
        return
    given = {} if node is None or node.fields is None else node.fields
    for name in GIVEN_BY_TOOLKIT:
        if name in given:
            notes.errors.add(given[name], "Chaos Toolkit passes its own: remove it")
    try:
        signature = inspect.signature(called)
        injected = [name for name in GIVEN_BY_TOOLKIT if name in signature.parameters]
        signature.bind(**dict.fromkeys((*given, *injected)))
    except (TypeError, ValueError) as error:
        notes.errors.add(node or provider, _misfit(called, str(error), list(given)))


def _misfit(called: Callable[..., Any], said: str, given: list[str]) -> str:
    try:
        parameters = inspect.signature(called).parameters
    except (TypeError, ValueError):
        return f"{called.__name__} does not say what it takes: call a function written in Python"
    accepted = [name for name in parameters if name not in GIVEN_BY_TOOLKIT]
    unknown = next((name for name in given if name not in parameters), None)
    takes = f"{called.__name__} takes {', '.join(accepted) or 'no arguments'}"
    return f"{said}: {did_you_mean(unknown, accepted, takes) if unknown else takes}"


def _check_secrets(node: Node | None, called: Callable[..., Any] | None, notes: Notes, scope: Scope) -> None:
    if node is None:
        return
    for item in notes.errors.list_of(node, "list names of `secrets`"):
        name = notes.errors.text(item, "write a name of `secrets`")
        if name and name not in scope.secrets:
            notes.errors.add(item, f"no secret is named {name!r}: {did_you_mean(name, scope.secrets, 'add it')}")
    if called is not None and "secrets" not in inspect.signature(called).parameters:
        notes.warnings.add(node, f"{called.__name__} takes no secrets: remove it")


def fault_refusal(make: Callable[[], object]) -> str | None:
    """What a fault says of its parameters when it is made; None when it takes them."""
    try:
        make()
    except (SreError, TypeError, ValueError) as error:
        return str(error)
    return None


def called_name(provider: Node | None) -> tuple[str, str]:
    """Module and function of a Python provider, "" when they are not said."""
    return text(provider, "module"), text(provider, "func")
