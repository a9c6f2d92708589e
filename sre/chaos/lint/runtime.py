"""`runtime:`, when the hypothesis is looked at and when the rollbacks are played.

Chaos Toolkit checks none of it before it runs; a word it does not know ends it with a traceback.
"""

from __future__ import annotations

from sre.chaos.lint.model import Notes
from sre.chaos.lint.tree import known_fields
from sre.slo.documents import Node

ROLLBACK_STRATEGIES = ("always", "default", "never", "deviated")
HYPOTHESIS_STRATEGIES = (
    *("default", "continuously", "before-method-only", "after-method-only", "during-method-only", "skip"),
)
BEFORE_AND_AFTER = ("default", "continuously")
_ROLLBACK_MEND = "write `always`, or an interrupted run leaves its fault to the watchdog"


def check_runtime(root: Node, notes: Notes) -> None:
    runtime = notes.errors.required(root, "runtime", "write rollbacks: {strategy: always} in it")
    if runtime is None:
        return
    fields = known_fields(runtime, ("rollbacks", "hypothesis"), notes)
    rollbacks = notes.errors.required(runtime, "rollbacks", "write {strategy: always}")
    if rollbacks is not None and "rollbacks" in fields:
        known = known_fields(rollbacks, ("strategy",), notes)
        strategy = notes.errors.required(rollbacks, "strategy", _ROLLBACK_MEND)
        if "strategy" in known:
            notes.errors.constant(strategy, "always", _ROLLBACK_MEND)
    if "hypothesis" in fields:
        _check_hypothesis(fields["hypothesis"], notes)


def _check_hypothesis(node: Node, notes: Notes) -> None:
    strategy = known_fields(node, ("strategy",), notes).get("strategy")
    if strategy is None:
        return
    if strategy.scalar in ("continuous", "continously"):
        notes.errors.add(strategy, f"is {strategy.kind}, which Chaos Toolkit refuses: write `continuously`")
        return
    known = notes.errors.one_of(
        strategy, HYPOTHESIS_STRATEGIES, "write `default` (before and after) or `continuously` (during, too)"
    )
    if known and known not in BEFORE_AND_AFTER:
        mend = "write `default` or `continuously`"
        notes.errors.add(strategy, f"is {known!r}, so the steady state is not looked at both before and after: {mend}")
