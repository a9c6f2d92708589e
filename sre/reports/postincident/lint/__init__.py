"""How good a post-incident report is: rules with weights that sum to 100, over our JSON or anybody's Markdown."""

from __future__ import annotations

from sre.reports.postincident.lint.model import Finding, Linted
from sre.reports.postincident.lint.run import lint_file, lint_reading

__all__ = ["Finding", "Linted", "lint_file", "lint_reading"]
