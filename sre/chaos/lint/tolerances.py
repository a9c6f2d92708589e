"""Tolerances: which readings are good. A wrong one does not refuse the run, it crashes it, or is never met.

What a probe returns decides which forms it can bear: a function by its return annotation, a process and an address
always with a mapping. Nobody checks the reading before it is compared: None or NaN in the wrong form is a traceback,
and then no rollback is played.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from typing import Any, Literal, get_type_hints

from sre.chaos.lint.activities import check_activity
from sre.chaos.lint.functions import called_name, function_of
from sre.chaos.lint.model import Notes
from sre.chaos.lint.scope import Scope
from sre.chaos.lint.tree import did_you_mean, field, is_nothing, known_fields, text
from sre.slo.documents import Node

Reading = Literal["number", "bool", "text", "mapping", "unknown"]
FORMS = {
    "probe": ("type", "name", "provider", "pauses", "controls"),
    "regex": ("type", "pattern", "target"),
    "jsonpath": ("type", "path", "target", "count", "expect"),
    "range": ("type", "range", "target"),
}
_RANGE = "write a range, e.g. [0.99, 1.0]"
_TARGETS = {"process": ("status", "stdout", "stderr"), "http": ("status", "headers", "body")}
_COMPARED = "the reading is compared as it is: Chaos Toolkit crashes when it is None"


def check_tolerance(probe: Node, notes: Notes, scope: Scope) -> None:
    """The tolerance of a hypothesis's probe, which may be a reference."""
    node = notes.errors.required(probe, "tolerance", "say which readings are good, e.g. a range")
    if node is None or is_nothing(node):
        return
    called = scope.activities.get(text(probe, "ref"), probe)
    provider = field(called, "provider")
    reading = _reading(provider)
    if node.fields is not None:
        _check_form(node, provider, reading, notes, scope)
    elif node.items is not None:
        _check_list(node, reading, notes)
    else:
        _check_scalar(node, reading, notes)


def _check_scalar(node: Node, reading: Reading, notes: Notes) -> None:
    value = node.scalar
    if isinstance(value, float):
        notes.errors.add(node, f"is {node.kind}, which Chaos Toolkit refuses: {_RANGE}")
    elif isinstance(value, bool) and reading in ("number", "text", "mapping"):
        notes.errors.add(node, f"is {node.kind}, the reading is a {reading}: it is never met: {_RANGE}")
    elif isinstance(value, str) and reading in ("number", "bool", "mapping"):
        mend = _RANGE if reading == "number" else "write the value without quotes"
        notes.errors.add(node, f"is text, the reading is a {reading}: it is never met: {mend}")
    elif isinstance(value, int) and not isinstance(value, bool) and reading in ("text", "bool"):
        notes.errors.add(node, f"is a number, the reading is a {reading}: it is never met: write a {reading}")


def _check_list(node: Node, reading: Reading, notes: Notes) -> None:
    """Two items are bounds, more or fewer are the good values; for a mapping always the good values of `status`."""
    items = node.items or ()
    if reading == "mapping":
        for item in items:
            if type(item.scalar) is not int:
                notes.errors.add(item, f"is {item.kind}: write the good values of `status`")
        return
    if len(items) != 2:
        notes.warnings.add(node, f"is a list of {len(items)}, so each is one good reading: {_RANGE}")
        return
    _check_bounds(node, notes)
    if reading in ("bool", "text", "unknown"):
        _refuse_or_warn(node, reading, "number", notes, _COMPARED)


def _check_form(node: Node, provider: Node | None, reading: Reading, notes: Notes, scope: Scope) -> None:
    mend = f"write one of {', '.join(FORMS)}"
    kind = notes.errors.required(node, "type", mend)
    if kind is None:
        return
    if not isinstance(kind.scalar, str) or kind.scalar not in FORMS:
        notes.errors.add(kind, f"is {kind.kind}: {did_you_mean(kind.scalar, FORMS, mend)}")
        return
    form = kind.scalar
    if form == "probe":
        _check_probe(node, notes, scope)
        return
    fields = known_fields(node, FORMS[form], notes)
    _check_target(node, fields.get("target"), provider, reading, notes, form=form)
    if form == "regex":
        _check_regex(node, notes)
        _refuse_or_warn(node, "text" if "target" in fields else reading, "text", notes, "a regex takes text only")
    elif form == "range":
        _check_range(node, notes)
        if "target" not in fields:
            _refuse_or_warn(node, reading, "number", notes, "Chaos Toolkit crashes when the reading is None or NaN")
    else:
        _check_jsonpath(node, fields, notes)


