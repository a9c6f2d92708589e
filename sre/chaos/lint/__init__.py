"""A strict schema for experiments: what it accepts, Chaos Toolkit runs, and the run can be believed."""

from sre.chaos.lint.model import Checked, Finding
from sre.chaos.lint.run import check_experiment, lint

__all__ = ["Checked", "Finding", "check_experiment", "lint"]
