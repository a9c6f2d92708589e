"""The method as a sequence in time: which fault begins when, and when all of them end."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, cast

from sre.chaos.faults.by_action import fault_of, heals
from sre.chaos.faults.catalogue import fault_class, fault_names
from sre.chaos.faults.model import Fault
from sre.chaos.lint.functions import called_name, fault_refusal, function_of
from sre.chaos.lint.scope import Scope
from sre.chaos.lint.tree import field as field_of
from sre.chaos.lint.tree import items, text, walk
from sre.slo.documents import Node, Scalar


@dataclass(frozen=True, slots=True)
class Step:
    """One activity. `at` is where it is written, a reference's target when it refers. `arguments` holds what is known
    before the run, `open_arguments` the names of what is not.
    """

    at: Node
    fault: str | None
    heals: bool
    before_s: float
    after_s: float
    background: bool
    arguments: Mapping[str, object] = field(default_factory=dict)
    open_arguments: frozenset[str] = frozenset()
    driver: str = "local"

    @property
    def pauses_s(self) -> float:
        return self.before_s + self.after_s

    def made(self) -> tuple[Fault | None, str | None]:
        """The fault with its parameters, or why it refuses them; neither while a parameter is not known."""
        if self.fault is None or self.fault not in fault_names() or self.open_arguments:
            return None, None
        cls = fault_class(self.fault, self.driver)
        known = {parameter.name for parameter in fields(cast(Any, cls))}
        params = {name: value for name, value in self.arguments.items() if name in known and value is not None}
        refusal = fault_refusal(lambda: cls(**params))
        return (None, refusal) if refusal is not None else (cls(**params), None)


def steps_of(activities: Node | None, scope: Scope) -> tuple[Step, ...]:
    found = []
    for activity in items(activities):
        background = field_of(activity, "background")
        target = scope.activities.get(text(activity, "ref"), activity)
        found.append(_step(target, scope, background=background is not None and background.scalar is True))
    return tuple(found)


def driver_of(scope: Scope) -> str:
    """The platform that the file asks for, as far as it is known now."""
    return str(scope.values.get("platform") or "local")


def seconds(node: Node | None, scope: Scope) -> float:
    """A number that is known, 0 otherwise."""
    value = None if node is None else scope.constant(node)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else 0.0


def longest_window_s(probes: Iterable[Node], scope: Scope) -> float:
    """The longest `window_s` that a probe looks back, its default included; 0 when none does."""
    longest = 0.0
    for probe in probes:
        target = scope.activities.get(text(probe, "ref"), probe)
        given = field_of(field_of(field_of(target, "provider"), "arguments"), "window_s")
        longest = max(longest, seconds(given, scope) if given is not None else _default_window_s(target))
    return longest


def _step(activity: Node, scope: Scope, *, background: bool) -> Step:
    provider, pauses = field_of(activity, "provider"), field_of(activity, "pauses")
    module, function = called_name(provider)
    arguments = field_of(provider, "arguments")
    known, unknown = _arguments((arguments and arguments.fields) or {}, scope)
    return Step(
        at=activity,
        fault=fault_of(module, function),
        heals=heals(module, function),
        before_s=seconds(field_of(pauses, "before"), scope),
        after_s=seconds(field_of(pauses, "after"), scope),
        background=background,
        arguments=known,
        open_arguments=unknown,
        driver=driver_of(scope),
    )


def _arguments(given: Mapping[str, Node], scope: Scope) -> tuple[dict[str, object], frozenset[str]]:
    known: dict[str, object] = {}
    unknown = set()
    for name, node in given.items():
        if any(isinstance(n.scalar, str) and "$" in n.scalar and scope.constant(n) is None for n in walk(node)):
            unknown.add(name)
        else:
            known[name] = _value(node, scope)
    return known, frozenset(unknown)


def _value(node: Node, scope: Scope) -> object:
    if node.fields is not None:
        return {key: _value(child, scope) for key, child in node.fields.items()}
    if node.items is not None:
        return [_value(item, scope) for item in node.items]
    found: Scalar = scope.constant(node)
    return found


def _default_window_s(probe: Node) -> float:
    function = function_of(*called_name(field_of(probe, "provider")))
    try:
        parameter = None if function is None else inspect.signature(function).parameters.get("window_s")
    except (TypeError, ValueError):
        return 0.0
    default = None if parameter is None else parameter.default
    return float(default) if isinstance(default, int | float) else 0.0
