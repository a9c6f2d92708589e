"""An activity: a probe or an action, wherever it stands."""

from __future__ import annotations

import math
from typing import Literal

from sre.chaos.lint.controls import check_controls
from sre.chaos.lint.model import Notes
from sre.chaos.lint.providers import check_provider
from sre.chaos.lint.scope import Scope
from sre.chaos.lint.tree import did_you_mean, known_fields, text
from sre.slo.documents import Node

Place = Literal["hypothesis", "method", "rollbacks", "tolerance", "configuration"]
ACTIVITY = ("type", "name", "provider", "tolerance", "pauses", "background", "controls")
KINDS = ("probe", "action")
IGNORED = {
    "timeout": "Chaos Toolkit ignores it here: give a process or http provider its own, a function its `timeout_s`",
    "dry": "Chaos Toolkit ignores it here: run with `chaos run --dry`",
    "secrets": "Chaos Toolkit ignores it here: name the secrets in `provider.secrets`",
    "configuration": "Chaos Toolkit ignores it here: remove it, a function gets all of it",
}
_ONLY_PROBES = ("hypothesis", "tolerance", "configuration")
_MOST_S = 86400.0


def check_activity(node: Node, notes: Notes, scope: Scope, *, place: Place) -> None:
    if node.fields is not None and "ref" in node.fields:
        _check_reference(node, notes, scope, place)
        return
    if node.fields is not None:
        for key in IGNORED.keys() & node.fields.keys():
            notes.errors.add(node.fields[key], IGNORED[key])
    fields = known_fields(node, (*ACTIVITY, *IGNORED), notes)
    if node.fields is None:
        return
    notes.errors.text(notes.errors.required(node, "name", "give it a name"), "write text")
    _check_kind(node, notes, place)
    _check_pauses(fields.get("pauses"), notes, scope)
    _check_background(fields, notes, place)
    if "tolerance" in fields and place in ("method", "rollbacks"):
        notes.warnings.add(fields["tolerance"], "nobody judges it here: move the probe to the hypothesis, or remove it")
    provider = notes.errors.required(node, "provider", "say what it calls")
    if provider is not None:
        check_provider(provider, notes, scope, action=text(node, "type") == "action")
    check_controls(fields.get("controls"), notes)


def _check_reference(node: Node, notes: Notes, scope: Scope, place: Place) -> None:
    """Chaos Toolkit looks the name up when it is played, and crashes when there is none or it is a reference again."""
    allowed = ("ref", "tolerance") if place == "hypothesis" else ("ref", "background")
    fields = known_fields(node, allowed, notes)
    name = notes.errors.text(fields.get("ref"), "write the name of an activity")
    if name and name not in scope.activities:
        mend = did_you_mean(name, scope.activities, "use a name of the method or the hypothesis")
        notes.errors.add(fields["ref"], f"no activity is named {name!r}: {mend}")
    elif name and place in _ONLY_PROBES and text(scope.activities[name], "type") == "action":
        notes.errors.add(fields["ref"], f"{name!r} is an action: refer to a probe")
    _check_background(fields, notes, place)


def _check_kind(node: Node, notes: Notes, place: Place) -> None:
    if place in _ONLY_PROBES:
        kind = notes.errors.required(node, "type", "write `probe`")
        notes.errors.constant(kind, "probe", "write `probe`, an action has no reading")
    else:
        kind = notes.errors.required(node, "type", "write `probe` or `action`")
        notes.errors.one_of(kind, KINDS, "write `probe` or `action`")


def _check_pauses(node: Node | None, notes: Notes, scope: Scope) -> None:
    """`time.sleep` is given whatever stands there, and what it refuses aborts the run."""
    if node is None:
        return
    for pause in known_fields(node, ("before", "after"), notes).values():
        value = scope.constant(pause)
        if isinstance(pause.scalar, str) and value is None:
            notes.errors.add(pause, f"is {pause.kind}: write seconds, or the ${{name}} of a number in `configuration`")
        elif isinstance(value, bool) or not isinstance(value, int | float):
            notes.errors.add(pause, f"is {pause.kind}: write seconds, 0 or more")
        elif not (math.isfinite(value) and 0 <= value <= _MOST_S):
            notes.errors.add(pause, f"is {value:g}: write seconds, 0 to {_MOST_S:g}")


def _check_background(fields: dict[str, Node], notes: Notes, place: Place) -> None:
    node = fields.get("background")
    if node is None:
        return
    if place in _ONLY_PROBES:
        notes.errors.add(node, "Chaos Toolkit ignores it here: remove it")
    elif notes.errors.boolean(node, "write true or false"):
        notes.warnings.add(node, "nobody waits for it before the next activity, nor for its failure: leave it out")
