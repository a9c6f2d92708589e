"""An alert written out over raw samples, for a Prometheus that holds the history but never ran the rules.

Recorded selectors are replaced by what records them, later rules first, until none is left. Where a range is taken over
a recorded series, it becomes a subquery at the interval of its group.
"""

from __future__ import annotations

from sre.slo.rules.durations import duration
from sre.slo.rules.model import RuleSet


def inlined(expr: str, rules: RuleSet) -> str:
    """The expression over raw samples. Labels that a recording would set are restored, so that matching still works."""
    steps = [(rule, group.interval_s) for group in rules.groups for rule in group.recordings]
    for rule, interval_s in reversed(steps):
        selector = rule.selector
        if selector not in expr:
            continue
        labelled = f"({rule.expr})"
        for name, value in rule.labels:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
            labelled = f'label_replace({labelled}, "{name}", "{escaped}", "", "")'
        expr = _ranged(expr, selector, labelled, interval_s)
        expr = expr.replace(selector, labelled)
    return expr


def _ranged(expr: str, selector: str, replacement: str, interval_s: float) -> str:
    """`selector[1h]` to `replacement[1h:30s]`."""
    pieces = expr.split(f"{selector}[")
    for index in range(1, len(pieces)):
        window, _, rest = pieces[index].partition("]")
        pieces[index] = f"{replacement}[{window}:{duration(interval_s)}]{rest}"
    return "".join(pieces)
