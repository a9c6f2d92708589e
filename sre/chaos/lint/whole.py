"""The file's first level: which parts there must be, and what each may hold."""

from __future__ import annotations

from sre.chaos.drill import EXTENSION
from sre.chaos.lint.activities import check_activity
from sre.chaos.lint.configuration import (
    check_configuration,
    check_platform,
    check_secrets,
    check_variables,
)
from sre.chaos.lint.controls import check_controls, require_ours
from sre.chaos.lint.model import Notes
from sre.chaos.lint.runtime import check_runtime
from sre.chaos.lint.scope import Scope
from sre.chaos.lint.tolerances import check_tolerance
from sre.chaos.lint.tree import did_you_mean, field, is_nothing, known_fields, required_list, text
from sre.slo.documents import Node

TOP_LEVEL = (
    *("version", "title", "description", "tags", "contributions", "configuration", "secrets", "controls"),
    *("steady-state-hypothesis", "method", "rollbacks", "runtime", "extensions"),
)
CONTRIBUTIONS = ("high", "medium", "low", "none")


def check_whole(root: Node, notes: Notes, scope: Scope) -> None:
    dry = field(root, "dry")
    if dry is not None:
        notes.errors.add(dry, "Chaos Toolkit overwrites it: run with `chaos run --dry`")
    fields = known_fields(root, (*TOP_LEVEL, "dry"), notes)
    for key in ("title", "description"):
        notes.errors.text(notes.errors.required(root, key, "write one line of text"), "write text")
    _check_labels(fields, notes)
    check_configuration(fields.get("configuration"), notes, scope)
    check_platform(root, notes, scope)
    check_secrets(fields.get("secrets"), notes)
    check_controls(fields.get("controls"), notes)
    require_ours(root, notes)
    _check_hypothesis(root, notes, scope)
    for activity in required_list(root, "method", "say what is done to the platform", notes):
        check_activity(activity, notes, scope, place="method")
    for activity in required_list(root, "rollbacks", "say how it is undone: play heal_faults", notes):
        check_activity(activity, notes, scope, place="rollbacks")
    check_runtime(root, notes)
    check_variables(root, notes, scope)


def our_extension(root: Node, notes: Notes) -> Node | None:
    """The `llm-gameday` extension."""
    mend = f"add one named {EXTENSION} with the drill's workload"
    extensions = notes.errors.required(root, "extensions", mend)
    if extensions is None or is_nothing(extensions):
        return None
    named = [(text(item, "name"), item) for item in notes.errors.list_of(extensions, "write a list")]
    for name, item in named:
        if not name.strip():
            notes.errors.add(item, "missing: Chaos Toolkit asks for a name", key="name")
    ours = [item for name, item in named if name == EXTENSION]
    if not ours:
        near = did_you_mean(next((name for name, _ in named), ""), (EXTENSION,), mend)
        notes.errors.add(extensions, f"none is named {EXTENSION}: {near}")
    for twin in ours[1:]:
        notes.errors.add(twin, f"a second {EXTENSION}: Chaos Toolkit takes the first: remove one")
    return ours[0] if ours else None


def _check_hypothesis(root: Node, notes: Notes, scope: Scope) -> None:
    mend = "say what must hold before and after"
    node = notes.errors.required(root, "steady-state-hypothesis", mend)
    if node is None or is_nothing(node):
        return
    fields = known_fields(node, ("title", "probes", "controls"), notes)
    if node.fields is None:
        return
    notes.errors.text(notes.errors.required(node, "title", "say what holds, in a sentence"), "write text")
    check_controls(fields.get("controls"), notes)
    for probe in required_list(node, "probes", "list at least one probe", notes):
        check_activity(probe, notes, scope, place="hypothesis")
        if probe.fields is not None:
            check_tolerance(probe, notes, scope)


def _check_labels(fields: dict[str, Node], notes: Notes) -> None:
    for tag in notes.errors.list_of(fields.get("tags"), "write a list of words"):
        notes.errors.text(tag, "write a word")
    contributions = fields.get("contributions")
    if contributions is None:
        return
    for value in known_fields(contributions, contributions.fields or (), notes).values():
        notes.errors.one_of(value, CONTRIBUTIONS, f"write one of {', '.join(CONTRIBUTIONS)}")
