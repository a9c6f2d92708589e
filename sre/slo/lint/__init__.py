"""SLO documents that cannot work, found before anybody relies on them."""

from sre.slo.lint.model import Finding, Rule
from sre.slo.lint.rules import RULES
from sre.slo.lint.run import lint, lint_resolved

__all__ = ["RULES", "Finding", "Rule", "lint", "lint_resolved"]
