"""`configuration` and `secrets`: the values that `${name}` stands for.

Chaos Toolkit leaves a `${name}` it does not know as it is, and a value that cannot be read from the environment ends
`chaos run` before it begins; both are said here first.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Mapping

from sre.chaos.lint.activities import check_activity
from sre.chaos.lint.model import Notes
from sre.chaos.lint.scope import Scope
from sre.chaos.lint.tree import did_you_mean, field, is_nothing, known_fields, plain, text, walk
from sre.errors import BadDocument
from sre.slo.documents import Node

ENV = ("type", "key", "default", "env_var_type")
ENV_TYPES = ("str", "string", "int", "integer", "float", "number", "bytes", "bool", "json")
VAULT = ("type", "path", "key")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def check_configuration(node: Node | None, notes: Notes, scope: Scope) -> None:
    for name, entry in _entries(node, notes).items():
        kind = entry.fields and entry.fields.get("type")
        if not kind:
            continue
        if kind.scalar == "env":
            _check_env(entry, notes)
        elif kind.scalar == "probe":
            check_activity(entry, notes, scope, place="configuration")
            notes.warnings.add(
                entry, f"a probe that fails is only logged, and ${{{name}}} then stays as it is: give a constant"
            )
        else:
            notes.errors.add(kind, f"is {kind.kind}: {did_you_mean(kind.scalar, ('env', 'probe'), 'write env')}")


def check_platform(root: Node, notes: Notes, scope: Scope) -> None:
    """`platform` and `kubernetes` of the configuration, which our own functions read."""
    from sre.platforms.kubernetes.settings import cluster_settings
    from sre.platforms.select import DRIVERS

    configuration = field(root, "configuration")
    driver, platform = scope.values.get("platform"), field(configuration, "platform")
    if platform is not None and driver is not None and driver not in DRIVERS:
        mend = did_you_mean(driver, DRIVERS, f"use one of {', '.join(DRIVERS)}")
        notes.errors.add(platform, f"{driver!r} is no platform: {mend}")
    cluster = field(configuration, "kubernetes")
    if cluster is None or is_nothing(cluster):
        return
    try:
        cluster_settings({"kubernetes": plain(cluster)})
    except BadDocument as error:
        for fault in error.faults:
            notes.errors.add(cluster, fault.removeprefix("configuration.kubernetes: "))


def check_secrets(node: Node | None, notes: Notes) -> None:
    """Two levels: a target's name, then the names of its secrets. Chaos Toolkit crashes on fewer."""
    for target in _entries(node, notes).values():
        if target.fields is None:
            notes.errors.add(target, f"is {target.kind}: write a mapping of secret names and values")
        elif target.fields.get("type") is not None:
            _check_vault(target, notes)
        else:
            _check_target(target, notes)


def check_variables(root: Node, notes: Notes, scope: Scope) -> None:
    """Every `${name}` stands for something."""
    for node in walk(root):
        if not isinstance(node.scalar, str) or node.path.startswith(("configuration", "secrets", "description")):
            continue
        for name in _VARIABLE.findall(node.scalar):
            if name not in scope.names:
                mend = did_you_mean(name, scope.names, "add it to `configuration`")
                notes.warnings.add(node, f"${{{name}}} stands for nothing, so it stays as it is: {mend}")


def _check_target(target: Node, notes: Notes) -> None:
    for secret in known_fields(target, target.fields or {}, notes).values():
        if secret.items is not None:
            notes.errors.add(secret, f"is {secret.kind}: write text, or where it comes from")
        elif secret.fields is None:
            continue
        elif text(secret, "type") == "env":
            fields = known_fields(secret, ("type", "key"), notes)
            _check_env_key(secret, fields, notes)
        else:
            _check_vault(secret, notes)


def _check_env(entry: Node, notes: Notes) -> None:
    fields = known_fields(entry, ENV, notes)
    _check_env_key(entry, fields, notes)
    if "default" not in fields:
        notes.warnings.add(entry, "missing: refused where the variable is not set: give it one", key="default")
    kind = fields.get("env_var_type")
    as_type = notes.errors.one_of(kind, ENV_TYPES, f"write one of {', '.join(ENV_TYPES)}")
    default = fields.get("default")
    if kind is None or not as_type or default is None:
        return
    from chaoslib import convert_to_type

    try:
        convert_to_type(as_type, default.scalar)
    except Exception as error:  # noqa: BLE001  (whatever it is, it would end `chaos validate` with a traceback)
        notes.errors.add(default, f"is {default.kind}, no {as_type} ({type(error).__name__}): write one")


def _check_env_key(entry: Node, fields: Mapping[str, Node], notes: Notes) -> None:
    mend = "name the environment variable"
    notes.errors.text(notes.errors.required(entry, "key", mend), mend)
    key = text(entry, "key")
    if key and "default" not in fields and key not in os.environ:
        notes.errors.add(fields["key"], f"{key} is not set here: set it before the run")


def _check_vault(entry: Node, notes: Notes) -> None:
    kind = (entry.fields or {}).get("type")
    if kind is None or kind.scalar != "vault":
        said = "nothing" if kind is None else kind.kind
        mend = did_you_mean(text(entry, "type"), ("env", "vault"), "write env or vault")
        notes.errors.add(kind or entry, f"is {said}: {mend}")
        return
    known_fields(entry, VAULT, notes)
    notes.errors.text(notes.errors.required(entry, "path", "name the secret's path"), "name the secret's path")
    if importlib.util.find_spec("hvac") is None:
        notes.errors.add(entry, "Chaos Toolkit reads nothing from Vault without the package hvac: install it")


def _entries(node: Node | None, notes: Notes) -> dict[str, Node]:
    if node is None or is_nothing(node):
        return {}
    if node.fields is None:
        notes.errors.add(node, f"is {node.kind}: write a mapping of names and values")
        return {}
    return known_fields(node, node.fields, notes)
