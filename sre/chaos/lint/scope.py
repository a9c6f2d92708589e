"""What one part of a file must know of the others: which names there are, and what they stand for."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from sre.chaos.lint.tree import field, items, text
from sre.slo.documents import Node, Scalar

_WHOLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Scope:
    """`values` are the configuration's constants, those from the environment as they are now; None: not known before
    the run. `activities` are those that a `ref` can name, `secrets` the names of secret targets.
    """

    values: Mapping[str, Scalar]
    names: frozenset[str]
    activities: Mapping[str, Node]
    secrets: frozenset[str]

    def constant(self, node: Node) -> Scalar:
        """What the node will be when it runs, with `${name}` filled in; None when that is not known now."""
        if not isinstance(node.scalar, str) or "$" not in node.scalar:
            return node.scalar
        whole = _WHOLE.fullmatch(node.scalar)
        return self.values.get(whole.group(1)) if whole is not None else None


def scope_of(root: Node) -> Scope:
    configuration, secrets = field(root, "configuration"), field(root, "secrets")
    values = {name: _value(entry) for name, entry in ((configuration and configuration.fields) or {}).items()}
    targets = (secrets and secrets.fields) or {}
    named = [key for target in targets.values() for key in (target.fields or {})]
    referable = (*items(field(root, "method")), *items(field(field(root, "steady-state-hypothesis"), "probes")))
    return Scope(
        values=values,
        names=frozenset((*values, *named)),
        activities={text(activity, "name"): activity for activity in referable if text(activity, "name")},
        secrets=frozenset(targets),
    )


def _value(entry: Node) -> Scalar:
    if entry.fields is None:
        return entry.scalar
    if text(entry, "type") != "env":
        return None
    default = field(entry, "default")
    found = os.environ.get(text(entry, "key"), None if default is None else default.scalar)
    return _converted(found, text(entry, "env_var_type"))


def _converted(value: Scalar, kind: str) -> Scalar:
    try:
        if kind in ("int", "integer") and value is not None:
            return int(value)
        if kind in ("float", "number") and value is not None:
            return float(value)
    except ValueError:
        return None
    return value if kind in ("", "str", "string") else None