def _check_probe(node: Node, notes: Notes, scope: Scope) -> None:
    check_activity(node, notes, scope, place="tolerance")
    provider = field(node, "provider")
    arguments = field(provider, "arguments")
    if provider is not None and field(arguments, "value") is None:
        at = arguments if arguments is not None else provider
        mend = "add `value: null`, where Chaos Toolkit puts the reading"
        notes.errors.add(at, f"missing: {mend}", key="value")


def _check_range(node: Node, notes: Notes) -> None:
    bounds = notes.errors.required(node, "range", "write [LOWEST, HIGHEST]")
    if bounds is None or is_nothing(bounds):
        return
    if bounds.items is None or len(bounds.items) != 2:
        said = bounds.kind if bounds.items is None else f"a list of {len(bounds.items)}"
        notes.errors.add(bounds, f"is {said}: write [LOWEST, HIGHEST]")
        return
    _check_bounds(bounds, notes)


def _check_bounds(bounds: Node, notes: Notes) -> None:
    low, high = (notes.errors.number(bound, "write a number") for bound in bounds.items or ())
    if low is not None and high is not None and not (math.isfinite(low) and math.isfinite(high) and low <= high):
        notes.errors.add(bounds, f"is {low:g} to {high:g}: write a finite range, the lower bound first")


def _check_regex(node: Node, notes: Notes) -> None:
    pattern = notes.errors.required(node, "pattern", "write a regular expression")
    expression = notes.errors.text(pattern, "write a regular expression")
    if pattern is None or not expression:
        return
    try:
        re.compile(str(pattern.scalar))
    except (re.error, RecursionError, OverflowError) as error:
        notes.errors.add(pattern, f"is no regular expression ({error}): mend it")


def _check_jsonpath(node: Node, fields: dict[str, Node], notes: Notes) -> None:
    path = notes.errors.required(node, "path", "write a JSON path, e.g. $.status")
    expression = notes.errors.text(path, "write a JSON path, e.g. $.status")
    count = fields.get("count")
    if count is not None and (type(count.scalar) is not int or count.scalar < 0):
        notes.errors.add(count, f"is {count.kind}: write how many values must be found")
    if path is None or not expression:
        return
    from chaoslib.hypothesis import check_json_path

    try:
        check_json_path({"path": expression})
    except Exception as error:  # noqa: BLE001  (a parser of another package: whatever it raises is "no path")
        notes.errors.add(path, f"Chaos Toolkit cannot use it ({error}): mend the path, or use a Python probe")


def _check_target(
    node: Node, target: Node | None, provider: Node | None, reading: Reading, notes: Notes, *, form: str
) -> None:
    """Which part of the reading is meant. Only a mapping has parts."""
    name = notes.errors.text(target, "write the name of a part of the reading")
    if target is not None and reading in ("number", "bool", "text"):
        notes.errors.add(target, f"the reading is a {reading}, which has no parts: remove it")
    parts = _TARGETS.get(text(provider, "type"))
    if parts is None:
        return
    if target is None and form != "jsonpath":
        notes.errors.add(node, f"missing: the reading is a mapping: write one of {', '.join(parts)}", key="target")
    elif target is not None and name and name not in parts:
        listed = f"use one of {', '.join(parts)}"
        notes.errors.add(target, f"is {name!r}: {did_you_mean(name, parts, listed)}")
    elif target is not None and form == "range" and name != "status":
        notes.errors.add(target, "a range crashes on what is no number: use `status`, or a Python probe")
    elif target is not None and form == "regex" and name in ("status", "headers"):
        notes.errors.add(target, f"a regex takes text only, {name} is none: use another part")
    elif target is not None and form == "regex" and name == "body":
        notes.warnings.add(target, "a JSON body is no text, on which a regex crashes: use jsonpath for JSON")


def _refuse_or_warn(node: Node, reading: Reading, wanted: Reading, notes: Notes, why: str) -> None:
    if reading == "unknown":
        notes.warnings.add(node, f"{why}: let the probe say `-> {'float' if wanted == 'number' else 'str'}`")
    elif reading not in (wanted, "mapping"):
        notes.errors.add(node, f"{why}, this reading is a {reading}: use another tolerance")


def _reading(provider: Node | None) -> Reading:
    """What the probe returns, as far as can be said without calling it."""
    if text(provider, "type") in _TARGETS:
        return "mapping"
    function = function_of(*called_name(provider))
    return "unknown" if function is None else _returned(function)


def _returned(function: Callable[..., Any]) -> Reading:
    try:
        hint = get_type_hints(function).get("return", inspect.Parameter.empty)
    except Exception:  # noqa: BLE001  (annotations are code of another module; unreadable is unknown)
        return "unknown"
    known: dict[Any, Reading] = {bool: "bool", int: "number", float: "number", str: "text"}
    return known.get(hint, "unknown")
