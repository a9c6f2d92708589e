"""What a tuned set of tiers shall achieve: `recall>=0.95,precision>=0.9,min detection`.

    objective  = term { "," term }
    term       = condition | goal                      exactly one goal
    condition  = [scope "."] metric ( ">=" | "<=" | ">" | "<" ) number [unit]
    goal       = ( "min" | "max" ) [scope "."] metric
    scope      = "page" | "ticket"                     page when not said
    metric     = recall | precision | detection | worst-detection | reset
               | false-alarms | budget | worst-budget | in-alert
    unit       = "%" | "s" | "m" | "h" | "d"

Metrics are those of a whole set (any page, any ticket). Delays are seconds, medians but for `worst-`; false alarms are
a month of 30 days; `budget` is the share of the period's budget spent before detection; `in-alert` a share of the time.
A metric that is unknown (nothing fired, no incident) fails every condition and is the worst goal there is.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from sre.errors import SreError
from sre.slo.backtest.model import Score
from sre.slo.model import Severity

DEFAULT = "recall>=0.95,precision>=0.9,min detection"
_MONTH_WEEKS = 30 / 7
_UNITS = MappingProxyType({"": 1.0, "%": 0.01, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0})
_COMPARE: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
)
_METRIC = r"(?:(?P<scope>page|ticket)\.)?(?P<metric>[a-z-]+)"
_CONDITION = re.compile(_METRIC + r"\s*(?P<op>>=|<=|>|<)\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>%|[smhd]?)")
_GOAL = re.compile(r"(?P<way>min|max)\s+" + _METRIC)


def _false_alarms(score: Score) -> float | None:
    return None if score.false_per_week.value is None else score.false_per_week.value * _MONTH_WEEKS


METRICS: Mapping[str, Callable[[Score], float | None]] = MappingProxyType(
    {
        "recall": lambda score: score.recall.value,
        "precision": lambda score: score.precision.value,
        "detection": lambda score: score.detection_s.value,
        "worst-detection": lambda score: score.worst_detection_s.value,
        "reset": lambda score: score.reset_s.value,
        "false-alarms": _false_alarms,
        "budget": lambda score: score.budget_spent.value,
        "worst-budget": lambda score: score.worst_budget_spent.value,
        "in-alert": lambda score: score.in_alert_share,
    }
)
_DURATIONS = frozenset({"detection", "worst-detection", "reset"})
_SHARES = frozenset({"recall", "precision", "budget", "worst-budget", "in-alert"})


@dataclass(frozen=True, slots=True)
class Condition:
    """`metric` of the set of `severity` compares with `bound` as `op` says."""

    severity: Severity
    metric: str
    op: str
    bound: float

    def shortfall(self, scores: Mapping[Severity, Score]) -> float:
        """0 when it holds, else by which part of the bound it is missed; 1 when the metric is unknown."""
        value = _value(scores, self.severity, self.metric)
        if value is None:
            return 1.0
        if _COMPARE[self.op](value, self.bound):
            return 0.0
        return max(abs(value - self.bound) / max(self.bound, 1e-9), 1e-6)


@dataclass(frozen=True, slots=True)
class Objective:
    """Conditions that must hold, and the one metric to make as small (or large) as they allow."""

    text: str
    conditions: tuple[Condition, ...]
    severity: Severity
    metric: str
    maximise: bool

    @property
    def severities(self) -> tuple[Severity, ...]:
        """Whose tiers the objective is about: the others are left as they are."""
        asked = {self.severity, *(condition.severity for condition in self.conditions)}
        both: tuple[Severity, ...] = ("page", "ticket")
        return tuple(severity for severity in both if severity in asked)

    def met(self, scores: Mapping[Severity, Score]) -> bool:
        return self.shortfall(scores) == 0.0

    def shortfall(self, scores: Mapping[Severity, Score]) -> float:
        return sum(condition.shortfall(scores) for condition in self.conditions)

    def rank(self, scores: Mapping[Severity, Score]) -> tuple[float, float]:
        """Smaller is better: first how far the conditions are missed, then the goal."""
        value = _value(scores, self.severity, self.metric)
        goal = math.inf if value is None else -value if self.maximise else value
        return self.shortfall(scores), goal


def parse_objective(text: str) -> Objective:
    """Raises SreError with every fault, each with the term it is in and the mend."""
    faults: list[str] = []
    conditions: list[Condition] = []
    goals: list[tuple[Severity, str, bool]] = []
    for term in (part.strip() for part in text.split(",")):
        condition, goal = _CONDITION.fullmatch(term), _GOAL.fullmatch(term)
        found = condition or goal
        if found is None:
            faults.append(f"{term!r} is no term: write e.g. recall>=0.95 or min detection")
            continue
        faults += _metric_faults(term, found)
        severity: Severity = "ticket" if found["scope"] == "ticket" else "page"
        if condition is not None:
            bound = _number(condition["number"], condition["unit"])
            conditions.append(Condition(severity, condition["metric"], condition["op"], bound))
        else:
            goals.append((severity, found["metric"], found["way"] == "max"))
    if len(goals) != 1 and not faults:
        faults.append(f"{len(goals)} goals: write exactly one, e.g. min detection")
    if faults:
        raise SreError(f"--objective {text!r}: {'; '.join(faults)}")
    severity, metric, maximise = goals[0]
    return Objective(text, tuple(conditions), severity, metric, maximise)


def _number(text: str, unit: str) -> float:
    return float(Decimal(text) * Decimal(str(_UNITS[unit])))  # in binary 95 x 0.01 is more than 0.95


def _metric_faults(term: str, found: re.Match[str]) -> Sequence[str]:
    metric, parts = found["metric"], found.groupdict()
    if metric not in METRICS:
        return [f"{term!r}: unknown metric {metric!r}: use one of {', '.join(METRICS)}"]
    unit = parts.get("unit") or ""
    if unit in ("s", "m", "h", "d") and metric not in _DURATIONS:
        return [f"{term!r}: {metric} is no duration: leave the unit out"]
    if unit == "%" and metric not in _SHARES:
        return [f"{term!r}: {metric} is no share: leave the % out"]
    if "number" in parts and metric in _SHARES and _number(parts["number"], unit) > 1:
        return [f"{term!r}: {metric} is a share: write a number between 0 and 1, or a percentage"]
    return []


def _value(scores: Mapping[Severity, Score], severity: Severity, metric: str) -> float | None:
    return METRICS[metric](scores[severity]) if severity in scores else None
